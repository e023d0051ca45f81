#include "server/gateway/serving.h"

#include <nlohmann/json.hpp>

#include "server/gateway/objects.h"
#include "store/base/log.h"
#include "store/object/access.h"

namespace server {
namespace {

using json = nlohmann::json;

constexpr uint16_t kHealthPort = 10254;
constexpr char kBanner[] = "kubelan plays ingress-nginx v1.15.1 here; 'kubelan explain ingress HOST/PATH' says where a request goes\n";

}  // namespace

Serving::Serving(ControlLoop& loop, PodRuntime& runtime, int threads, StartEngine start, std::function<void()> on_groups)
    : loop_(loop),
      runtime_(runtime),
      threads_(threads),
      start_engine_(std::move(start)),
      on_groups_(std::move(on_groups)),
      events_(loop, "nginx-ingress-controller"),
      queue_(loop.make_queue("ingress-engines", [this](const store::Key& key) { return reconcile(key); })) {
  loop.on_change("pods", [this](const store::Object& before, const store::Object& after) { on_pod(before, after); });
}

Serving::~Serving() { *alive_ = false; }

void Serving::on_pod(const store::Object& before, const store::Object& after) {
  const store::Key key = (after ? after : before).key();
  if (!instances_.contains(key) && !(after && project_controller_pod(after))) return;
  waiting_.insert(key);
  queue_.add(key);
}

base::Result<Requeue> Serving::reconcile(const store::Key& key) {
  const store::Object* object = loop_.cache("pods").find(key.ns, key.name);
  const std::optional<ControllerPod> pod = object == nullptr ? std::nullopt : project_controller_pod(*object);
  auto found = instances_.find(key);
  const bool other = found != instances_.end() && (!pod || pod->uid != found->second.pod.uid || pod->container_id != found->second.pod.container_id);
  if (other) end(key);
  if (!pod) {
    waiting_.erase(key);
    return Requeue{};
  }
  if (!instances_.contains(key)) {
    if (pod->deleting) {
      waiting_.erase(key);
      return Requeue{};
    }
    TRY_STATUS(start(*object, *pod));
  }
  waiting_.erase(key);
  Instance& instance = instances_.at(key);
  if (pod->deleting && !instance.draining) {
    instance.draining = true;
    instance.engine->drain({});
  }
  const bool open = instance.has != 0;
  if (!pod->deleting && pod->gated && pod->gate_open != open) TRY_STATUS(set_gate(*object, *pod, open));
  return Requeue{};
}

base::Status Serving::start(const store::Object& object, const ControllerPod& pod) {
  ContainerStandIn place = TRY(runtime_.stand_in(object.ns(), object.name(), pod.container));
  gateway::EngineOptions options;
  options.threads = threads_;
  options.net = std::move(place.net);
  options.health_port = kHealthPort;
  options.name = "ingress";
  options.access_log = [print = place.print](std::string&& lines) { print(lines); };
  base::Result<std::unique_ptr<gateway::Engine>> engine = start_engine_(std::move(options));
  if (!engine.ok()) {
    events_.warning(make_ref(object), "EngineFailed", engine.error().message);
    return std::move(engine).error().context("ingress controller " + object.ns() + "/" + object.name());
  }
  place.print(kBanner);
  Instance& instance = instances_[object.key()];
  instance = Instance{object.key(), pod, std::move(place.print), std::move(engine).value(), 0, 0, false};
  const bool first = !groups_.contains(pod.settings);
  groups_.try_emplace(pod.settings);
  if (first) on_groups_();
  else hand_over(instance);
  return {};
}

void Serving::end(const store::Key& key) {
  const ControllerSettings group = instances_.at(key).pod.settings;
  instances_.erase(key);
  bool last = true;
  for (const auto& [other, instance] : instances_) last = last && instance.pod.settings != group;
  if (last) {
    groups_.erase(group);
    on_groups_();
  } else {
    check_live(group);
  }
}

std::set<ControllerSettings> Serving::groups() const {
  std::set<ControllerSettings> out;
  for (const auto& [settings, group] : groups_) out.insert(settings);
  return out;
}

bool Serving::live(const ControllerSettings& group) const {
  for (const auto& [key, instance] : instances_) {
    if (instance.pod.settings == group && instance.has != 0) return true;
  }
  return false;
}

void Serving::publish(const ControllerSettings& settings, gateway::TablePtr table, std::function<void()> live) {
  auto group = groups_.find(settings);
  if (group == groups_.end()) return;
  group->second = Group{std::move(table), ++last_number_, std::move(live)};
  for (auto& [key, instance] : instances_) {
    if (instance.pod.settings == settings) hand_over(instance);
  }
  check_live(settings);
}

void Serving::hand_over(Instance& instance) {
  const Group& group = groups_.at(instance.pod.settings);
  if (group.table == nullptr) return;
  instance.wanted = group.number;
  // Called on some thread of the engine's; this object may be gone when the control thread comes to it.
  auto told = [this, alive = std::weak_ptr<bool>(alive_), &loop = loop_, key = instance.key, id = instance.pod.container_id, number = group.number](std::vector<std::string> problems) {
    loop.post([this, alive, key, id, number, problems = std::move(problems)] {
      const std::shared_ptr<bool> here = alive.lock();
      if (here != nullptr && *here) on_published(key, id, number, problems);
    });
  };
  instance.engine->publish(group.table, std::move(told));
}

void Serving::on_published(const store::Key& key, const std::string& container_id, uint64_t number, const std::vector<std::string>& problems) {
  auto found = instances_.find(key);
  if (found == instances_.end() || found->second.pod.container_id != container_id) return;
  Instance& instance = found->second;
  for (const std::string& problem : problems) {
    base::log::warn("ingress controller {}/{}: {}", key.ns, key.name, problem);
    instance.print("W " + problem + "\n");
  }
  const bool first = instance.has == 0;
  instance.has = std::max(instance.has, number);
  if (first) queue_.add(key);
  check_live(instance.pod.settings);
}

void Serving::check_live(const ControllerSettings& settings) {
  auto group = groups_.find(settings);
  if (group == groups_.end() || group->second.live == nullptr) return;
  for (const auto& [key, instance] : instances_) {
    if (instance.pod.settings == settings && instance.has < group->second.number) return;
  }
  std::function<void()> live = std::exchange(group->second.live, nullptr);
  live();
}

void Serving::print(const ControllerSettings& group, const std::string& lines) {
  for (auto& [key, instance] : instances_) {
    if (instance.pod.settings == group) instance.print(lines);
  }
}

base::Status Serving::set_gate(const store::Object& object, const ControllerPod&, bool open) {
  const json condition = {{"type", kIngressGate}, {"status", open ? "True" : "False"}, {"lastTransitionTime", base::render_rfc3339(loop_.clock().wall())}};
  const store::Resource* pods = loop_.client().registry().find("", "v1", "pods");
  const json patch = {{"metadata", {{"uid", store::get_string(object.tree(), "metadata.uid")}}}, {"status", {{"conditions", json::array({condition})}}}};
  const base::Result<store::Object> written = loop_.client().patch(*pods, object.ns(), object.name(), PatchType::kStrategic, patch, "status");
  if (!written.ok() && written.error().code != base::Code::kNotFound) return written.error();
  return {};
}

}  // namespace server
