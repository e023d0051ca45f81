#include "server/app/cluster.h"

#include <unistd.h>

#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "netns/fabric.h"
#include "server/announce/announce.h"
#include "server/api/api_server.h"
#include "server/api/boot.h"
#include "server/app/ingress_ports.h"
#include "server/app/pki_store.h"
#include "server/app/settle.h"
#include "server/controllers/controllers.h"
#include "server/dns/dns.h"
#include "server/gateway/gateway.h"
#include "server/gateway/objects.h"
#include "server/http/server.h"
#include "server/informer/control_loop.h"
#include "server/node_agent/node_agent.h"
#include "server/proxy/proxy.h"
#include "server/proxy_health/proxy_health.h"
#include "server/scheduler/scheduler.h"
#include "store/base/fd.h"
#include "store/base/log.h"
#include "store/base/loop.h"
#include "store/object/access.h"
#include "store/store.h"

namespace server {

// In build order; destroyed from the bottom up.
struct Cluster::Parts {
  ClusterOptions options;
  AddressPlan addresses;
  uint16_t api_port = 0;
  base::WallTime started;
  base::SystemClock clock;
  ClusterPki pki;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<netns::Fabric> fabric;
  std::unique_ptr<netns::SpawnerProcess> spawner_process;
  std::unique_ptr<netns::Spawner> spawner;
  std::unique_ptr<base::Loop> io;
  std::unique_ptr<ApiServer> api;
  std::unique_ptr<ControlLoop> loop;
  std::vector<std::unique_ptr<Controller>> controllers;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<ServiceFeed> services;
  std::unique_ptr<Proxy> proxy;
  std::unique_ptr<Announcer> announcer;
  std::unique_ptr<ProxyHealth> proxy_health;
  std::unique_ptr<Dns> dns;
  std::unique_ptr<NodeAgent> agent;
  std::unique_ptr<Gateway> gateway;
  std::unique_ptr<Publisher> publisher;
  bool keep_due = false;      // The publisher's file is to be written; the control thread's once that runs.
  std::future<void> keeping;
  std::unique_ptr<HttpServer> http;
};

namespace {

netns::FabricPlan plan_fabric(const ClusterOptions& options, const AddressPlan& a) {
  netns::FabricPlan plan;
  plan.underlay = a.underlay;
  plan.gateway = a.gateway;
  plan.client_address = a.client;
  for (const AddressPlan& other : a.more) plan.more.push_back({other.underlay, other.gateway, other.client});
  for (int i = 0; i < options.nodes; ++i) {
    auto n = static_cast<uint64_t>(i);
    netns::NodePlan node;
    node.name = "node-" + std::to_string(i + 1);
    node.address = a.first_node.plus(n);
    node.pod_cidr = a.node_pods(n);
    node.local_ips = {a.dns};
    for (const AddressPlan& other : a.more) {
      node.more_addresses.push_back(other.first_node.plus(n));
      node.more_pod_cidrs.push_back(other.node_pods(n));
    }
    plan.nodes.push_back(node);
  }
  return plan;
}

std::vector<base::Cidr> load_balancer_pools(const AddressPlan& a) {
  std::vector<base::Cidr> out = {a.load_balancers};
  for (const AddressPlan& other : a.more) out.push_back(other.load_balancers);
  return out;
}

ApiOptions api_options(const AddressPlan& a) {
  ApiOptions options;
  options.service_cidr = a.services;
  options.service_cidrs = {a.services};
  for (const AddressPlan& other : a.more) options.service_cidrs.push_back(other.services);
  options.dns_address = a.dns;
  options.api_ip = a.gateway;
  options.api_port = a.in_cluster_api_port;
  options.token_issuer = "https://kubernetes.default.svc." + a.domain;
  options.server_address = (a.gateway.is_v4() ? a.gateway.text() : "[" + a.gateway.text() + "]") + ":" + std::to_string(a.in_cluster_api_port);
  return options;
}

base::Result<std::vector<DnsSockets>> make_dns_sockets(netns::Fabric& fabric, const base::Ip& address) {
  std::vector<DnsSockets> out;
  for (netns::Node* node : fabric.nodes()) {
    base::Result<DnsSockets> sockets = node->worker().call([&]() -> base::Result<DnsSockets> {
      DnsSockets made;
      made.udp = TRY(netns::make_udp_socket(address, 53));
      made.tcp = TRY(netns::make_tcp_listener(address, 53, 128));
      return made;
    });
    out.push_back(TRY(std::move(sockets)));
  }
  return out;
}

bool all_nodes_ready(Client& client, size_t want) {
  const store::Resource* nodes = client.registry().find("", "v1", "nodes");
  base::Result<std::vector<store::Object>> listed = client.list(*nodes, "");
  if (!listed.ok()) return false;
  size_t ready = 0;
  for (const store::Object& node : *listed) {
    for (const json& c : store::get_array(node.tree(), "status.conditions")) {
      if (store::get_string(c, "type") == "Ready" && store::get_string(c, "status") == "True") ++ready;
    }
  }
  return ready >= want;
}

// Nodes that an earlier, larger cluster of this state folder had.
void forget_extra_nodes(Client& client, const netns::FabricPlan& plan) {
  const store::Resource* nodes = client.registry().find("", "v1", "nodes");
  base::Result<std::vector<store::Object>> listed = client.list(*nodes, "");
  if (!listed.ok()) return;
  for (const store::Object& node : *listed) {
    bool known = false;
    for (const netns::NodePlan& n : plan.nodes) known = known || n.name == node.name();
    if (!known) base::ignore(client.remove(*nodes, "", node.name()), "a node that is gone already is what we want");
  }
}

base::Status wait_for(const std::function<bool()>& condition, std::chrono::milliseconds limit, const char* what) {
  auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return base::Error(base::Code::kTimeout, std::string("the cluster did not get ready: ") + what);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return {};
}

// `part`: the proxy, the gateway: what tells when it has caught up with the control loop.
template <class Part>
base::Status wait_synced(Part& part, ControlLoop& loop, const char* who) {
  auto synced = std::make_shared<std::promise<void>>();
  loop.post([&part, synced] { part.when_synced([synced] { synced->set_value(); }); });
  if (synced->get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready) return {};
  return base::Error(base::Code::kTimeout, std::string("the ") + who + " did not follow in time; see the log");
}

base::Result<gateway::Question> make_question(const json& request) {
  gateway::Question question = TRY(gateway::parse_question(store::get_string(request, "url")));
  question.method = store::get_string(request, "method", "GET");
  question.tls = question.tls || store::get_bool(request, "tls");
  for (const json& header : store::get_array(request, "headers")) {
    if (header.is_array() && header.size() == 2 && header[0].is_string() && header[1].is_string()) question.headers.emplace_back(header[0].get<std::string>(), header[1].get<std::string>());
  }
  return question;
}

}  // namespace

Cluster::Cluster(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

// Who may still call whom decides the order: connection threads end before what they call, and the threads of the
// spawner and of the nodes, which post to the control loop, end before the loop is gone.
Cluster::~Cluster() {
  Parts& p = *parts_;
  if (p.api) p.api->close_watches();  // Connection threads wait for events in there.
  p.http.reset();
  if (p.api) p.api->set_runtime(nullptr);
  if (p.loop) p.loop->stop();
  if (p.keeping.valid()) p.keeping.wait();
  if (p.keep_due) base::ignore(p.publisher->keep(), "the cluster ends all the same");
  p.publisher.reset();
  p.gateway.reset();
  p.agent.reset();
  p.dns.reset();
  p.proxy_health.reset();
  p.announcer.reset();
  p.proxy.reset();
  p.services.reset();
  p.scheduler.reset();
  p.controllers.clear();
  p.spawner.reset();
  p.spawner_process.reset();
  p.fabric.reset();
  p.loop.reset();
  p.api.reset();
  if (p.store) p.store->close();
}

base::Result<std::unique_ptr<Cluster>> Cluster::start(const ClusterOptions& options, Inputs inputs) {
  std::unique_ptr<Cluster> cluster(new Cluster(std::make_unique<Parts>()));
  Parts& p = *cluster->parts_;
  p.options = options;
  p.api_port = inputs.api_port;
  p.started = p.clock.wall();
  p.addresses = make_address_plan(options.ip_family == "dual" ? IpFamily::kDual : options.ip_family == "ipv6" ? IpFamily::kIpv6 : IpFamily::kIpv4);
  if (options.api_only) {
    TRY_STATUS(cluster->open_api());
    std::vector<base::Fd> listeners;
    listeners.push_back(std::move(inputs.api_listener));
    TRY_STATUS(cluster->serve(std::move(listeners)));
    TRY_STATUS(ensure_default_roles(p.api->client()));
    p.api->set_ready(true);
  } else {
    TRY_STATUS(cluster->start_rest(std::move(inputs)));
  }
  return cluster;
}

base::Status Cluster::open_api() {
  Parts& p = *parts_;
  p.pki = TRY(load_or_make_pki(p.options.state_dir, p.addresses));
  store::Store::Options store_options;
  if (!p.options.ephemeral) store_options.path = p.options.state_dir + "/store.db";
  p.store = TRY(store::Store::open(store_options));
  ApiOptions api_server = api_options(p.addresses);
  api_server.token_key_pem = p.pki.token_key_pem;
  api_server.has_network = !p.options.api_only;
  p.api = ApiServer::make(*p.store, store::builtin_registry(), p.clock, api_server);
  return ensure_boot_objects(p.api->client(), api_server);
}

base::Status Cluster::serve(std::vector<base::Fd> listeners) {
  Parts& p = *parts_;
  HttpServerOptions http_options;
  http_options.client_ca_pem = p.pki.ca.cert_pem;
  http_options.certificate = p.pki.api_server;
  ApiServer* api = p.api.get();
  p.http = TRY(HttpServer::start(std::move(listeners), http_options, [api](const HttpRequest& request) { return api->handle(request); }));
  return {};
}

base::Status Cluster::start_rest(Inputs inputs) {
  Parts& p = *parts_;
  const ClusterOptions& options = p.options;
  // The network takes the kernel a while; certificates and the store are made meanwhile.
  netns::FabricPlan plan = plan_fabric(options, p.addresses);
  auto fabric = std::async(std::launch::async, [&plan] { return netns::Fabric::create(plan); });
  TRY_STATUS(open_api());
  auto roles = std::async(std::launch::async, [&p] { return ensure_default_roles(p.api->client()); });
  if (options.ingress) TRY_STATUS(ensure_ingress_classes(p.api->client()));
  p.fabric = TRY(fabric.get());

  p.spawner_process = std::move(inputs.spawner);
  p.spawner = p.spawner_process->activate();
  p.io = std::make_unique<base::Loop>("io");
  p.loop = ControlLoop::make(p.api->client(), p.clock);
  p.controllers = make_controllers(*p.loop, ControllerOptions{p.pki.ca.cert_pem, p.pki.ca.key_pem, load_balancer_pools(p.addresses)});
  p.scheduler = make_scheduler(*p.loop);
  ProxyOptions proxy_options{p.addresses.services, p.addresses.pods, {p.addresses.dns}, options.random_balancing ? Balancing::kRandom : Balancing::kRoundRobin};
  for (const AddressPlan& other : p.addresses.more) {
    proxy_options.more_service_cidrs.push_back(other.services);
    proxy_options.more_pod_cidrs.push_back(other.pods);
  }
  p.services = std::make_unique<ServiceFeed>(*p.loop);
  p.proxy = make_proxy(*p.loop, *p.services, *p.fabric, proxy_options);
  p.announcer = make_announcer(*p.loop, *p.services, *p.fabric);
  p.proxy_health = TRY(make_proxy_health(*p.loop, *p.io, *p.fabric, [proxy = p.proxy.get()] { return proxy->status(); }));
  p.proxy->on_health_checks([health = p.proxy_health.get()] { health->health_checks_changed(); });
  std::vector<DnsSockets> dns_sockets = TRY(make_dns_sockets(*p.fabric, p.addresses.dns));
  p.dns = make_dns(*p.loop, *p.services, *p.io, std::move(dns_sockets), DnsOptions{p.addresses.domain, 5});
  NodeAgentOptions agent_options{options.state_dir + "/run", p.addresses.dns, p.addresses.domain};
  p.agent = make_node_agent(*p.loop, *p.fabric, *p.spawner, *p.io, agent_options);
  p.api->set_runtime(&p.agent->runtime());
  GatewayOptions gateway_options;
  gateway_options.look_up = [dns = p.dns.get()](const std::string& name, std::function<void(NameAnswer)> done) {
    dns->look_up(name, [done = std::move(done)](DnsAddresses found) { done({found.answered, std::move(found.ips), std::chrono::seconds(found.ttl_seconds)}); });
  };
  p.gateway = make_gateway(*p.loop, *p.services, p.agent->runtime(), gateway_options);
  PublisherOptions publisher_options{options.ephemeral ? "" : options.state_dir + "/published.json", {p.addresses.services, p.addresses.pods}};
  p.publisher = make_publisher(*p.loop, *p.io, *p.fabric, std::move(inputs.host_ports), publisher_options);
  TRY_STATUS(p.proxy->load());

  std::vector<base::Fd> listeners;
  listeners.push_back(std::move(inputs.api_listener));
  listeners.push_back(TRY(p.fabric->fabric_worker().call([&] { return netns::make_tcp_listener(p.addresses.gateway, p.addresses.in_cluster_api_port, 128); })));
  TRY_STATUS(serve(std::move(listeners)));

  forget_extra_nodes(p.api->client(), plan);
  TRY_STATUS(p.loop->start());
  TRY_STATUS(p.publisher->restore(options.publish));
  if (!options.ingress) unpublish_ingress(*p.publisher);
  auto ports_changed = std::async(std::launch::async, [&] { return options.ingress && publish_ingress(*p.publisher, options.usual_ingress_ports); });
  TRY_STATUS(wait_for([&] { return all_nodes_ready(p.api->client(), plan.nodes.size()); }, std::chrono::seconds(20), "not every node is Ready; see the log"));
  TRY_STATUS(wait_synced(*p.proxy, *p.loop, "service proxy"));
  // Last: nobody waits for its pod who does not ask for an Ingress.
  if (options.ingress) TRY_STATUS(ensure_ingress_workload(p.api->client(), p.addresses.ingress_addresses()));
  if (ports_changed.get()) keep_ports_soon();
  TRY_STATUS(roles.get());
  p.api->set_ready(true);
  return {};
}

bool Cluster::api_only() const { return parts_->options.api_only; }

Publisher& Cluster::publisher() { return *parts_->publisher; }

json Cluster::status() const {
  const Parts& p = *parts_;
  json nodes = json::array();
  if (p.fabric) {
    for (const netns::NodePlan& node : p.fabric->plan().nodes) nodes.push_back({{"name", node.name}, {"address", node.address.text()}, {"podCIDR", node.pod_cidr.text()}});
  }
  Client& client = p.api->client();
  auto count = [&](const char* group, const char* plural) -> size_t {
    const store::Resource* r = client.registry().find(group, "v1", plural);
    base::Result<std::vector<store::Object>> listed = client.list(*r, "");
    return listed.ok() ? listed->size() : 0;
  };
  const std::vector<PublishedPort> ports = p.publisher ? p.publisher->list() : std::vector<PublishedPort>();
  json published = json::array();
  for (const PublishedPort& port : ports) published.push_back(describe(port));
  auto uptime = std::chrono::duration_cast<std::chrono::seconds>(p.clock.wall() - p.started).count();
  json out = {{"name", p.options.name},
              {"context", context_name(p.options.name)},
              {"server", "https://127.0.0.1:" + std::to_string(p.api_port)},
              {"stateDir", p.options.state_dir},
              {"ephemeral", p.options.ephemeral},
              {"apiOnly", p.options.api_only},
              {"version", KUBELAN_VERSION},
              {"uptimeSeconds", uptime},
              {"nodes", nodes},
              {"ipFamily", p.options.ip_family},
              {"pods", count("", "pods")},
              {"services", count("", "services")},
              {"ingress", ingress_urls(ports)},
              {"published", published}};
  if (p.options.api_only) return out;
  out["client"] = p.addresses.client.text();
  out["dns"] = p.addresses.dns.text();
  return out;
}

base::Result<netns::Place> Cluster::place(const std::string& target) const {
  const Parts& p = *parts_;
  // With the daemon's pid namespace, so that what is started there ends with the cluster.
  auto in_daemon = [](const base::Fd& net) -> base::Result<netns::Place> {
    netns::Place place;
    place.user = TRY(netns::open_own_namespace("user"));
    place.mnt = TRY(netns::open_own_namespace("mnt"));
    place.pid = TRY(netns::open_own_namespace("pid"));
    place.net = TRY(net.duplicate());
    return place;
  };
  if (target == "client") return in_daemon(p.fabric->client_net());
  if (target.rfind("node/", 0) == 0) {
    netns::Node* node = p.fabric->find_node(target.substr(5));
    if (node != nullptr) return in_daemon(node->net());
    return base::Error(base::Code::kNotFound, "no node \"" + target.substr(5) + "\": this cluster has node-1 to node-" + std::to_string(p.options.nodes));
  }
  if (target.rfind("pod/", 0) == 0) {
    std::string rest = target.substr(4);
    size_t slash = rest.find('/');
    std::string ns = slash == std::string::npos ? "default" : rest.substr(0, slash);
    return p.agent->runtime().place(ns, slash == std::string::npos ? rest : rest.substr(slash + 1));
  }
  return base::Error(base::Code::kBadRequest, "\"" + target + "\" is not a place: use client, node/NAME or pod/[NAMESPACE/]NAME");
}

// The disk takes its time, and whoever waits for the cluster writes files of its own.
void Cluster::keep_ports_soon() {
  Parts* p = parts_.get();
  p->keep_due = true;
  p->loop->post_after(std::chrono::milliseconds(250), [p] {
    p->keep_due = false;
    p->keeping = std::async(std::launch::async, [publisher = p->publisher.get()] {
      const base::Status kept = publisher->keep();
      if (!kept.ok()) base::log::warn("published ports are not remembered: {}", kept.error().message);
    });
  });
}

base::Result<std::vector<std::string>> Cluster::apply(const std::string& text) { return parts_->api->apply_manifest(text, "default"); }

base::Status Cluster::settle(std::chrono::seconds timeout) {
  Parts& p = *parts_;
  if (p.options.api_only) return {};
  auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    auto answer = std::make_shared<std::promise<Settled>>();
    ControlLoop* loop = p.loop.get();
    loop->post([loop, answer] {
      Workloads w{loop->cache("deployments.apps").list(), loop->cache("replicasets.apps").list(), loop->cache("pods").list(), loop->cache("services").list(),
                  loop->cache("endpointslices.discovery.k8s.io").list()};
      answer->set_value(check_settled(w));
    });
    Settled settled = answer->get_future().get();
    if (settled.yes) break;
    if (settled.hopeless) return base::Error(base::Code::kInvalid, settled.missing);
    if (std::chrono::steady_clock::now() > deadline) return base::Error(base::Code::kTimeout, "not up after " + std::to_string(timeout.count()) + " s: " + settled.missing);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  TRY_STATUS(wait_synced(*p.proxy, *p.loop, "service proxy"));
  return wait_synced(*p.gateway, *p.loop, "ingress controller");
}

base::Result<json> Cluster::explain(const json& request) {
  const gateway::Question question = TRY(make_question(request));
  auto answer = std::make_shared<std::promise<base::Result<json>>>();
  Gateway* gateway = parts_->gateway.get();
  parts_->loop->post([gateway, question, answer] { answer->set_value(gateway->explain(question)); });
  return answer->get_future().get();
}

base::Result<std::vector<std::string>> Cluster::verify(std::chrono::seconds timeout) {
  auto answer = std::make_shared<std::promise<std::vector<std::string>>>();
  auto future = answer->get_future();
  Proxy* proxy = parts_->proxy.get();
  parts_->loop->post([proxy, answer] { proxy->verify([answer](std::vector<std::string> differences) { answer->set_value(std::move(differences)); }); });
  if (future.wait_for(timeout) != std::future_status::ready) {
    return base::Error(base::Code::kTimeout, "the proxy's changes did not come to an end in " + std::to_string(timeout.count()) + " s");
  }
  return future.get();
}

}  // namespace server
