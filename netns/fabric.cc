#include "netns/fabric.h"

#include <linux/rtnetlink.h>

#include "netns/link/messages.h"
#include "netns/link/rtnl.h"
#include "netns/nft/nft.h"
#include "netns/node.h"
#include "netns/ns/sysctl.h"

namespace netns {
namespace {

constexpr int kBridgeIndex = 10;
constexpr uint8_t kOwnTrafficTable = 100;

// The fabric forwards only in order to answer: a packet to the outside is rejected and its sender gets "no route to
// host", where without forwarding it would wait for a time-out.
const std::vector<Sysctl> kFabricSettings = {
    {"net/ipv4/ip_forward", "1", true},
    {"net/ipv4/conf/all/rp_filter", "0", true},
    {"net/ipv4/conf/default/rp_filter", "0", true},
    {"net/ipv4/conf/all/send_redirects", "0", false},
    {"net/ipv4/conf/default/send_redirects", "0", false},
    {"net/ipv4/icmp_ratemask", "0", false},
    // A connection keeps to the node it began with.
    {"net/ipv4/fib_multipath_hash_policy", "1", false},
    {"net/ipv6/fib_multipath_hash_policy", "1", false},
    // Where br_netfilter is loaded, bridged packets would go through the chain below.
    {"net/bridge/bridge-nf-call-iptables", "0", false},
    {"net/bridge/bridge-nf-call-ip6tables", "0", false},
    {"net/ipv4/ip_unprivileged_port_start", "0", false},
    {"net/ipv4/ping_group_range", "0 0", false},
    {"net/ipv4/ping_group_range", "0 2147483647", false},
};
const std::vector<Sysctl> kClientSettings = {
    {"net/ipv4/conf/all/rp_filter", "0", true},
    {"net/ipv4/conf/default/rp_filter", "0", true},
    {"net/ipv4/conf/all/accept_redirects", "0", false},
    // A connection keeps to the node it began with.
    {"net/ipv4/fib_multipath_hash_policy", "1", false},
    {"net/ipv6/fib_multipath_hash_policy", "1", false},
    {"net/ipv4/conf/default/accept_redirects", "0", false},
    {"net/ipv4/ip_unprivileged_port_start", "0", false},
    {"net/ipv4/ping_group_range", "0 0", false},
    {"net/ipv4/ping_group_range", "0 2147483647", false},
};
const std::vector<Sysctl> kClientLinkSettings = {
    {"net/ipv4/neigh/eth0/retrans_time_ms", "100", false},  // See node.cc.
    {"net/ipv6/neigh/eth0/retrans_time_ms", "100", false},
};
const std::vector<Sysctl> kSingleStack = {{"net/ipv6/conf/default/disable_ipv6", "1", false}};
const std::vector<Sysctl> kIpv6 = {
    {"net/ipv6/conf/all/forwarding", "1", true},
    {"net/ipv6/conf/default/accept_dad", "0", false},
    {"net/ipv6/conf/default/accept_ra", "0", false},
};
const std::vector<Sysctl> kClientIpv6 = {
    {"net/ipv6/conf/default/accept_dad", "0", false},
    {"net/ipv6/conf/default/accept_ra", "0", false},
};

// The bridge's port is named after the node where the name fits.
std::string port_name(const std::string& node, int index) { return node.size() <= 15 ? node : "port" + std::to_string(index); }

// Not an `unreachable` route: the kernel answers for one of those five times, then once a second (route/error_cost,
// which a user namespace cannot change).
constexpr char kRejectForwarded[] = R"(table inet fabric {
  chain forward {
    type filter hook forward priority filter;
    reject with icmpx type host-unreachable
  }
}
)";

class FabricImpl final : public Fabric {
 public:
  explicit FabricImpl(const FabricPlan& plan) : plan_(plan) {}

  base::Status build();

  const FabricPlan& plan() const override { return plan_; }
  Node* find_node(const std::string& name) override {
    for (auto& node : nodes_) {
      if (node->plan().name == name) return node.get();
    }
    return nullptr;
  }
  std::vector<Node*> nodes() override {
    std::vector<Node*> out;
    for (auto& node : nodes_) out.push_back(node.get());
    return out;
  }
  Worker& fabric_worker() override { return *fabric_worker_; }
  void set_outside_routes(OutsideRoutes routes, std::function<void(base::Status)> done) override;
  const base::Fd& client_net() const override { return client_net_; }
  const base::Fd& fabric_net() const override { return fabric_net_; }

 private:
  base::Status make_namespaces();
  base::Status configure_fabric();
  base::Status configure_client();

  const FabricPlan plan_;
  base::Fd fabric_net_;
  base::Fd client_net_;
  std::vector<std::unique_ptr<NodeImpl>> nodes_;
  OutsideRoutes client_routes_, fabric_routes_;  // What there is: each its worker's.
  std::unique_ptr<Worker> fabric_worker_;
  std::unique_ptr<Worker> client_worker_;  // Last: joined first, as it posts to the fabric's.
};

// On a worker. What cannot be set is left out, and tried again with the next change.
base::Status change_routes(const Fabric::OutsideRoutes& wanted, int device, uint8_t table, Fabric::OutsideRoutes& current) {
  Rtnl rtnl = TRY(Rtnl::open());
  auto make = [&](const base::Ip& to, const std::vector<base::Ip>& via) {
    return Route{.to = base::Cidr::host(to), .via = via, .device = device, .table = table};
  };
  Batch batch;
  for (const auto& [to, via] : current) {
    if (!wanted.contains(to)) delete_route(batch, make(to, {}));
  }
  for (const auto& [to, via] : wanted) {
    auto had = current.find(to);
    if (had == current.end() || had->second != via) add_route(batch, make(to, via));
  }
  current = wanted;
  if (batch.empty()) return {};
  base::Status status = rtnl.apply(batch);
  if (!status.ok()) current.clear();
  return status;
}

void FabricImpl::set_outside_routes(OutsideRoutes routes, std::function<void(base::Status)> done) {
  std::erase_if(routes, [](const auto& route) { return route.second.empty(); });
  client_worker_->post([this, routes, done = std::move(done)]() mutable {
    base::Status client = change_routes(routes, kEth0Index, RT_TABLE_MAIN, client_routes_);
    fabric_worker_->post([this, routes = std::move(routes), client = std::move(client), done = std::move(done)] {
      // The fabric passes nothing on: its own connections (published ports) are all that needs the way.
      base::Status fabric = change_routes(routes, kBridgeIndex, kOwnTrafficTable, fabric_routes_);
      done(client.ok() ? fabric : client);
    });
  });
}

base::Status FabricImpl::make_namespaces() {
  fabric_net_ = TRY(make_network_namespace());
  fabric_worker_ = TRY(Worker::start("fabric", fabric_net_));
  client_net_ = TRY(make_network_namespace());
  client_worker_ = TRY(Worker::start("client", client_net_));
  for (const NodePlan& node : plan_.nodes) {
    base::Fd net = TRY(make_network_namespace());
    nodes_.push_back(TRY(NodeImpl::make(node, std::move(net))));
  }
  return {};
}

// True where bridged packets are shown to the inet chains all the same.
bool bridged_packets_are_filtered() {
  base::Result<std::string> setting = base::read_file("/proc/sys/net/bridge/bridge-nf-call-iptables");
  return setting.ok() && setting->substr(0, 1) != "0";
}

// On the fabric worker. One batch: the bridge and a veth into every namespace.
base::Status FabricImpl::configure_fabric() {
  Rtnl rtnl = TRY(Rtnl::open());
  Batch batch;
  set_link_up(batch, kLoIndex);
  add_bridge(batch, "br0", kBridgeIndex, make_mac(plan_.gateway));
  base::Result<std::unique_ptr<Nft>> nft = Nft::open();
  const bool rejects = nft.ok() && !bridged_packets_are_filtered() && (*nft)->run(kRejectForwarded).ok();
  for (size_t i = 0; i < plan_.families(); ++i) {
    const FabricPlan::Family family = plan_.family(i);
    add_address(batch, kBridgeIndex, family.gateway, family.underlay.prefix_length(), RT_SCOPE_UNIVERSE);
    const base::Cidr outside = base::Cidr::everything(family.gateway.family());
    add_route(batch, {.to = outside, .device = rejects ? kBridgeIndex : 0, .unreachable = !rejects});
    add_route(batch, {.to = outside, .unreachable = true, .table = kOwnTrafficTable});
    // The bridge's own addresses: the table above is asked before the main one.
    add_route(batch, {.to = family.underlay, .device = kBridgeIndex, .table = kOwnTrafficTable});
  }
  int index = kFirstPortIndex;
  auto add_port = [&](const std::string& name, const base::Ip& address, const base::Fd& net) {
    // The port's own MAC never carries traffic; it differs from the peer's in one bit.
    Mac mac = make_mac(address);
    Mac port_mac = mac;
    port_mac[1] ^= 0x80;
    add_veth(batch, {.name = port_name(name, index), .index = index, .mac = port_mac, .master = kBridgeIndex, .peer_net = net.get(), .peer_mac = mac});
    ++index;
  };
  add_port("client", plan_.client_address, client_net_);
  for (auto& node : nodes_) add_port(node->plan().name, node->plan().address, node->net());
  // Answers to pods ("unreachable", the API's) find their way, but nothing is forwarded to them: from outside the
  // cluster a pod address must not work.
  for (size_t i = 0; i < plan_.families(); ++i) {
    add_own_traffic_rule(batch, plan_.family(i).gateway.family(), kOwnTrafficTable);
    for (const NodePlan& node : plan_.nodes) {
      add_route(batch, {.to = node.pod_cidr_of(i), .via = {node.address_of(i)}, .device = kBridgeIndex, .table = kOwnTrafficTable});
    }
  }
  if (!plan_.nodes.empty()) {
    for (const base::Cidr& to : plan_.via_nodes) add_route(batch, {.to = to, .via = {plan_.nodes[0].address}, .device = kBridgeIndex});
  }
  return rtnl.apply(batch);
}

// On the client worker.
base::Status FabricImpl::configure_client() {
  TRY_STATUS(write_sysctls(kClientLinkSettings));
  Rtnl rtnl = TRY(Rtnl::open());
  Batch batch;
  set_link_up(batch, kLoIndex);
  set_link_up(batch, kEth0Index);
  for (size_t i = 0; i < plan_.families(); ++i) {
    const FabricPlan::Family family = plan_.family(i);
    add_address(batch, kEth0Index, family.client_address, family.underlay.prefix_length(), RT_SCOPE_UNIVERSE);
    add_route(batch, {.to = base::Cidr::everything(family.gateway.family()), .via = {family.gateway}, .device = kEth0Index});
  }
  if (!plan_.nodes.empty()) {
    for (const base::Cidr& to : plan_.via_nodes) add_route(batch, {.to = to, .via = {plan_.nodes[0].address}, .device = kEth0Index});
  }
  return rtnl.apply(batch);
}

// Runs `fn` on each worker at the same time; the first failure is returned after all are done.
base::Status on_all(const std::vector<std::pair<Worker*, std::function<base::Status()>>>& jobs) {
  std::vector<std::future<base::Status>> pending;
  for (auto& [worker, fn] : jobs) {
    auto task = std::make_shared<std::packaged_task<base::Status()>>(fn);
    pending.push_back(task->get_future());
    worker->post([task] { (*task)(); });
  }
  base::Status first;
  for (auto& result : pending) {
    base::Status status = result.get();
    if (first.ok() && !status.ok()) first = std::move(status);
  }
  return first;
}

base::Status FabricImpl::build() {
  TRY_STATUS(make_namespaces());
  const bool ipv6 = plan_.has_ipv6();
  std::vector<std::pair<Worker*, std::function<base::Status()>>> jobs;
  // Settings first: links take over the values of `default` when they are made.
  jobs.emplace_back(fabric_worker_.get(), [ipv6]() -> base::Status {
    TRY_STATUS(write_sysctls(kFabricSettings));
    return write_sysctls(ipv6 ? kIpv6 : kSingleStack);
  });
  jobs.emplace_back(client_worker_.get(), [ipv6]() -> base::Status {
    TRY_STATUS(write_sysctls(kClientSettings));
    return write_sysctls(ipv6 ? kClientIpv6 : kSingleStack);
  });
  for (auto& node : nodes_) jobs.emplace_back(&node->worker(), [&node, ipv6] { return node->prepare(ipv6); });
  TRY_STATUS(on_all(jobs));
  TRY_STATUS(fabric_worker_->call([this] { return configure_fabric(); }));
  jobs.clear();
  jobs.emplace_back(client_worker_.get(), [this] { return configure_client(); });
  for (auto& node : nodes_) jobs.emplace_back(&node->worker(), [&node, this] { return node->configure(plan_); });
  TRY_STATUS(on_all(jobs));
  // The ports' other ends are up only now.
  TRY_STATUS(fabric_worker_->call([this]() -> base::Status {
    Rtnl rtnl = TRY(Rtnl::open());
    std::vector<int> links;
    for (size_t i = 0; i < nodes_.size() + 1; ++i) links.push_back(kFirstPortIndex + static_cast<int>(i));
    links.push_back(kBridgeIndex);
    rtnl.wait_until_running(links);
    return {};
  }));
  return {};
}

}  // namespace

base::Result<std::unique_ptr<Fabric>> Fabric::create(const FabricPlan& plan) {
  auto fabric = std::make_unique<FabricImpl>(plan);
  base::Status status = fabric->build();
  if (!status.ok()) return std::move(status).error().context("build the cluster network");
  return std::unique_ptr<Fabric>(std::move(fabric));
}

}  // namespace netns
