// A shell command for netexec's /shell.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "server/images/agnhost.h"

namespace server::images {
namespace {

constexpr size_t kMaxOutput = 16 * 1024 * 1024;

// Go's names of signals.
std::string signal_name(int number) {
  std::string text = ::strsignal(number);
  text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace

ShellResult run_shell(const std::string& command) {
  base::Result<base::Pipe> pipe = base::make_pipe();
  if (!pipe.ok()) return {"", pipe.error().message};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, pipe->write.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, pipe->write.get(), 2);
  // This process blocks and ignores signals that a command expects to work.
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string shell = "/bin/sh", option = "-c", text = command;
  char* argv[] = {shell.data(), option.data(), text.data(), nullptr};
  pid_t pid = 0;
  int err = ::posix_spawn(&pid, shell.c_str(), &actions, &attributes, argv, ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (err != 0) return {"", "fork/exec /bin/sh: " + std::string(std::strerror(err))};
  pipe->write.reset();
  ShellResult result;
  char buffer[4096];
  for (;;) {
    ssize_t n = ::read(pipe->read.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    if (result.output.size() < kMaxOutput) result.output.append(buffer, static_cast<size_t>(n));
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) result.error = "signal: " + signal_name(WTERMSIG(status));
  else if (WEXITSTATUS(status) != 0) result.error = "exit status " + std::to_string(WEXITSTATUS(status));
  return result;
}

}  // namespace server::images
