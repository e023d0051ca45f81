#include "store/base/process_figures.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "store/base/exposition.h"
#include "store/base/fd.h"

namespace base {

ProcessFigures read_process_figures(WallTime started) {
  ProcessFigures out;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  out.cpu_seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  out.start_seconds = std::chrono::duration<double>(started.time_since_epoch()).count();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) out.max_fds = limit.rlim_cur;
  unsigned long long size = 0, resident = 0;
  Result<std::string> memory = read_file("/proc/self/statm");
  if (memory.ok() && std::sscanf(memory->c_str(), "%llu %llu", &size, &resident) == 2) {
    const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    out.virtual_bytes = size * page;
    out.resident_bytes = resident * page;
  }
  if (DIR* fds = ::opendir("/proc/self/fd"); fds != nullptr) {
    while (const dirent* entry = ::readdir(fds)) out.open_fds += entry->d_name[0] != '.' ? 1 : 0;
    ::closedir(fds);
    --out.open_fds;  // The folder's own.
  }
  return out;
}

void add_process(Exposition& out, const ProcessFigures& p) {
  out.one("process_cpu_seconds_total", "counter", "User and system time of the whole kubelan process.", "", p.cpu_seconds);
  out.one("process_max_fds", "gauge", "Limit of open file descriptors.", "", p.max_fds);
  out.one("process_open_fds", "gauge", "Open file descriptors.", "", p.open_fds);
  out.one("process_resident_memory_bytes", "gauge", "Resident memory.", "", p.resident_bytes);
  out.one("process_start_time_seconds", "gauge", "Start of the process since the epoch.", "", p.start_seconds);
  out.one("process_virtual_memory_bytes", "gauge", "Virtual memory.", "", p.virtual_bytes);
}

}  // namespace base
