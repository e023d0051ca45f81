// server/publish/address.h - base::Ip and port as the kernel wants them. Pure.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "store/base/ip.h"

namespace server::publish {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

inline SocketAddress socket_address(const base::Ip& ip, uint16_t port) {
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

}  // namespace server::publish
