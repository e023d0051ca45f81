// A small nc, for hosts without one: what tests and tutorials do with it. Options and messages are the OpenBSD one's.
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "server/images/agnhost.h"
#include "server/images/go_text.h"
#include "server/images/toolbox.h"

namespace server::images {
namespace {

struct Options {
  bool listen = false, keep = false, udp = false, verbose = false, only_connect = false;
  int wait = 0;           // Seconds; 0: no end.
  int quit = -1;          // Seconds after the end of the input; -1: when the other side closes.
  std::string source_port;
  std::string host, port;
  std::string problem;
};

// -lvp 80 and -l -v -p80 alike.
Options parse(const std::vector<std::string>& argv) {
  Options options;
  std::vector<std::string> words;
  for (size_t i = 1; i < argv.size() && options.problem.empty(); ++i) {
    const std::string& arg = argv[i];
    if (arg.size() < 2 || arg[0] != '-') {
      words.push_back(arg);
      continue;
    }
    for (size_t k = 1; k < arg.size(); ++k) {
      const char c = arg[k];
      if (c == 'l') options.listen = true;
      else if (c == 'k') options.keep = true;
      else if (c == 'u') options.udp = true;
      else if (c == 'v') options.verbose = true;
      else if (c == 'z') options.only_connect = true;
      else if (c == '4' || c == '6' || c == 'n' || c == 't' || c == 'N') continue;  // What happens anyway.
      else if (c == 'w' || c == 'p' || c == 'q') {
        std::string value = arg.substr(k + 1);
        if (value.empty() && i + 1 < argv.size()) value = argv[++i];
        std::optional<int> number = parse_go_int(value);
        if (!number || *number < 0) options.problem = std::string("option requires a number -- '") + c + "'";
        else if (c == 'p') options.source_port = value;
        else (c == 'w' ? options.wait : options.quit) = *number;
        break;
      } else {
        options.problem = std::string("invalid option -- '") + c + "'";
        break;
      }
    }
  }
  if (options.listen && words.size() == 1 && options.source_port.empty()) words.insert(words.begin(), "");
  if (options.listen && words.size() == 1) options.host = words[0];
  if (words.size() == 2) {
    options.host = words[0];
    options.port = words[1];
  }
  if (options.listen && options.port.empty()) options.port = options.source_port;
  if (options.problem.empty() && (words.size() > 2 || options.port.empty())) options.problem = "a host and a port are needed";
  return options;
}

int fail_nc(const std::string& text) {
  std::fprintf(stderr, "nc: %s\n", text.c_str());
  return 1;
}

bool send_all(int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t n = ::send(fd, data, size, MSG_NOSIGNAL);
    pollfd poll_fd{fd, POLLOUT, 0};
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      ::poll(&poll_fd, 1, 1000);
      continue;
    }
    if (n < 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

// Standard input to the socket and back, until the other side closes or nothing comes for the time that was given.
int relay(int fd, const Options& options) {
  char buffer[16 * 1024];
  pollfd fds[2] = {{fd, POLLIN, 0}, {0, POLLIN, 0}};
  for (;;) {
    int wait = fds[1].fd < 0 && options.quit >= 0 ? options.quit * 1000 : options.wait > 0 ? options.wait * 1000 : -1;
    int n = ::poll(fds, 2, wait);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    if (fds[0].revents != 0) {
      ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got < 0 && errno != EAGAIN && errno != EINTR) return options.udp ? 1 : 0;
      if (got == 0 && !options.udp) return 0;
      if (got > 0 && !base::write_all(1, buffer, static_cast<size_t>(got)).ok()) return 0;
    }
    if (fds[1].fd >= 0 && fds[1].revents != 0) {
      ssize_t got = ::read(0, buffer, sizeof buffer);
      if (got > 0 && !send_all(fd, buffer, static_cast<size_t>(got))) return 1;
      if (got > 0) continue;
      fds[1].fd = -1;
      if (!options.udp) ::shutdown(fd, SHUT_WR);
    }
  }
}

int serve(const Options& options) {
  std::optional<int> port = parse_go_int(options.port);
  if (!port || *port < 0 || *port > 65535) return fail_nc("port number invalid: " + options.port);
  const std::string host = options.host == "0.0.0.0" || options.host == "::" ? "" : options.host;
  base::Result<base::Fd> opened = open_listener(options.udp ? Transport::kUdp : Transport::kTcp, {host, static_cast<uint16_t>(*port)});
  if (!opened.ok()) return fail_nc(opened.error().message);
  const int fd = opened->get();
  if (options.verbose) std::fprintf(stderr, "Listening on %s %s\n", options.host.empty() ? "0.0.0.0" : options.host.c_str(), options.port.c_str());
  for (;;) {
    pollfd poll_fd{fd, POLLIN, 0};
    if (::poll(&poll_fd, 1, -1) < 0) continue;
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    char first = 0;
    if (options.udp) {
      // The first to speak is the one that is spoken with.
      if (::recvfrom(fd, &first, 1, MSG_PEEK, reinterpret_cast<sockaddr*>(&peer), &size) < 0) continue;
      if (::connect(fd, reinterpret_cast<sockaddr*>(&peer), size) != 0) return fail_nc("connect: " + std::string(std::strerror(errno)));
      return relay(fd, options);
    }
    base::Fd connection(::accept4(fd, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
    if (!connection) continue;
    if (options.verbose) std::fprintf(stderr, "Connection received on %s\n", endpoint_text(peer).c_str());
    int code = relay(connection.get(), options);
    if (!options.keep) return code;
  }
}

}  // namespace

int nc_main(const std::vector<std::string>& argv) {
  ::signal(SIGPIPE, SIG_IGN);
  Options options = parse(argv);
  if (!options.problem.empty()) {
    return fail_nc(options.problem + "\nusage: nc [-lkuvznt46N] [-p port] [-q seconds] [-w seconds] [host] port   (kubelan's own; install netcat-openbsd on this machine for more)");
  }
  if (options.listen) return serve(options);
  const Transport transport = options.udp ? Transport::kUdp : Transport::kTcp;
  const char* protocol = options.udp ? "udp" : "tcp";
  base::Result<Endpoint> to = resolve_endpoint(options.host, options.port, transport);
  if (!to.ok()) return fail_nc("getaddrinfo for host \"" + options.host + "\" port " + options.port + ": Name or service not known");
  base::Fd fd;
  uint16_t source = static_cast<uint16_t>(parse_go_int(options.source_port).value_or(0));
  if (auto error = connect_endpoint(transport, *to, std::chrono::seconds(options.wait), fd, source)) {
    if (!options.verbose && error->kind != DialError::Kind::kOther) return 1;  // As quiet as the original.
    const char* why = error->kind == DialError::Kind::kTimeout ? "Operation timed out" : error->kind == DialError::Kind::kRefused ? "Connection refused" : error->text.c_str();
    return fail_nc("connect to " + options.host + " port " + options.port + " (" + protocol + ") failed: " + why);
  }
  if (options.verbose) std::fprintf(stderr, "Connection to %s %s port [%s/*] succeeded!\n", options.host.c_str(), options.port.c_str(), protocol);
  return options.only_connect ? 0 : relay(fd.get(), options);
}

}  // namespace server::images
