#include "server/publish/publisher.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <future>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "server/publish/forwarder.h"
#include "server/publish/resolve.h"
#include "store/base/log.h"

namespace server {
namespace {

using publish::Destination;
using publish::Forwarder;
using publish::From;
using publish::HostPort;
using publish::Resolution;
using publish::SocketPool;
using publish::Spec;
using publish::Traffic;

// Services are reached from the first node; where there is none nothing answers, and any namespace does for finding that out.
netns::Worker& node_side(netns::Fabric& fabric) {
  const std::vector<netns::Node*> nodes = fabric.nodes();
  return nodes.empty() ? fabric.fabric_worker() : nodes.front()->worker();
}

constexpr size_t kMaxPorts = 256;
constexpr size_t kFdShare = 8;  // A port's connections, two descriptors each, leave three quarters to all the rest.
constexpr std::chrono::seconds kPatience(5);  // For another thread's turn.

// On the io loop's thread alone.
struct IoSide {
  base::Loop& io;
  netns::Worker& node;
  netns::Worker& fabric;
  std::map<std::tuple<From, base::Family, int>, std::unique_ptr<SocketPool>> pools;
  std::map<HostPort, std::unique_ptr<Forwarder>> forwarders;

  SocketPool& pool(From from, base::Family family, int type) {
    std::unique_ptr<SocketPool>& pool = pools[{from, family, type}];
    if (pool == nullptr) pool = std::make_unique<SocketPool>(io, from == From::kNode ? node : fabric, family, type);
    return *pool;
  }
};

struct Entry {
  Spec spec;
  std::string failed;      // Why the host's port could not be opened.
  Resolution resolution{std::nullopt, "the cluster is starting"};
  std::shared_ptr<Traffic> traffic = std::make_shared<Traffic>();
};

publish::ForwarderLimits limits_of_this_process() {
  publish::ForwarderLimits limits;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) limits.connections = std::clamp<size_t>(files.rlim_cur / kFdShare, 64, limits.connections);
  limits.udp_sessions = std::min(limits.udp_sessions, limits.connections);
  return limits;
}

PublishedPort show(const Entry& entry) {
  PublishedPort out;
  out.spec = entry.spec;
  if (!entry.failed.empty()) {
    out.status = "failed";
    out.reason = entry.failed;
  } else if (!entry.resolution.to) {
    out.status = "waiting";
    out.reason = entry.resolution.waiting_for;
  } else {
    out.status = "active";
    out.leads_to = entry.resolution.to->text();
    out.reason = entry.traffic->last_error();
  }
  const Traffic& t = *entry.traffic;
  out.open = t.open;
  out.total = t.total;
  out.failed = t.failed;
  out.bytes_sent = t.sent;
  out.bytes_received = t.received;
  return out;
}

class PublisherImpl final : public Publisher {
 public:
  PublisherImpl(ControlLoop& loop, base::Loop& io, netns::Fabric& fabric, std::unique_ptr<HostPorts> host_ports, const PublisherOptions& options)
      : loop_(loop),
        io_(io),
        host_ports_(std::move(host_ports)),
        options_(options),
        side_(std::make_shared<IoSide>(IoSide{io, node_side(fabric), fabric.fabric_worker(), {}, {}})) {
    for (const netns::NodePlan& node : fabric.plan().nodes) world_.nodes.push_back({node.name, node.address});
    world_.inside = options.inside;
    world_.find_service = [&loop](const std::string& ns, const std::string& name) { return loop.cache("services").find(ns, name); };
    loop.on_change("services", [this](const store::Object& before, const store::Object& after) {
      const store::Object& service = after ? after : before;
      resolve_all(&service);
    });
  }

  ~PublisherImpl() override {
    io_.call([this] {
      side_->forwarders.clear();
      side_->pools.clear();
    });
  }

  base::Result<PublishedPort> add(const Spec& spec, Keep when) override {
    std::lock_guard admin(admin_);
    PublishedPort added = TRY(open(spec));
    if (when == Keep::kNow) TRY_STATUS(save());
    return added;
  }

  base::Status keep() override {
    std::lock_guard admin(admin_);
    return save();
  }

  base::Status remove(const HostPort& host) override {
    std::lock_guard admin(admin_);
    {
      std::lock_guard lock(mutex_);
      if (entries_.erase(host) == 0) return base::Error(base::Code::kNotFound, "nothing is published on " + host.text());
    }
    io_.call([this, &host] { side_->forwarders.erase(host); });
    host_ports_->closed(host);
    base::log::info("no longer published on {}", host.text());
    return save();
  }

  std::vector<PublishedPort> list() override {
    std::lock_guard lock(mutex_);
    std::vector<PublishedPort> out;
    for (const auto& [host, entry] : entries_) out.push_back(show(entry));
    return out;
  }

  base::Status restore(const std::vector<Spec>& instead) override {
    std::lock_guard admin(admin_);
    for (const Spec& spec : TRY(read_kept())) {
      const bool taken = std::any_of(instead.begin(), instead.end(), [&](const Spec& other) { return other.host == spec.host; });
      if (taken) continue;
      base::Result<PublishedPort> opened = open(spec);
      if (!opened.ok()) keep_failed(spec, opened.error().message);
    }
    for (const Spec& spec : instead) TRY(open(spec));
    return instead.empty() ? base::Status() : save();
  }

 private:
  // With admin_ held.
  base::Result<PublishedPort> open(const Spec& wished) {
    {
      std::lock_guard lock(mutex_);
      auto known = wished.host.port == 0 ? entries_.end() : entries_.find(wished.host);
      if (known != entries_.end()) return base::Error(base::Code::kAlreadyExists, wished.host.text() + " is published already, to " + publish::render_target(known->second.spec));
      if (entries_.size() >= kMaxPorts) return base::Error(base::Code::kTooManyRequests, std::to_string(kMaxPorts) + " ports are published; remove one first");
    }
    HostPorts::Opened opened = TRY(host_ports_->open(wished.host));
    Spec spec = wished;
    spec.host.port = opened.port;
    Entry entry;
    entry.spec = spec;
    start_forwarder(spec, entry.traffic, std::move(opened.fd));
    {
      std::lock_guard lock(mutex_);
      entries_[spec.host] = std::move(entry);
    }
    resolve_now();
    std::lock_guard lock(mutex_);
    PublishedPort shown = show(entries_.at(spec.host));
    base::log::info("published {} -> {}{}", spec.host.text(), publish::render_target(spec), shown.status == "waiting" ? " (waiting: " + shown.reason + ")" : "");
    return shown;
  }

  void start_forwarder(const Spec& spec, const std::shared_ptr<Traffic>& traffic, base::Fd socket) {
    auto held = std::make_shared<base::Fd>(std::move(socket));
    io_.post([side = side_, spec, traffic, held] {
      IoSide* s = side.get();
      const std::string label = spec.host.text() + " -> " + publish::render_target(spec);
      publish::ForwarderContext context{s->io, [s](From from, base::Family family, int type) -> SocketPool& { return s->pool(from, family, type); }, traffic,
                                        [label](const std::string& reason) { base::log::warn("published port {}: {}", label, reason); }, limits_of_this_process()};
      const bool udp = spec.host.protocol == model::Protocol::kUdp;
      s->forwarders[spec.host] = udp ? publish::make_udp_forwarder(std::move(context), std::move(*held)) : publish::make_tcp_forwarder(std::move(context), std::move(*held));
    });
  }

  void keep_failed(const Spec& spec, const std::string& why) {
    base::log::error("published port {}: {}", publish::render_spec(spec), why);
    Entry entry;
    entry.spec = spec;
    entry.failed = why;
    std::lock_guard lock(mutex_);
    entries_[spec.host] = std::move(entry);
  }

  // Everything anew, on the control thread; returns when that is done.
  void resolve_now() {
    auto done = std::make_shared<std::promise<void>>();
    std::future<void> resolved = done->get_future();
    loop_.post([this, done] {
      resolve_all(nullptr);
      done->set_value();
    });
    resolved.wait_for(kPatience);
  }

  // Control thread. Those that look at `service`; all without one.
  void resolve_all(const store::Object* service) {
    std::lock_guard lock(mutex_);
    for (auto& [host, entry] : entries_) {
      if (!entry.failed.empty() || (service != nullptr && !publish::concerns(entry.spec, service->ns(), service->name()))) continue;
      Resolution resolution = publish::resolve(entry.spec, world_);
      if (resolution == entry.resolution) continue;
      const bool same = resolution.to == entry.resolution.to;
      entry.resolution = std::move(resolution);
      if (same) continue;
      entry.traffic->succeed();  // What went wrong before went wrong elsewhere.
      io_.post([side = side_, at = host, to = entry.resolution.to] {
        auto it = side->forwarders.find(at);
        if (it != side->forwarders.end()) it->second->set_destination(to);
      });
    }
  }

  base::Status save() {
    if (options_.state_file.empty()) return {};
    json specs = json::array();
    {
      std::lock_guard lock(mutex_);
      for (const auto& [host, entry] : entries_) specs.push_back(publish::render_spec(entry.spec));
    }
    return base::write_file_atomic(options_.state_file, specs.dump(2) + "\n", 0600);
  }

  base::Result<std::vector<Spec>> read_kept() {
    std::vector<Spec> out;
    if (options_.state_file.empty()) return out;
    base::Result<std::string> text = base::read_file(options_.state_file);
    if (!text.ok()) return out;  // None yet.
    const json specs = json::parse(*text, nullptr, false);
    if (!specs.is_array()) return base::Error(base::Code::kInternal, options_.state_file + " is not a list of published ports: remove it, and publish them again");
    for (const json& line : specs) {
      if (line.is_string()) out.push_back(TRY(publish::parse_spec(line.get<std::string>())));
    }
    return out;
  }

  ControlLoop& loop_;
  base::Loop& io_;
  const std::unique_ptr<HostPorts> host_ports_;
  const PublisherOptions options_;
  publish::World world_;               // Control thread.
  const std::shared_ptr<IoSide> side_;
  std::mutex admin_;                   // One add, remove or restore at a time; may be held while blocking.
  std::mutex mutex_;                   // Guards entries_; never held while blocking.
  std::map<HostPort, Entry> entries_;
};

}  // namespace

json describe(const PublishedPort& port) {
  json out = {{"hostIP", port.spec.host.ip.text()},
              {"hostPort", port.spec.host.port},
              {"protocol", port.spec.host.protocol == model::Protocol::kUdp ? "UDP" : "TCP"},
              {"target", publish::render_target(port.spec)},
              {"publish", publish::render_spec(port.spec)},
              {"status", port.status},
              {"connections", port.open},
              {"totalConnections", port.total},
              {"failedConnections", port.failed},
              {"bytesSent", port.bytes_sent},
              {"bytesReceived", port.bytes_received}};
  if (!port.leads_to.empty()) out["leadsTo"] = port.leads_to;
  if (!port.reason.empty()) out["reason"] = port.reason;
  return out;
}

std::unique_ptr<Publisher> make_publisher(ControlLoop& loop, base::Loop& io, netns::Fabric& fabric, std::unique_ptr<HostPorts> host_ports,
                                          const PublisherOptions& options) {
  return std::make_unique<PublisherImpl>(loop, io, fabric, std::move(host_ports), options);
}

}  // namespace server
