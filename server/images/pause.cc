// The image that does nothing until it is told to stop.
#include <signal.h>

#include <initializer_list>

#include "server/images/builtins.h"

namespace server::images {

sigset_t wait_to_be_ended() {
  signal(SIGCHLD, SIG_IGN);  // As pid 1 it inherits orphans; the kernel reaps them.
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGQUIT}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  int number = 0;
  while (sigwait(&set, &number) != 0) {
  }
  return set;
}

int pause_main(const std::vector<std::string>&) {
  wait_to_be_ended();
  return 0;
}

}  // namespace server::images
