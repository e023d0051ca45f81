// netns/node.h - one node's namespace and the pods wired to it. Internal to netns; see Node in fabric.h.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>

#include "netns/fabric.h"
#include "netns/link/rtnl.h"
#include "netns/nft/nft.h"

namespace netns {

// One MAC for the node's end of every pod link, so that a pod's neighbour entry for its gateway is known beforehand.
inline constexpr uint8_t kGatewayMac[6] = {0x02, 0x6b, 0xee, 0xee, 0xee, 0xee};

class NodeImpl final : public Node {
 public:
  // `net` is fresh; its eth0 is made by the fabric afterwards.
  static base::Result<std::unique_ptr<NodeImpl>> make(const NodePlan& plan, base::Fd net);
  ~NodeImpl() override;

  // On the worker. Before eth0 exists: settings that new links inherit.
  base::Status prepare(bool ipv6);
  // On the worker. After eth0 exists: addresses and routes.
  base::Status configure(const FabricPlan& fabric);

  const NodePlan& plan() const override { return plan_; }
  Worker& worker() override { return *worker_; }
  const base::Fd& net() const override { return net_; }
  Nft& nft() override;
  void attach(PodPlan plan, std::function<void(base::Result<Sandbox>)> done) override;
  void detach(const std::string& id) override;

 private:
  struct Attaching {
    PodPlan plan;
    std::function<void(base::Result<Sandbox>)> done;
    base::Result<Sandbox> sandbox = base::Error();
    std::optional<Rtnl> rtnl;  // Inside the pod.
    int index = 0;             // Of the node's end.
  };
  struct Attached {
    std::vector<base::Ip> addresses;
    int index = 0;
  };
  NodeImpl(const NodePlan& plan, base::Fd net) : plan_(plan), net_(std::move(net)) {}

  // Worker thread.
  void attach_batch();
  void detach_batch();
  base::Result<Sandbox> make_pod_namespaces(Attaching& pod);
  void wire_node_side(std::vector<Attaching>& pods);
  base::Status wire_pod_side(Attaching& pod);
  int take_index();

  const NodePlan plan_;
  base::Fd net_;
  std::optional<Rtnl> rtnl_;                  // Worker's, as all down to pods_.
  std::unique_ptr<Nft> nft_;
  int next_index_;
  std::map<std::string, Attached> pods_;
  std::mutex mutex_;                          // Guards the two queues.
  std::deque<Attaching> attach_queue_;
  std::deque<std::string> detach_queue_;
  std::unique_ptr<Worker> worker_;            // Last: joined before the rest goes.
};

}  // namespace netns
