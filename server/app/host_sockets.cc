#include "server/app/host_sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <sstream>
#include <vector>

#include "store/base/socket_address.h"


namespace server {
namespace {

using publish::HostPort;

constexpr size_t kMaxOpen = 512;
constexpr size_t kMaxRequest = 256;
constexpr int kTries = 16;

// A TCP socket keeps its port over shutdown() only when the port was asked for by number (SOCK_BINDPORT_LOCK).
base::Result<uint16_t> bound_port(int fd) {
  const uint16_t port = base::local_address(fd).port();
  if (port == 0) return base::os_error("getsockname");
  return port;
}

base::Error explain(const HostPort& host, int error) {
  if (error == EADDRINUSE) return base::Error(base::Code::kConflict, host.text() + " is in use on this machine: choose another port, or 0 for any that is free");
  if (error == EACCES) {
    const std::string port = std::to_string(host.port);
    return base::Error(base::Code::kForbidden, host.text() + " needs privileges: choose a port from 1024, or allow it with 'sudo sysctl -w net.ipv4.ip_unprivileged_port_start=" + port + "'");
  }
  if (error == EADDRNOTAVAIL || error == EAFNOSUPPORT) return base::Error(base::Code::kInvalid, host.text() + ": this machine has no such address");
  return base::os_error("open " + host.text(), error);
}

base::Result<base::Fd> bind_socket(const HostPort& host) {
  const bool udp = host.protocol == model::Protocol::kUdp;
  base::Fd fd(::socket(host.ip.is_v4() ? AF_INET : AF_INET6, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
  if (!fd) return explain(host, errno);
  int on = 1;
  // Connections of an earlier run may linger. For UDP it would let two programs share the port.
  if (!udp) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!host.ip.is_v4()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  const base::SocketAddress address = base::socket_address(host.ip, host.port);
  if (::bind(fd.get(), address.get(), address.size) != 0) return explain(host, errno);
  return fd;
}

// Binding alone succeeds beside another socket that merely has the port bound with reuse; who may listen, has it.
base::Status check_free(const base::Fd& fd, const HostPort& host) {
  if (host.protocol == model::Protocol::kUdp) return {};
  if (::listen(fd.get(), 1) != 0) return explain(host, errno);
  ::shutdown(fd.get(), SHUT_RDWR);  // Bound, not listening; nobody could have connected in the backlog of 1 and been served.
  return {};
}

base::Result<HostPorts::Opened> open_socket(const HostPort& wished) {
  HostPort host = wished;
  for (int i = 0;; ++i) {
    if (wished.port == 0) {
      host.port = 0;
      base::Fd chosen = TRY(bind_socket(host));
      host.port = TRY(bound_port(chosen.get()));
    }
    base::Result<base::Fd> fd = bind_socket(host);
    base::Status free = fd.ok() ? check_free(*fd, host) : base::Status(fd.error());
    if (free.ok()) return HostPorts::Opened{std::move(fd).value(), host.port};
    if (wished.port != 0 || i >= kTries) return std::move(free).error();
  }
}

std::string render(const base::Error& error) { return std::string("error ") + base::reason(error.code) + " " + error.message; }

base::Error parse_error(const std::string& rest) {
  const size_t space = std::min(rest.find(' '), rest.size());
  const std::string reason = rest.substr(0, space), message = rest.substr(std::min(space + 1, rest.size()));
  for (base::Code code : {base::Code::kConflict, base::Code::kForbidden, base::Code::kInvalid, base::Code::kTooManyRequests, base::Code::kBadRequest}) {
    if (reason == base::reason(code)) return base::Error(code, message);
  }
  return base::Error(base::Code::kInternal, message);
}

std::string render_request(const char* verb, const HostPort& host) {
  return std::string(verb) + " " + model::protocol_text(host.protocol) + " " + host.ip.text() + " " + std::to_string(host.port);
}

class KeeperClient final : public HostPorts {
 public:
  explicit KeeperClient(base::Fd channel) : channel_(std::move(channel)) {}

  base::Result<Opened> open(const HostPort& host) override {
    std::lock_guard lock(mutex_);
    TRY_STATUS(base::send_with_fds(channel_.get(), render_request("open", host), {}));
    base::Received answer = TRY(base::receive_with_fds(channel_.get(), 4096));
    if (answer.data.starts_with("error ")) return parse_error(answer.data.substr(6));
    if (!answer.data.starts_with("ok ") || answer.fds.size() != 1) return base::Error(base::Code::kUnavailable, "the keeper process outside the cluster is gone");
    return Opened{std::move(answer.fds[0]), static_cast<uint16_t>(std::atoi(answer.data.c_str() + 3))};
  }

  void closed(const HostPort& host) override {
    std::lock_guard lock(mutex_);
    base::ignore(base::send_with_fds(channel_.get(), render_request("closed", host), {}), "it only counts");
  }

 private:
  std::mutex mutex_;
  const base::Fd channel_;
};

}  // namespace

std::unique_ptr<HostPorts> make_host_ports(base::Fd channel) { return std::make_unique<KeeperClient>(std::move(channel)); }

std::string HostSocketServer::answer(const std::string& request, base::Fd* socket) {
  std::istringstream words(request);
  std::string verb, protocol, ip_text, rest;
  unsigned port = 65536;
  words >> verb >> protocol >> ip_text >> port;
  HostPort host;
  base::Result<base::Ip> ip = base::Ip::parse(ip_text);
  if (words.fail() || (words >> rest) || port > 65535 || (protocol != "tcp" && protocol != "udp") || !ip.ok()) return render(base::Error(base::Code::kBadRequest, "malformed request for a host socket"));
  host.ip = *ip;
  host.port = static_cast<uint16_t>(port);
  host.protocol = protocol == "udp" ? model::Protocol::kUdp : model::Protocol::kTcp;
  if (verb == "closed") {
    open_.erase(host);
    return "";
  }
  const bool loopback = ip->is_v4() ? ip->bytes()[0] == 127 : ip_text == "::1";
  if (verb != "open" || !loopback) return render(base::Error(base::Code::kForbidden, "only loopback addresses are opened on the host"));
  if (open_.size() >= kMaxOpen) return render(base::Error(base::Code::kTooManyRequests, "too many sockets are open on the host"));
  base::Result<HostPorts::Opened> opened = open_socket(host);
  if (!opened.ok()) return render(opened.error());
  host.port = opened->port;
  open_.insert(host);
  *socket = std::move(opened->fd);
  return "ok " + std::to_string(host.port);
}

void HostSocketServer::serve() {
  base::Result<base::Received> request = base::receive_with_fds(channel_.get(), kMaxRequest);
  if (request.ok() && request->data.empty() && request->fds.empty()) {
    channel_.reset();  // The daemon is gone.
    return;
  }
  base::Fd socket;
  std::string text = request.ok() ? answer(request->data, &socket) : render(base::Error(base::Code::kBadRequest, request.error().message));
  if (text.empty()) return;
  std::vector<int> fds;
  if (socket) fds.push_back(socket.get());
  if (!base::send_with_fds(channel_.get(), text, fds).ok()) channel_.reset();
}

}  // namespace server
