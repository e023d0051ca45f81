#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "netns/process/child.h"

namespace netns {
namespace {

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string path_variable(const std::vector<std::string>& env) {
  for (const std::string& entry : env) {
    if (entry.compare(0, 5, "PATH=") == 0) return entry.substr(5);
  }
  return kDefaultPath;
}

// 0 if it is a file that may be executed.
int check_executable(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return errno;
  if (S_ISDIR(info.st_mode)) return EISDIR;
  if ((info.st_mode & 0111) == 0) return EACCES;
  return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

// The runtime's language writes errno texts in lower case.
const char* describe(int err) {
  switch (err) {
    case ENOENT: return "no such file or directory";
    case EACCES: return "permission denied";
    case EISDIR: return "is a directory";
    case ENOTDIR: return "not a directory";
    case ELOOP: return "too many levels of symbolic links";
    default: return std::strerror(err);
  }
}

}  // namespace

base::Result<std::string> find_program(const std::string& program, const std::vector<std::string>& env) {
  const std::string prefix = "exec: \"" + program + "\": ";
  if (program.empty()) return base::Error(base::Code::kInvalid, "exec: no command");
  if (program.find('/') != std::string::npos) {
    int err = check_executable(program);
    if (err == 0) return program;
    // Looking at the file failed, as against what was found: the failed call is named.
    bool stat_failed = err != EACCES && err != EISDIR;
    return base::Error(base::Code::kNotFound, prefix + (stat_failed ? "stat " + program + ": " : "") + describe(err));
  }
  const std::string path = path_variable(env);
  for (size_t at = 0; at <= path.size();) {
    size_t end = std::min(path.find(':', at), path.size());
    std::string directory = path.substr(at, end - at);
    at = end + 1;
    if (directory.empty()) continue;  // The working directory: never looked up implicitly.
    std::string candidate = directory + "/" + program;
    if (check_executable(candidate) == 0) return candidate;
  }
  return base::Error(base::Code::kNotFound, prefix + "executable file not found in $PATH");
}

}  // namespace netns
