// server/publish/spec.h - one published port as the user writes it:
//
//   [HOST-IP:]HOSTPORT:TARGET[/udp]      8080:svc/web:80   127.0.0.2:0:lb/shop/web:http   [::1]:5353:node-1:30053/udp
//
// TARGET is a node port (30080, :30080, node-1:30080), a Service's cluster IP (svc/[NS/]NAME:PORT), a Service's load
// balancer address (lb/[NS/]NAME:PORT), an address inside the cluster (10.96.0.7:80, [fd00::7]:80), or NAME:PORT, which
// is a node port when a node has that name and else a Service of the namespace "default". PORT of svc and lb is a
// number or the port's name. Pure; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/model/service.h"
#include "store/base/ip.h"
#include "store/base/result.h"

namespace server::publish {

enum class TargetKind : uint8_t { kNodePort, kService, kLoadBalancer, kName, kAddress };

struct Target {
  TargetKind kind = TargetKind::kNodePort;
  std::string ns;     // Of a Service.
  std::string name;   // Of a Service or node; empty: the first node.
  base::Ip address;   // kAddress
  std::string port;   // 1 to 65535, or a name where `kind` is one of a Service's.
  bool operator==(const Target&) const = default;
};

// A socket on the host. Ordered as it is listed.
struct HostPort {
  base::Ip ip = base::Ip::v4(127, 0, 0, 1);
  uint16_t port = 0;  // 0: any that is free.
  model::Protocol protocol = model::Protocol::kTcp;
  auto operator<=>(const HostPort&) const = default;
  std::string text() const;  // "127.0.0.1:8080", "[::1]:53/udp"
};

struct Spec {
  HostPort host;
  Target target;
  bool operator==(const Spec&) const = default;
};

// kInvalid, in one sentence that quotes `text`: not of the form above, or a host address that is not a loopback one.
base::Result<Spec> parse_spec(std::string_view text);
// "8080", "127.0.0.1:8080/udp", "[::1]:8080". kInvalid likewise.
base::Result<HostPort> parse_host_port(std::string_view text);
// The long form; parse_spec() of it gives the same Spec.
std::string render_spec(const Spec& spec);
std::string render_target(const Spec& spec);

}  // namespace server::publish
