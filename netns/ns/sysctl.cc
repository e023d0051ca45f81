#include "netns/ns/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "store/base/fd.h"

namespace netns {
namespace {

int write_one(const Sysctl& setting) {
  std::string path = std::string("/proc/sys/") + setting.path;
  base::Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return errno;
  return ::write(fd.get(), setting.value, std::strlen(setting.value)) < 0 ? errno : 0;
}

}  // namespace

base::Status write_sysctls(const std::vector<Sysctl>& settings) {
  for (const Sysctl& setting : settings) {
    int err = write_one(setting);
    if (err != 0 && setting.required) return base::os_error(std::string("set /proc/sys/") + setting.path + " to " + setting.value, err);
  }
  return {};
}

}  // namespace netns
