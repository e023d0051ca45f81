#include "server/node_agent/registration.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "server/informer/writes.h"
#include "server/model/pod.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr auto kLeaseRenewal = std::chrono::seconds(10);  // As the kubelet: a quarter of the lease.
constexpr int kLeaseSeconds = 40;

std::string os_image() {
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("PRETTY_NAME=", 0) != 0) continue;
    std::string value = line.substr(12);
    if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
    return value;
  }
  return "Linux";
}

std::string architecture(const std::string& machine) { return machine == "x86_64" ? "amd64" : machine == "aarch64" ? "arm64" : machine; }

json condition(const char* type, const char* status, const char* reason, const char* message, base::WallTime now) {
  std::string at = base::render_rfc3339(now);
  return {{"type", type}, {"status", status}, {"reason", reason}, {"message", message}, {"lastHeartbeatTime", at}, {"lastTransitionTime", at}};
}

json pod_cidrs(const netns::NodePlan& plan) {
  json out = {plan.pod_cidr.text()};
  for (const base::Cidr& range : plan.more_pod_cidrs) out.push_back(range.text());
  return out;
}

json node_addresses(const netns::NodePlan& plan) {
  json out = {{{"type", "InternalIP"}, {"address", plan.address.text()}}};
  for (const base::Ip& ip : plan.more_addresses) out.push_back({{"type", "InternalIP"}, {"address", ip.text()}});
  out.push_back({{"type", "Hostname"}, {"address", plan.name}});
  return out;
}

bool is_ready(const store::Object& node) {
  const json* ready = find_condition(node.tree(), "Ready");
  return ready != nullptr && store::get_string(*ready, "status") == "True";
}

}  // namespace

json compile_node(const netns::NodePlan& plan) {
  utsname os{};
  ::uname(&os);
  std::string arch = architecture(os.machine);
  return {{"apiVersion", "v1"},
          {"kind", "Node"},
          {"metadata", {{"name", plan.name}, {"labels", {{"kubernetes.io/hostname", plan.name}, {"kubernetes.io/os", "linux"}, {"kubernetes.io/arch", arch}, {"beta.kubernetes.io/os", "linux"}, {"beta.kubernetes.io/arch", arch}}}}},
          {"spec", {{"podCIDR", plan.pod_cidr.text()}, {"podCIDRs", pod_cidrs(plan)}, {"providerID", "kubelan://" + plan.name}}}};
}

json compile_node_status(const netns::NodePlan& plan, base::WallTime now) {
  utsname os{};
  ::uname(&os);
  std::string memory = std::to_string(::sysconf(_SC_PHYS_PAGES) / 1024 * (::sysconf(_SC_PAGESIZE))) + "Ki";
  // A /24 has 253 addresses for pods.
  json room = {{"cpu", std::to_string(::sysconf(_SC_NPROCESSORS_ONLN))}, {"memory", memory}, {"pods", "250"}, {"ephemeral-storage", "100Gi"}};
  std::string version = std::string("v1.36.0+kubelan-") + KUBELAN_VERSION;
  return {{"capacity", room},
          {"allocatable", room},
          {"addresses", node_addresses(plan)},
          {"conditions", json::array({condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available", now),
                                      condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure", now),
                                      condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available", now),
                                      condition("Ready", "True", "KubeletReady", "kubelet is posting ready status", now)})},
          {"daemonEndpoints", {{"kubeletEndpoint", {{"Port", 10250}}}}},
          {"nodeInfo",
           {{"machineID", ""}, {"systemUUID", ""}, {"bootID", ""}, {"kernelVersion", os.release}, {"osImage", os_image()}, {"containerRuntimeVersion", std::string("kubelan://") + KUBELAN_VERSION},
            {"kubeletVersion", version}, {"kubeProxyVersion", version}, {"operatingSystem", "linux"}, {"architecture", architecture(os.machine)}}}};
}

NodeRegistration::NodeRegistration(ControlLoop& loop, netns::Fabric& fabric)
    : loop_(loop),
      fabric_(fabric),
      nodes_(loop.make_queue("node-registration", [this](const store::Key& key) { return reconcile(key); })),
      leases_(loop.make_queue("node-lease", [this](const store::Key& key) -> base::Result<Requeue> {
        TRY_STATUS(renew_lease(key.name));
        return Requeue{kLeaseRenewal};
      }, {QueueOptions::Priority::kLow, {}})) {
  for (netns::Node* node : fabric.nodes()) {
    nodes_.add({"nodes", "", node->plan().name});
    leases_.add_after({"leases", "", node->plan().name}, std::chrono::seconds(2));
  }
  // A node that somebody deletes registers again, as a kubelet would when restarted.
  loop.on_change("nodes", [this](const store::Object&, const store::Object& after) {
    if (!after) {
      for (netns::Node* node : fabric_.nodes()) nodes_.add({"nodes", "", node->plan().name});
    }
  });
}

base::Result<Requeue> NodeRegistration::reconcile(const store::Key& key) {
  netns::Node* node = fabric_.find_node(key.name);
  if (node != nullptr) TRY_STATUS(ensure_node(node->plan()));
  return Requeue{};
}

base::Status NodeRegistration::ensure_node(const netns::NodePlan& plan) {
  store::Key key{"nodes", "", plan.name};
  const store::Object* have = loop_.cache("nodes").find("", plan.name);
  if (have == nullptr) {
    json tree = compile_node(plan);
    tree["status"] = compile_node_status(plan, loop_.clock().wall());
    base::Result<store::Object> made = create_object(loop_.client(), "nodes", tree);
    if (!made.ok() && made.error().code != base::Code::kAlreadyExists) return made.error();
  }
  // Once at least: a stored node may tell of another version or machine.
  bool fresh = refreshed_.insert(plan.name).second;
  if (have != nullptr && is_ready(*have) && !fresh) return {};
  base::Result<store::Object> patched = merge_patch(loop_.client(), key, {{"status", compile_node_status(plan, loop_.clock().wall())}}, "status");
  if (!patched.ok()) return patched.error();
  return {};
}

base::Status NodeRegistration::renew_lease(const std::string& node) {
  std::string now = base::render_rfc3339_micro(loop_.clock().wall());
  store::Key key{"leases.coordination.k8s.io", "kube-node-lease", node};
  if (loop_.cache(key.resource).find(key.ns, node) != nullptr) {
    base::Result<store::Object> renewed = merge_patch(loop_.client(), key, {{"spec", {{"renewTime", now}}}});
    if (!renewed.ok()) return renewed.error();
    return {};
  }
  json tree = {{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}, {"metadata", {{"name", node}, {"namespace", key.ns}}}, {"spec", {{"holderIdentity", node}, {"leaseDurationSeconds", kLeaseSeconds}, {"renewTime", now}}}};
  base::Result<store::Object> made = create_object(loop_.client(), key.resource, tree);
  if (!made.ok()) return made.error();
  return {};
}

}  // namespace server
