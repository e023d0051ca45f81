// gateway_only FILE [--threads N]: the gateway's engine on 127.0.0.1, alone, with the route table that FILE describes
// (gateway_description.h). For benchmarks and for trying things by hand.
//
// Prints {"http": PORT, ...} once it listens: a listener with "port": 0 gets a free one. SIGHUP reads FILE again (a mistake is told on
// standard error and changes nothing); standard output gets a line each time. Ends when standard input ends, or by SIGTERM.
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <nlohmann/json.hpp>

#include "server/gateway/engine/engine.h"
#include "store/base/fd.h"
#include "tests/tools/gateway_description.h"

namespace {

using namespace server::gateway;

int fail(const std::string& what) {
  fprintf(stderr, "gateway_only: %s\n", what.c_str());
  return 1;
}

bool publish_file(Engine& engine, const char* path) {
  auto text = base::read_file(path);
  if (!text.ok()) return fail(text.error().message), false;
  auto table = gateway_test::parse_description(*text);
  if (!table.ok()) return fail(table.error().message), false;
  auto done = std::make_shared<std::promise<std::vector<std::string>>>();
  engine.publish(*table, [done](std::vector<std::string> problems) { done->set_value(std::move(problems)); });
  std::vector<std::string> problems = done->get_future().get();
  for (const std::string& problem : problems) fail(problem);
  if (!problems.empty()) return false;
  printf("%s\n", nlohmann::json(engine.ports()).dump().c_str());
  fflush(stdout);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const char* path = nullptr;
  EngineOptions options;
  options.addresses = {base::Ip::v4(127, 0, 0, 1)};
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) options.threads = atoi(argv[++i]);
    else if (path == nullptr && argv[i][0] != '-') path = argv[i];
    else return fail("usage: gateway_only FILE [--threads N]");
  }
  if (path == nullptr || options.threads < 1) return fail("usage: gateway_only FILE [--threads N]");
  // Before any thread starts, so that none of them takes the signals.
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGHUP, SIGTERM, SIGINT}) sigaddset(&signals, number);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  base::Fd told(signalfd(-1, &signals, SFD_CLOEXEC));

  auto engine = Engine::start(std::move(options));
  if (!engine.ok()) return fail(engine.error().message);
  if (!publish_file(**engine, path)) return 1;
  for (;;) {
    pollfd wait[] = {{told.get(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    if (poll(wait, 2, -1) < 0) continue;
    signalfd_siginfo info;
    if ((wait[0].revents & POLLIN) != 0 && read(told.get(), &info, sizeof info) == sizeof info) {
      if (info.ssi_signo != SIGHUP) return 0;
      publish_file(**engine, path);
    }
    char buffer[256];
    if (wait[1].revents != 0 && read(STDIN_FILENO, buffer, sizeof buffer) <= 0) return 0;
  }
}
