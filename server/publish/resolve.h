// server/publish/resolve.h - where a published port leads right now, or what it waits for. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/publish/spec.h"
#include "store/base/ip.h"
#include "store/object/object.h"

namespace server::publish {

// The namespace that connections are made from. A node's sees cluster IPs (its rules translate them) and pods; the
// fabric's is outside the cluster, on the nodes' network, as a real client of a node port or load balancer is.
enum class From : uint8_t { kNode, kFabric };

struct Destination {
  From from = From::kNode;
  base::Ip ip;
  uint16_t port = 0;
  bool operator==(const Destination&) const = default;
  std::string text() const;  // "10.96.0.7:80"
};

struct Resolution {
  std::optional<Destination> to;
  std::string waiting_for;  // Without `to`: "no service default/web".
  bool operator==(const Resolution&) const = default;
};

struct NodeAddress {
  std::string name;
  base::Ip ip;
};
// What names and addresses mean. `nodes` is not empty.
struct World {
  std::vector<NodeAddress> nodes;
  std::vector<base::Cidr> inside;  // Of Services and pods: reached from a node.
  std::function<const store::Object*(const std::string& ns, const std::string& name)> find_service;
};

Resolution resolve(const Spec& spec, const World& world);
// True if resolve(spec) looks at this Service.
bool concerns(const Spec& spec, const std::string& ns, const std::string& name);

}  // namespace server::publish
