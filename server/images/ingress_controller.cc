// The image of the ingress controller. What it would do, the daemon does inside the pod's network (server/gateway); this
// process stands for it: it lives as long as the pod does, and ends once those who are connected have what they asked for.
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "server/images/builtins.h"

namespace server::images {
namespace {

constexpr timespec kLook{0, 50'000'000};
constexpr int kMostLooks = 200;  // Ten seconds: less than the usual grace period.
constexpr unsigned kEstablished = 1, kListening = 10;

std::string read_all(const char* path) {
  std::string out;
  int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return out;
  char buffer[65536];
  for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;) out.append(buffer, static_cast<size_t>(n));
  ::close(fd);
  return out;
}

struct ConnectionRow {
  unsigned port;
  unsigned state;
};

// "   0: 0100007F:1F90 00000000:0000 0A ...": the local port and the state, in hexadecimal.
std::vector<ConnectionRow> parse_connections(const std::string& text) {
  std::vector<ConnectionRow> out;
  for (size_t at = text.find('\n'); at != std::string::npos && at + 1 < text.size(); at = text.find('\n', at + 1)) {
    const std::string line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
    const size_t number = line.find(": ");
    const size_t colon = number == std::string::npos ? number : line.find(':', number + 2);
    const size_t remote = colon == std::string::npos ? colon : line.find(' ', colon);
    const size_t state = remote == std::string::npos ? remote : line.find(' ', remote + 1);
    if (state == std::string::npos) continue;
    out.push_back({static_cast<unsigned>(std::strtoul(line.c_str() + colon + 1, nullptr, 16)), static_cast<unsigned>(std::strtoul(line.c_str() + state, nullptr, 16))});
  }
  return out;
}

bool anyone_connected() {
  std::vector<ConnectionRow> rows = parse_connections(read_all("/proc/self/net/tcp"));
  for (const ConnectionRow& row : parse_connections(read_all("/proc/self/net/tcp6"))) rows.push_back(row);
  std::set<unsigned> served;
  for (const ConnectionRow& row : rows) {
    if (row.state == kListening) served.insert(row.port);
  }
  for (const ConnectionRow& row : rows) {
    if (row.state == kEstablished && served.contains(row.port)) return true;
  }
  return false;
}

}  // namespace

int ingress_controller_main(const std::vector<std::string>&) {
  const sigset_t set = wait_to_be_ended();
  // Asked twice: at once.
  for (int i = 0; i < kMostLooks && anyone_connected(); ++i) {
    if (sigtimedwait(&set, nullptr, &kLook) > 0) break;
  }
  return 0;
}

}  // namespace server::images
