#include "store/base/socket_address.h"

#include <netinet/in.h>

#include <cstring>

namespace base {

SocketAddress socket_address(const Ip& ip, uint16_t port) {
  SocketAddress out;
  if (ip.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    std::memcpy(&v4->sin_addr, ip.bytes(), 4);
    out.size = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    std::memcpy(&v6->sin6_addr, ip.bytes(), 16);
    out.size = sizeof *v6;
  }
  return out;
}

SocketAddress local_address(int fd) {
  SocketAddress out;
  if (::getsockname(fd, out.get(), &out.size) != 0) return socket_address(Ip(), 0);
  return out;
}

Ip SocketAddress::ip() const {
  if (storage.ss_family == AF_INET) return Ip::v4(ntohl(reinterpret_cast<const sockaddr_in&>(storage).sin_addr.s_addr));
  const in6_addr& address = reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
  std::array<uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &address, 16);
  return IN6_IS_ADDR_V4MAPPED(&address) ? Ip::v4(bytes[12], bytes[13], bytes[14], bytes[15]) : Ip::v6(bytes);
}

uint16_t SocketAddress::port() const {
  return ntohs(storage.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in&>(storage).sin_port : reinterpret_cast<const sockaddr_in6&>(storage).sin6_port);
}

}  // namespace base
