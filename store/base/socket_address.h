// store/base/socket_address.h - base::Ip and port as the kernel wants them, and back. Pure but for local_address().
#pragma once

#include <sys/socket.h>

#include "store/base/ip.h"

namespace base {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);  // Room for the kernel to write an address into, or the size of the one there is.
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }

  // REQUIRES an address of IPv4 or IPv6. A client of IPv4 on a socket of both families has its IPv4 address.
  Ip ip() const;
  uint16_t port() const;
};
SocketAddress socket_address(const Ip& ip, uint16_t port);
// What a socket is bound to. 0.0.0.0 port 0: it has no address.
SocketAddress local_address(int fd);

}  // namespace base
