#include "server/gateway/gateway.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "server/gateway/ingress/compile_ingress.h"
#include "server/gateway/status_addresses.h"
#include "server/informer/events.h"
#include "server/informer/writes.h"
#include "store/base/log.h"
#include "store/object/access.h"

namespace server {
namespace {

using gateway::ObjectKey;
using gateway::Origin;
using gateway::Problem;

constexpr std::chrono::milliseconds kBetweenCompilations(5);
constexpr char kComponent[] = "nginx-ingress-controller";  // Of Events, as ingress-nginx names itself.

int choose_threads(int wanted) {
  if (wanted > 0) return wanted;
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 4u));
}

gateway::IngressOptions make_options(const ControllerSettings& s) {
  gateway::IngressOptions out;
  out.controller_class = s.controller_class;
  out.ingress_class = s.ingress_class;
  out.without_class = s.without_class;
  out.class_by_name = s.class_by_name;
  out.watch_namespace = s.watch_namespace;
  out.config_map = s.config_map;
  out.tcp_services = s.tcp_services;
  out.udp_services = s.udp_services;
  out.default_certificate = s.default_certificate;
  out.default_backend = s.default_backend;
  out.passthrough = s.passthrough;
  return out;
}

const char* storage_of(const std::string& kind) {
  if (kind == "Ingress") return "ingresses.networking.k8s.io";
  if (kind == "ConfigMap") return "configmaps";
  if (kind == "Secret") return "secrets";
  return "";
}

// What an Ingress asks for, without what others write beside it: status, managed fields.
std::string asked_for(const json& ingress) {
  const json* spec = store::find(ingress, "spec");
  const json* annotations = store::find(ingress, "metadata.annotations");
  return (spec != nullptr ? spec->dump() : "") + (annotations != nullptr ? annotations->dump() : "");
}

class GatewayImpl final : public Gateway {
 public:
  GatewayImpl(ControlLoop& loop, ServiceFeed& services, PodRuntime& runtime, const GatewayOptions& options)
      : loop_(loop),
        events_(loop, kComponent),
        names_(loop, options.look_up, [this] { compile_soon(); }),
        serving_(loop, runtime, choose_threads(options.threads), options.start_engine, [this] { compile_soon(); }),
        compile_queue_(loop.make_queue("ingress", [this](const store::Key&) { return compile_all(); }, {QueueOptions::Priority::kNormal, kBetweenCompilations})),
        status_queue_(loop.make_queue("ingress-status", [this](const store::Key& key) { return write_addresses(key); })) {
    input_.services = &services.index();
    follow("ingresses.networking.k8s.io", input_.ingresses, gateway::project_ingress);
    follow("secrets", input_.secrets, gateway::project_secret, &Group::secrets);
    follow("configmaps", input_.config_maps, gateway::project_config_map, &Group::config_maps);
    loop.on_change("ingressclasses.networking.k8s.io", [this](const store::Object& before, const store::Object& after) {
      if (after) input_.classes[after.name()] = gateway::project_ingress_class(after);
      else input_.classes.erase(before.name());
      compile_soon();
    });
    loop.on_change("ingresses.networking.k8s.io", [this](const store::Object& before, const store::Object& after) {
      if (after && before && asked_for(before.tree()) != asked_for(after.tree())) synced_.erase(before.key());
      if (!after) forget(before.key());
      else status_queue_.add(after.key());
    });
    services.on_change([this](const std::set<model::ServiceKey>&) { compile_soon(); });
  }

  void when_synced(std::function<void()> fn) override {
    if (!serving_.settled()) {  // A controller pod that has no engine yet.
      loop_.post_after(std::chrono::milliseconds(1), [this, fn = std::move(fn)]() mutable { when_synced(std::move(fn)); });
      return;
    }
    if (serving_.groups().empty()) return fn();
    waiters_.push_back(std::move(fn));
    compile_soon();
  }

  base::Result<json> explain(const gateway::Question& question) override {
    const std::set<ControllerSettings> groups = serving_.groups();
    if (groups.empty()) return base::Error(base::Code::kUnavailable, "no ingress controller runs: 'kubectl get pods -n ingress-nginx' shows why; a cluster made with --no-ingress has none");
    for (const ControllerSettings& settings : groups) {
      Group& group = groups_[settings];
      if (group.table == nullptr) group.table = compile(settings);
    }
    // Of several controllers the first that has a rule for the request answers.
    std::optional<json> first;
    for (const ControllerSettings& settings : groups) {
      json out = gateway::explain(*groups_[settings].table, question, [this](const Origin& origin) { return find(origin); });
      add_problems(out, groups_[settings].problems);
      if (out.contains("rule") || groups.size() == 1) return out;
      if (!first) first = std::move(out);
    }
    return *first;
  }

 private:
  struct Group {
    gateway::CompileCache cache;
    gateway::TablePtr table;
    std::vector<Problem> problems;
    std::set<ObjectKey> claimed;   // By the last compilation.
    std::set<ObjectKey> served;    // By the last table that is in force.
    std::set<ObjectKey> secrets, config_maps;  // That the last compilation looked at, or for.
    std::set<std::string> names;   // That it needs the addresses of.
    std::set<std::string> told;    // Its problems, by object, generation and text.
  };

  template <class Key, class Value>
  void follow(const char* storage, std::map<Key, Value>& into, Value (*project)(const store::Object&), std::set<ObjectKey> Group::* of_interest = nullptr) {
    loop_.on_change(storage, [this, &into, project, of_interest](const store::Object& before, const store::Object& after) {
      const store::Object& object = after ? after : before;
      const Key key{object.ns(), object.name()};
      // What nobody looked at changes no table; whoever begins to look compiles then.
      const bool counts = of_interest == nullptr || std::any_of(groups_.begin(), groups_.end(), [&](const auto& entry) { return (entry.second.*of_interest).contains(key); });
      if (!after) {
        into.erase(key);
        if (counts) compile_soon();
        return;
      }
      Value value = project(after);
      auto [at, fresh] = into.try_emplace(key);
      if (!fresh && at->second == value) return;
      at->second = std::move(value);
      if (counts) compile_soon();
    });
  }

  void compile_soon() { compile_queue_.add(store::Key{"ingress", "", "all"}); }

  gateway::TablePtr compile(const ControllerSettings& settings) {
    Group& group = groups_[settings];
    input_.resolved = names_.known();
    gateway::IngressResult result = gateway::compile_ingress(input_, make_options(settings), &group.cache);
    result.table.generation = ++generation_;
    group.claimed = {result.served.begin(), result.served.end()};
    group.problems = std::move(result.problems);
    group.secrets = std::move(result.secrets);
    group.config_maps = std::move(result.config_maps);
    group.names = std::move(result.names);
    return std::make_shared<const gateway::Table>(std::move(result.table));
  }

  base::Result<Requeue> compile_all() {
    const std::set<ControllerSettings> groups = serving_.groups();
    std::erase_if(groups_, [&](const auto& entry) { return !groups.contains(entry.first); });
    for (const ControllerSettings& settings : groups) groups_[settings].table = compile(settings);
    want_names();
    // Who waits, waits for the names' addresses, too.
    std::vector<std::function<void()>> waiters;
    if (!names_.asking()) waiters = std::exchange(waiters_, {});
    auto left = std::make_shared<size_t>(groups.size());
    auto done = [left, waiters = std::make_shared<std::vector<std::function<void()>>>(std::move(waiters))] {
      if (*left > 0 && --*left > 0) return;
      for (auto& waiter : std::exchange(*waiters, {})) waiter();
    };
    if (groups.empty()) done();
    for (const ControllerSettings& settings : groups) {
      Group& group = groups_[settings];
      tell(settings, group);
      serving_.publish(settings, group.table, [this, settings, claimed = group.claimed, done] {
        if (auto found = groups_.find(settings); found != groups_.end()) found->second.served = claimed;
        for (const auto& [key, ingress] : input_.ingresses) status_queue_.add(store::Key{"ingresses.networking.k8s.io", key.ns, key.name});
        done();
      });
    }
    return Requeue{};
  }

  void want_names() {
    std::set<std::string> all;
    for (const auto& [settings, group] : groups_) all.insert(group.names.begin(), group.names.end());
    names_.want(all);
  }

  const store::Object* find(const Origin& origin) {
    const std::string storage = storage_of(origin.kind);
    return storage.empty() ? nullptr : loop_.cache(storage).find(origin.ns, origin.name);
  }

  // Each problem once for each generation of the object it is about, and again when it comes back.
  void tell(const ControllerSettings& settings, Group& group) {
    std::set<std::string> now;
    for (const Problem& problem : group.problems) {
      const store::Object* object = find(problem.origin);
      if (object == nullptr) continue;
      const std::string identity = store::get_string(object->tree(), "metadata.uid") + "/" + std::to_string(store::get_int(object->tree(), "metadata.generation")) + "/" + problem.reason + "/" + problem.message;
      const bool known = std::any_of(groups_.begin(), groups_.end(), [&](const auto& entry) { return entry.second.told.contains(identity); });
      if (!known && problem.reason == "NameNotResolved" && names_.asking()) continue;  // The answer makes another table.
      if (!now.insert(identity).second || known) continue;
      events_.warning(make_ref(*object), problem.reason, problem.message);
      serving_.print(settings, "W " + problem.origin.kind + " " + problem.origin.ns + "/" + problem.origin.name + ": " + problem.message + "\n");
    }
    group.told = std::move(now);
    for (const ObjectKey& key : group.claimed) {
      const store::Object* object = loop_.cache("ingresses.networking.k8s.io").find(key.ns, key.name);
      if (object != nullptr && synced_.insert(object->key()).second) events_.normal(make_ref(*object), "Sync", "Scheduled for sync");
    }
  }

  void forget(const store::Key& key) { synced_.erase(key); }

  // Level-triggered: what the Ingress should show, whoever changed what.
  base::Result<Requeue> write_addresses(const store::Key& key) {
    const store::Object* ingress = loop_.cache("ingresses.networking.k8s.io").find(key.ns, key.name);
    if (ingress == nullptr || store::find(ingress->tree(), "metadata.deletionTimestamp") != nullptr) return Requeue{};
    const ObjectKey name{key.ns, key.name};
    const json& has = store::get_array(ingress->tree(), "status.loadBalancer.ingress");
    bool claimed = false;
    for (const auto& [settings, group] : groups_) {
      if (group.served.contains(name)) return write(*ingress, has, addresses_of(settings));
      claimed = claimed || group.claimed.contains(name);
    }
    // Not ours any more: what we wrote goes, what another controller wrote stays.
    if (claimed || has.empty()) return Requeue{};
    for (const auto& [settings, group] : groups_) {
      if (has == addresses_of(settings)) return write(*ingress, has, json::array());
    }
    return Requeue{};
  }

  json addresses_of(const ControllerSettings& settings) {
    const size_t slash = std::min(settings.publish_service.find('/'), settings.publish_service.size());
    const store::Object* service = slash == settings.publish_service.size() ? nullptr : loop_.cache("services").find(settings.publish_service.substr(0, slash), settings.publish_service.substr(slash + 1));
    return status_addresses(settings.publish_addresses, service != nullptr ? &service->tree() : nullptr);
  }

  base::Result<Requeue> write(const store::Object& ingress, const json& has, const json& wanted) {
    if (has == wanted) return Requeue{};
    const json load_balancer = wanted.empty() ? json::object() : json{{"ingress", wanted}};
    TRY(write_status(loop_.client(), ingress, {{"loadBalancer", load_balancer}}));
    return Requeue{};
  }

  static void add_problems(json& out, const std::vector<Problem>& problems) {
    const json rule = store::get_object(out, "rule");
    for (const Problem& p : problems) {
      if (p.origin.kind != store::get_string(rule, "kind") || p.origin.ns != store::get_string(rule, "namespace") || p.origin.name != store::get_string(rule, "name")) continue;
      out["problems"].push_back({{"about", p.origin.field}, {"reason", p.reason}, {"message", p.message}});
    }
  }

  ControlLoop& loop_;
  EventRecorder events_;
  gateway::IngressInput input_;
  std::map<ControllerSettings, Group> groups_;
  std::vector<std::function<void()>> waiters_;
  std::set<store::Key> synced_;      // Ingresses that have their "Sync".
  uint64_t generation_ = 0;
  Names names_;
  Serving serving_;
  WorkQueue& compile_queue_;
  WorkQueue& status_queue_;
};

}  // namespace

std::unique_ptr<Gateway> make_gateway(ControlLoop& loop, ServiceFeed& services, PodRuntime& runtime, const GatewayOptions& options) {
  return std::make_unique<GatewayImpl>(loop, services, runtime, options);
}

}  // namespace server
