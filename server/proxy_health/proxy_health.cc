#include "server/proxy_health/proxy_health.h"

#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "server/informer/events.h"
#include "server/proxy_health/http.h"
#include "server/proxy_health/pages.h"
#include "store/base/log.h"
#include "store/object/access.h"

namespace server {
namespace {

using model::ServiceKey;
using proxy::NodeProxyStatus;
using proxy_health::Answer;
using proxy_health::HttpServer;

constexpr uint16_t kHealthPort = 10256;
constexpr uint16_t kMetricsPort = 10249;
constexpr int kBacklog = 128;
constexpr std::chrono::seconds kRetry(5);  // A port that somebody on the node holds.
constexpr char kDeletionTaint[] = "ToBeDeletedByClusterAutoscaler";

bool is_eligible(const store::Object& node) {
  if (!node || store::find(node.tree(), "metadata.deletionTimestamp") != nullptr) return false;
  for (const json& taint : store::get_array(node.tree(), "spec.taints")) {
    if (store::get_string(taint, "key") == kDeletionTaint) return false;
  }
  return true;
}

// Of a node; `port` is a Service's healthCheckNodePort.
struct CheckPort {
  uint16_t port = 0;
  ServiceKey service;
  auto operator<=>(const CheckPort&) const = default;
};

// On the io loop's thread alone.
struct IoSide {
  std::unique_ptr<HttpServer> http;
  std::map<std::pair<size_t, CheckPort>, HttpServer::ListenerId> checks;
};

class ProxyHealthImpl final : public ProxyHealth {
 public:
  ProxyHealthImpl(ControlLoop& loop, base::Loop& io, netns::Fabric& fabric, std::function<std::vector<NodeProxyStatus>()> status)
      : loop_(loop), io_(io), nodes_(fabric.nodes()), status_(std::move(status)), started_(loop.clock().wall()), events_(loop, "kube-proxy"), per_node_(nodes_.size()), side_(std::make_shared<IoSide>()) {
    loop.on_change("nodes", [this](const store::Object& before, const store::Object& after) {
      const std::string name = (after ? after : before).name();
      if (is_eligible(after)) ineligible_.erase(name);
      else ineligible_.insert(name);
    });
  }

  ~ProxyHealthImpl() override {
    io_.call([this] { side_->http.reset(); });
  }

  base::Status open() {
    io_.post([side = side_, io = &io_] { side->http = std::make_unique<HttpServer>(*io); });
    for (size_t node = 0; node < nodes_.size(); ++node) {
      TRY_STATUS(listen(node, any_address(node), kHealthPort, [this, node](const std::string& path) { return health_page(node, path); }));
      TRY_STATUS(listen(node, loopback(node), kMetricsPort, [this, node](const std::string& path) { return metrics_page(node, path); }));
    }
    return {};
  }

  void health_checks_changed() override {
    const std::vector<NodeProxyStatus> all = status_();
    for (size_t node = 0; node < nodes_.size() && node < all.size(); ++node) {
      std::set<CheckPort> wanted;
      for (const proxy::HealthCheckService& check : all[node].health_checks) {
        if (check.port != 0) wanted.insert({check.port, check.service});
      }
      follow(node, wanted);
    }
  }

 private:
  using Page = std::function<Answer(const std::string& path)>;  // Made on the control thread.
  struct PerNode {
    std::set<CheckPort> opened;   // Or being opened.
    proxy_health::ProbeCounts probes;
  };

  base::Ip any_address(size_t node) const { return nodes_[node]->plan().address.is_v4() ? base::Ip() : base::Ip::v6({}); }
  base::Ip loopback(size_t node) const { return nodes_[node]->plan().address.is_v4() ? base::Ip::v4(127, 0, 0, 1) : base::Ip::parse("::1").value(); }

  base::Status listen(size_t node, const base::Ip& address, uint16_t port, Page page) {
    base::Fd fd = TRY(nodes_[node]->worker().call([&] { return netns::make_tcp_listener(address, port, kBacklog); }));
    auto held = std::make_shared<base::Fd>(std::move(fd));
    io_.post([side = side_, held, handler = carry(std::move(page))] { side->http->listen(std::move(*held), handler); });
    return {};
  }

  // A handler for the io loop that has its page made on the control thread.
  HttpServer::Handler carry(Page page) {
    return [loop = &loop_, io = &io_, page = std::move(page)](const RequestHead& head, HttpServer::Reply reply) {
      loop->post([io, page, path = head.request.path, reply = std::move(reply)] {
        io->post([reply, answer = page(path)] { reply(answer); });
      });
    };
  }

  // Control thread, as all below.
  NodeProxyStatus status_of(size_t node) const {
    std::vector<NodeProxyStatus> all = status_();
    return node < all.size() ? std::move(all[node]) : NodeProxyStatus{};
  }

  Answer health_page(size_t node, const std::string& path) {
    const base::WallTime now = loop_.clock().wall();
    proxy_health::ProbeCounts& probes = per_node_[node].probes;
    if (path == "/healthz") {
      Answer page = proxy_health::healthz_page(status_of(node), ineligible_.count(nodes_[node]->plan().name) == 0, now);
      ++(page.status == 200 ? probes.healthz_200 : probes.healthz_503);
      return page;
    }
    if (path == "/livez") {
      Answer page = proxy_health::livez_page(status_of(node), now);
      ++(page.status == 200 ? probes.livez_200 : probes.livez_503);
      return page;
    }
    return proxy_health::not_found_page();
  }

  Answer metrics_page(size_t node, const std::string& path) {
    if (path == "/healthz") return {200, "text/plain; charset=utf-8", {{"X-Content-Type-Options", "nosniff"}}, "ok"};
    if (path == "/proxyMode") return {200, "text/plain; charset=utf-8", {{"X-Content-Type-Options", "nosniff"}}, "nftables"};
    if (path != "/metrics") return proxy_health::not_found_page();
    return proxy_health::metrics_page(status_of(node), nodes_[node]->plan().address.family(), per_node_[node].probes, base::read_process_figures(started_));
  }

  void follow(size_t node, const std::set<CheckPort>& wanted) {
    std::set<CheckPort>& opened = per_node_[node].opened;
    for (auto it = opened.begin(); it != opened.end();) {
      if (wanted.count(*it) != 0) {
        ++it;
        continue;
      }
      close_check(node, *it);
      it = opened.erase(it);
    }
    for (const CheckPort& check : wanted) {
      if (opened.insert(check).second) open_check(node, check);
    }
  }

  // Through the worker as well, so that it stays behind the opening of the same port.
  void close_check(size_t node, const CheckPort& check) {
    auto closed = std::make_shared<std::promise<void>>();
    nodes_[node]->worker().post([side = side_, io = &io_, node, check, closed] {
      io->post([side, node, check, closed] {
        auto it = side->checks.find({node, check});
        if (it != side->checks.end() && side->http) side->http->close(it->second);
        if (it != side->checks.end()) side->checks.erase(it);
        closed->set_value();
      });
      // A Service that takes over the port is opened next, here: the socket must be gone by then.
      closed->get_future().wait_for(std::chrono::seconds(1));
    });
  }

  void open_check(size_t node, const CheckPort& check) {
    const base::Ip address = any_address(node);
    HttpServer::Handler handler = carry([this, node, service = check.service](const std::string&) { return proxy_health::service_page(status_of(node), service, loop_.clock().wall()); });
    // The worker may get there after this object is gone; the control loop, stopped by then, runs nothing any more.
    nodes_[node]->worker().post([this, loop = &loop_, io = &io_, side = side_, node, check, address, handler = std::move(handler)] {
      auto made = std::make_shared<base::Result<base::Fd>>(netns::make_tcp_listener(address, check.port, kBacklog));
      if (!made->ok()) return loop->post([this, node, check, why = made->error().message] { opening_failed(node, check, why); });
      io->post([side, node, check, made, handler] {
        if (side->http) side->checks[{node, check}] = side->http->listen(std::move(*made).value(), handler);
      });
    });
  }

  void opening_failed(size_t node, const CheckPort& check, const std::string& why) {
    if (per_node_[node].opened.erase(check) == 0) return;  // Not wanted any more.
    const std::string message = "node " + nodes_[node]->plan().name + " failed to start healthcheck \"" + check.service.text() + "\" on port " + std::to_string(check.port) + ": " + why;
    base::log::warn("{}", message);
    const store::Object* service = loop_.cache("services").find(check.service.ns, check.service.name);
    if (service != nullptr) events_.warning(make_ref(*service), "FailedToStartServiceHealthcheck", message);
    loop_.post_after(kRetry, [this] { health_checks_changed(); });
  }

  ControlLoop& loop_;
  base::Loop& io_;
  const std::vector<netns::Node*> nodes_;
  const std::function<std::vector<NodeProxyStatus>()> status_;
  const base::WallTime started_;
  EventRecorder events_;
  std::vector<PerNode> per_node_;
  std::set<std::string> ineligible_;
  const std::shared_ptr<IoSide> side_;
};

}  // namespace

base::Result<std::unique_ptr<ProxyHealth>> make_proxy_health(ControlLoop& loop, base::Loop& io, netns::Fabric& fabric,
                                                             std::function<std::vector<proxy::NodeProxyStatus>()> status) {
  auto health = std::make_unique<ProxyHealthImpl>(loop, io, fabric, std::move(status));
  base::Status opened = health->open();
  if (!opened.ok()) return std::move(opened).error().context("kube-proxy's health URLs");
  return std::unique_ptr<ProxyHealth>(std::move(health));
}

}  // namespace server
