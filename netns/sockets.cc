// Sockets made on a Worker (see fabric.h): they belong for life to the namespace of the thread that makes them.
#include <netinet/in.h>
#include <sys/socket.h>

#include "store/base/socket_address.h"

#include "netns/fabric.h"

namespace netns {
namespace {

base::Result<base::Fd> make_bound(const base::Ip& address, uint16_t port, int type) {
  const std::string what = address.text() + " port " + std::to_string(port);
  base::Fd fd(::socket(address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
  if (!fd) return base::os_error("open a socket for " + what);
  int on = 1;
  if (type == SOCK_STREAM) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // "::" means IPv6 alone: the IPv4 side is a socket of its own, in every namespace alike.
  if (!address.is_v4()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  const base::SocketAddress to = base::socket_address(address, port);
  if (::bind(fd.get(), to.get(), to.size) != 0) return base::os_error("bind " + what);
  return fd;
}

}  // namespace

base::Result<base::Fd> make_tcp_listener(const base::Ip& address, uint16_t port, int backlog) {
  base::Fd fd = TRY(make_bound(address, port, SOCK_STREAM));
  if (::listen(fd.get(), backlog) != 0) return base::os_error("listen on " + address.text() + " port " + std::to_string(port));
  return fd;
}

base::Result<base::Fd> make_udp_socket(const base::Ip& address, uint16_t port) { return make_bound(address, port, SOCK_DGRAM); }

}  // namespace netns
