#include "netns/node.h"

#include <linux/rtnetlink.h>

#include <cstdio>

#include "netns/link/messages.h"
#include "netns/ns/sysctl.h"

namespace netns {
namespace {

// Pods made together share system calls on the node's side, but each waits for the whole batch: keep it short.
constexpr size_t kMaxBatch = 16;

// Settings of a node. `default` is what links made later start with; a value read from `all` is combined with
// the link's own (the larger for rp_filter, either for send_redirects), so both are written.
const std::vector<Sysctl> kNodeSettings = {
    {"net/ipv4/ip_forward", "1", true},
    // A reply may come in by another link than the one it would leave by (load-balancer addresses, DNAT).
    {"net/ipv4/conf/all/rp_filter", "0", true},
    {"net/ipv4/conf/default/rp_filter", "0", true},
    // Client and nodes share a segment: without this a node would tell the client to go to the other node directly.
    {"net/ipv4/conf/all/send_redirects", "0", false},
    {"net/ipv4/conf/default/send_redirects", "0", false},
    // "Rejected" must arrive every time, not six times and then once a second.
    {"net/ipv4/icmp_ratemask", "0", false},
    {"net/ipv4/ip_unprivileged_port_start", "0", false},
    {"net/ipv4/ping_group_range", "0 0", false},
    {"net/ipv4/ping_group_range", "0 2147483647", false},
    // A segment outside the window must not break a translated connection.
    {"net/netfilter/nf_conntrack_tcp_be_liberal", "1", false},
};
// Once eth0 is there: an address nobody has answers "no route to host" in 0.3 s instead of 3 s.
const std::vector<Sysctl> kNodeLinkSettings = {
    {"net/ipv4/neigh/eth0/retrans_time_ms", "100", false},
    {"net/ipv6/neigh/eth0/retrans_time_ms", "100", false},
};
const std::vector<Sysctl> kNodeSettingsV6 = {
    {"net/ipv6/conf/all/forwarding", "1", true},
    {"net/ipv6/conf/default/accept_dad", "0", false},
    {"net/ipv6/conf/default/accept_ra", "0", false},
};
const std::vector<Sysctl> kNodeSettingsV4 = {
    {"net/ipv6/conf/default/disable_ipv6", "1", false},  // Absent where the kernel has no IPv6. lo keeps ::1.
};
// "0 0" first: the wide range is refused where only one group is mapped.
const std::vector<Sysctl> kPodSettings = {
    {"net/ipv4/ip_unprivileged_port_start", "0", false},
    {"net/ipv4/ping_group_range", "0 0", false},
    {"net/ipv4/ping_group_range", "0 2147483647", false},
    {"net/ipv6/conf/default/disable_ipv6", "1", false},
};
const std::vector<Sysctl> kPodSettingsV6 = {
    {"net/ipv4/ip_unprivileged_port_start", "0", false},
    {"net/ipv4/ping_group_range", "0 0", false},
    {"net/ipv4/ping_group_range", "0 2147483647", false},
    {"net/ipv6/conf/default/accept_dad", "0", false},
    {"net/ipv6/conf/default/accept_ra", "0", false},
};

Mac gateway_mac() {
  Mac mac;
  std::copy(std::begin(kGatewayMac), std::end(kGatewayMac), mac.begin());
  return mac;
}

// The pod's gateway exists in its neighbour table alone; no link has this address.
base::Ip pod_gateway(base::Family family) {
  if (family == base::Family::kIpv4) return base::Ip::v4(169, 254, 1, 1);
  return base::Ip::v6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

std::vector<base::Ip> addresses_of(const PodPlan& plan) {
  std::vector<base::Ip> out = {plan.address};
  out.insert(out.end(), plan.more.begin(), plan.more.end());
  return out;
}

// A link name has at most 15 characters and an id may be longer, so the name is its FNV-1a hash: 44 bits.
std::string link_name(const std::string& id) {
  uint64_t hash = 14695981039346656037ull;
  for (unsigned char c : id) hash = (hash ^ c) * 1099511628211ull;
  char name[16];
  std::snprintf(name, sizeof name, "veth%011llx", static_cast<unsigned long long>(hash & 0xfffffffffffull));
  return name;
}

class BrokenNft final : public Nft {
 public:
  explicit BrokenNft(base::Error error) : error_(std::move(error)) {}
  base::Status run(const std::string&) override { return error_; }
  base::Result<std::string> query(const std::string&, bool) override { return error_; }

 private:
  base::Error error_;
};

}  // namespace

base::Result<std::unique_ptr<NodeImpl>> NodeImpl::make(const NodePlan& plan, base::Fd net) {
  std::unique_ptr<NodeImpl> node(new NodeImpl(plan, std::move(net)));
  node->next_index_ = kFirstPortIndex;
  node->worker_ = TRY(Worker::start(plan.name, node->net_));
  return node;
}

NodeImpl::~NodeImpl() {
  // The nftables context and the socket are the worker's: let it close them.
  worker_->call([this] {
    nft_.reset();
    rtnl_.reset();
  });
}

base::Status NodeImpl::prepare(bool ipv6) {
  TRY_STATUS(write_sysctls(kNodeSettings));
  return write_sysctls(ipv6 ? kNodeSettingsV6 : kNodeSettingsV4);
}

base::Status NodeImpl::configure(const FabricPlan& fabric) {
  TRY_STATUS(write_sysctls(kNodeLinkSettings));
  rtnl_ = TRY(Rtnl::open());
  Batch batch;
  set_link_up(batch, kLoIndex);
  set_link_up(batch, kEth0Index);
  // Host scope: answered here, never chosen as the source of the node's own packets.
  for (const base::Ip& ip : plan_.local_ips) add_address(batch, kLoIndex, ip, ip.bits(), RT_SCOPE_HOST);
  for (size_t i = 0; i < fabric.families(); ++i) {
    const FabricPlan::Family family = fabric.family(i);
    add_address(batch, kEth0Index, plan_.address_of(i), family.underlay.prefix_length(), RT_SCOPE_UNIVERSE);
    add_route(batch, {.to = base::Cidr::everything(family.gateway.family()), .via = {family.gateway}, .device = kEth0Index});
    for (const NodePlan& other : fabric.nodes) {
      if (other.name != plan_.name) add_route(batch, {.to = other.pod_cidr_of(i), .via = {other.address_of(i)}, .device = kEth0Index});
    }
    // Addresses of our own range without a pod: say so, instead of sending them to the gateway and back.
    add_route(batch, {.to = plan_.pod_cidr_of(i), .unreachable = true});
  }
  return rtnl_->apply(batch);
}

Nft& NodeImpl::nft() {
  if (nft_ == nullptr) {
    base::Result<std::unique_ptr<Nft>> opened = Nft::open();
    nft_ = opened.ok() ? std::move(*opened) : std::make_unique<BrokenNft>(std::move(opened).error());
  }
  return *nft_;
}

void NodeImpl::attach(PodPlan plan, std::function<void(base::Result<Sandbox>)> done) {
  {
    std::lock_guard lock(mutex_);
    attach_queue_.push_back({.plan = std::move(plan), .done = std::move(done)});
  }
  worker_->post([this] { attach_batch(); });
}

void NodeImpl::detach(const std::string& id) {
  {
    std::lock_guard lock(mutex_);
    detach_queue_.push_back(id);
  }
  worker_->post([this] { detach_batch(); });
}

// One post a pod: the first takes up to kMaxBatch, the posts of those it took find nothing.
void NodeImpl::attach_batch() {
  std::vector<Attaching> pods;
  {
    std::lock_guard lock(mutex_);
    while (!attach_queue_.empty() && pods.size() < kMaxBatch) {
      pods.push_back(std::move(attach_queue_.front()));
      attach_queue_.pop_front();
    }
  }
  if (pods.empty()) return;
  for (Attaching& pod : pods) pod.sandbox = make_pod_namespaces(pod);
  wire_node_side(pods);
  std::vector<int> links;
  for (Attaching& pod : pods) {
    if (!pod.sandbox.ok()) continue;
    base::Status wired = wire_pod_side(pod);
    if (!wired.ok()) pod.sandbox = std::move(wired).error();
    if (pod.sandbox.ok()) links.push_back(pod.index);
  }
  rtnl_->wait_until_running(links);
  for (Attaching& pod : pods) {
    if (pod.sandbox.ok()) {
      pods_[pod.plan.id] = {addresses_of(pod.plan), pod.index};
    } else {
      pod.sandbox.error().message = "network of pod " + pod.plan.id + ": " + pod.sandbox.error().message;
    }
    pod.done(std::move(pod.sandbox));
  }
}

base::Result<Sandbox> NodeImpl::make_pod_namespaces(Attaching& pod) {
  const bool v4 = pod.plan.address.is_v4() && pod.plan.more.empty();
  return make_sandbox(pod.plan.hostname, [&]() -> base::Status {
    TRY_STATUS(write_sysctls(v4 ? kPodSettings : kPodSettingsV6));
    pod.rtnl = TRY(Rtnl::open());
    return {};
  });
}

int NodeImpl::take_index() {
  // Indices of ended pods may be used again after a wrap; the kernel refuses one that is still taken.
  if (next_index_ >= 1 << 30) next_index_ = kFirstPortIndex;
  return next_index_++;
}

void NodeImpl::wire_node_side(std::vector<Attaching>& pods) {
  Batch batch;
  std::vector<size_t> owner;  // Message -> pod.
  for (size_t i = 0; i < pods.size(); ++i) {
    Attaching& pod = pods[i];
    if (!pod.sandbox.ok()) continue;
    pod.index = take_index();
    const base::Ip& ip = pod.plan.address;
    add_veth(batch, {.name = link_name(pod.plan.id),
                     .index = pod.index,
                     .mac = gateway_mac(),
                     .peer_net = pod.sandbox->net.get(),
                     .peer_mac = make_mac(ip)});
    size_t family = 0;
    for (const base::Ip& one : addresses_of(pod.plan)) {
      add_route(batch, {.to = base::Cidr::host(one), .device = pod.index, .source = plan_.address_of(family++)});
      add_neighbour(batch, pod.index, one, make_mac(ip));
    }
    owner.resize(batch.count(), i);
  }
  if (batch.empty()) return;
  base::Result<std::vector<int>> results = rtnl_->transact(batch);
  for (size_t m = 0; m < owner.size(); ++m) {
    Attaching& pod = pods[owner[m]];
    if (!pod.sandbox.ok()) continue;  // Its first failure is the one to report.
    if (!results.ok()) {
      pod.sandbox = results.error();
    } else if ((*results)[m] != 0) {
      pod.sandbox = base::os_error(batch.entries()[m].what, (*results)[m]);
    }
  }
}

base::Status NodeImpl::wire_pod_side(Attaching& pod) {
  Batch batch;
  set_link_up(batch, kLoIndex);
  set_link_up(batch, kEth0Index);
  for (const base::Ip& ip : addresses_of(pod.plan)) {
    const base::Ip gateway = pod_gateway(ip.family());
    add_address(batch, kEth0Index, ip, ip.bits(), RT_SCOPE_UNIVERSE);
    if (ip.is_v4()) add_route(batch, {.to = base::Cidr::host(gateway), .device = kEth0Index});
    add_neighbour(batch, kEth0Index, gateway, gateway_mac());
    add_route(batch, {.to = base::Cidr::everything(ip.family()), .via = {gateway}, .device = kEth0Index});
  }
  return pod.rtnl->apply(batch);
}

void NodeImpl::detach_batch() {
  Batch batch;
  {
    std::lock_guard lock(mutex_);
    for (const std::string& id : detach_queue_) {
      auto it = pods_.find(id);
      if (it == pods_.end()) continue;
      // The route is gone at once; the link goes with the pod's namespace, which the kernel clears in batches.
      // Deleting the link here would take 20 ms each.
      for (const base::Ip& ip : it->second.addresses) delete_route(batch, {.to = base::Cidr::host(ip), .device = it->second.index});
      pods_.erase(it);
    }
    detach_queue_.clear();
  }
  if (!batch.empty()) base::ignore(rtnl_->transact(batch), "the link, and its route with it, may be gone already");
}

}  // namespace netns
