// netns/fabric.h - the cluster's network: a fabric namespace with the underlay bridge, one namespace a node,
// the `client` namespace outside, and pods on routed veths. Plan structs are plain data; apply is rtnetlink
// in batches and idempotent. Knows nothing of Kubernetes.
//
//   fabric: br0 172.30.0.1/16 --- node-N eth0 --- pod veths (no bridge: /32 routes)
//                              \- client eth0
//
// Thread rule: Fabric and Node methods may be called from any one control thread; work runs on the
// namespace's Worker. Completion callbacks run on that Worker's thread: post them on.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "netns/ns/namespace.h"
#include "netns/ns/worker.h"
#include "store/base/fd.h"
#include "store/base/ip.h"
#include "store/base/result.h"

namespace netns {

struct NodePlan {
  std::string name;                    // "node-1"
  base::Ip address;                    // 172.30.0.11, on eth0
  base::Cidr pod_cidr;                 // 10.244.1.0/24
  std::vector<base::Ip> local_ips;     // Extra host addresses on lo: the DNS service address.
  // The other family's, in the order of FabricPlan::more.
  std::vector<base::Ip> more_addresses;
  std::vector<base::Cidr> more_pod_cidrs;

  const base::Ip& address_of(size_t family) const { return family == 0 ? address : more_addresses[family - 1]; }
  const base::Cidr& pod_cidr_of(size_t family) const { return family == 0 ? pod_cidr : more_pod_cidrs[family - 1]; }
};
// The address families are numbered: 0 is the one named first, and another may follow.
struct FabricPlan {
  struct Family {
    base::Cidr underlay;
    base::Ip gateway, client_address;
  };
  base::Cidr underlay;                 // 172.30.0.0/16
  base::Ip gateway;                    // 172.30.0.1, on the bridge
  base::Ip client_address;             // 172.30.0.2
  std::vector<NodePlan> nodes;
  std::vector<base::Cidr> via_nodes;   // Routes in fabric and client towards node-1: none by default.
  std::vector<Family> more;            // One at the most, of the other family.

  size_t families() const { return 1 + more.size(); }
  Family family(size_t i) const { return i == 0 ? Family{underlay, gateway, client_address} : more[i - 1]; }
  bool has_ipv6() const { return !underlay.address().is_v4() || !more.empty(); }
};

struct PodPlan {
  std::string id;                      // Unique; the host end of the veth is named from it.
  std::string hostname;
  base::Ip address;                    // 10.244.1.5
  std::vector<base::Ip> more;          // Of the other family.
};

class Nft;

class Node {
 public:
  virtual ~Node() = default;
  virtual const NodePlan& plan() const = 0;
  virtual Worker& worker() = 0;
  virtual const base::Fd& net() const = 0;
  // nftables of this node. Use on worker() only.
  virtual Nft& nft() = 0;
  // Makes a sandbox wired to this node: lo and eth0 up, address, default route, host route. `done` runs on
  // the worker's thread. Callers may queue many; they are batched.
  virtual void attach(PodPlan plan, std::function<void(base::Result<Sandbox>)> done) = 0;
  // Forgets the pod's route; closing the Sandbox' descriptors and ending its processes frees the rest.
  virtual void detach(const std::string& id) = 0;
};

class Fabric {
 public:
  static base::Result<std::unique_ptr<Fabric>> create(const FabricPlan& plan);
  virtual ~Fabric() = default;
  virtual const FabricPlan& plan() const = 0;
  virtual Node* find_node(const std::string& name) = 0;  // nullptr if none. Owned by the Fabric.
  virtual std::vector<Node*> nodes() = 0;
  virtual Worker& fabric_worker() = 0;     // In the fabric namespace: the in-cluster API socket is made here.
  // Routes in the client's and the fabric's own namespace to addresses that nodes take: address -> the nodes' addresses,
  // each connection by one of them. All that there are; what is left out goes. Returns at once; `done` runs on a Worker's
  // thread once both namespaces have them.
  using OutsideRoutes = std::map<base::Ip, std::vector<base::Ip>>;
  virtual void set_outside_routes(OutsideRoutes routes, std::function<void(base::Status)> done) = 0;
  virtual const base::Fd& client_net() const = 0;
  virtual const base::Fd& fabric_net() const = 0;
};

// Sockets made on a Worker, used anywhere afterwards.
base::Result<base::Fd> make_tcp_listener(const base::Ip& address, uint16_t port, int backlog);
base::Result<base::Fd> make_udp_socket(const base::Ip& address, uint16_t port);

}  // namespace netns
