#include "server/controllers/deployment_steps.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "store/object/access.h"

namespace server {
namespace {

int64_t sum_spec(const ReplicaSets& sets) {
  return std::accumulate(sets.begin(), sets.end(), int64_t{0}, [](int64_t n, const ReplicaSet* rs) { return n + rs->replicas; });
}

int64_t sum_available(const ReplicaSets& sets) {
  return std::accumulate(sets.begin(), sets.end(), int64_t{0}, [](int64_t n, const ReplicaSet* rs) { return n + rs->status.available; });
}

bool older(const ReplicaSet* a, const ReplicaSet* b) {
  return std::tuple(a->meta.created, std::cref(a->meta.name).get()) < std::tuple(b->meta.created, std::cref(b->meta.name).get());
}

ReplicaSets active_of(const ReplicaSets& sets) {
  ReplicaSets out;
  std::copy_if(sets.begin(), sets.end(), std::back_inserter(out), [](const ReplicaSet* rs) { return rs->replicas > 0; });
  return out;
}

int64_t annotated_number(const ReplicaSet& rs, const char* key, int64_t fallback) {
  auto it = rs.meta.annotations.find(key);
  if (it == rs.meta.annotations.end()) return fallback;
  int64_t number = 0;
  auto [end, ec] = std::from_chars(it->second.data(), it->second.data() + it->second.size(), number);
  return ec == std::errc() ? number : fallback;
}

bool is_saturated(const Rollout& rollout) {
  const ReplicaSet* rs = rollout.current;
  const int64_t wanted = rollout.deployment.replicas;
  return rs && rs->replicas == wanted && annotated_number(*rs, kDesiredReplicas, -1) == wanted && rs->status.available == wanted;
}

// How many of the replicas to add (or remove, negative) this set takes, by its share.
int64_t share_of(const ReplicaSet& rs, const Deployment& d, int64_t to_add, int64_t added) {
  if (rs.replicas == 0 || to_add == 0 || to_add == added) return 0;
  int64_t share;
  if (d.replicas == 0) {
    share = -rs.replicas;
  } else {
    const int64_t most = d.replicas + d.max_surge;
    const int64_t before = annotated_number(rs, kMaxReplicas, d.status.replicas);
    share = before > 0 ? std::llround(static_cast<double>(rs.replicas * most) / static_cast<double>(before)) - rs.replicas : 0;
  }
  const int64_t allowed = to_add - added;
  return to_add > 0 ? std::min(share, allowed) : std::max(share, allowed);
}

std::string subject(const Rollout& rollout) {
  return rollout.current ? "ReplicaSet \"" + rollout.current->meta.name + "\"" : "Deployment \"" + rollout.deployment.meta.name + "\"";
}

}  // namespace

ReplicaSets Rollout::all() const {
  ReplicaSets out = old;
  if (current) out.push_back(current);
  return out;
}

bool same_template(const json& a, const json& b) {
  json left = a, right = b;
  for (json* side : {&left, &right}) {
    store::erase(*side, "metadata.labels.pod-template-hash");
    store::erase(*side, "metadata.creationTimestamp");
    if (store::get_object(*side, "metadata.labels").empty()) store::erase(*side, "metadata.labels");
  }
  return left == right;
}

std::string template_hash(const json& pod_template, int64_t collisions) {
  static constexpr char kAlphabet[] = "bcdfghjklmnpqrstvwxz2456789";
  uint32_t hash = 2166136261u;
  std::string text = pod_template.dump(-1, ' ', false, json::error_handler_t::replace);
  if (collisions > 0) text += std::to_string(collisions);
  for (const unsigned char c : text) hash = (hash ^ c) * 16777619u;
  // Digits become letters that cannot form words: the hash is part of pod names.
  std::string out = std::to_string(hash);
  for (char& c : out) c = kAlphabet[static_cast<unsigned char>(c) % (sizeof kAlphabet - 1)];
  return out;
}

Rollout split_replica_sets(const Deployment& deployment, ReplicaSets sets) {
  std::sort(sets.begin(), sets.end(), older);
  Rollout out{deployment, nullptr, {}};
  for (const ReplicaSet* rs : sets) {
    if (!out.current && same_template(rs->pod_template(), deployment.pod_template())) {
      out.current = rs;
    } else {
      out.old.push_back(rs);
    }
  }
  return out;
}

int64_t current_set_replicas(const Rollout& rollout) {
  const Deployment& d = rollout.deployment;
  if (d.recreate) return d.replicas;
  const int64_t own = rollout.current ? rollout.current->replicas : 0;
  const int64_t pods = sum_spec(rollout.all());
  const int64_t most = d.replicas + d.max_surge;
  if (pods >= most) return own;
  return own + std::min(most - pods, d.replicas - own);
}

std::vector<ScaleStep> shrink_old_sets(const Rollout& rollout) {
  const Deployment& d = rollout.deployment;
  const int64_t old_pods = sum_spec(rollout.old);
  if (old_pods == 0) return {};
  const int64_t min_available = d.replicas - d.max_unavailable;
  const int64_t unavailable = rollout.current ? rollout.current->replicas - rollout.current->status.available : 0;
  const int64_t spare = sum_spec(rollout.all()) - min_available - unavailable;
  if (spare <= 0) return {};

  std::vector<ScaleStep> steps;
  for (const ReplicaSet* rs : rollout.old) steps.push_back({rs, rs->replicas});
  // Pods that serve nobody go first: they cost no availability.
  int64_t removed = 0;
  for (ScaleStep& step : steps) {
    if (removed >= spare) break;
    const int64_t unhealthy = step.set->replicas - step.set->status.available;
    if (step.to == 0 || unhealthy <= 0) continue;
    const int64_t n = std::min(spare - removed, unhealthy);
    step.to -= n;
    removed += n;
  }
  int64_t expendable = sum_available(rollout.all()) - min_available;
  for (ScaleStep& step : steps) {
    if (expendable <= 0) break;
    const int64_t n = std::min(step.to, expendable);
    step.to -= n;
    expendable -= n;
  }
  std::erase_if(steps, [](const ScaleStep& step) { return step.to == step.set->replicas; });
  return steps;
}

std::vector<ScaleStep> scale_in_proportion(const Rollout& rollout) {
  const Deployment& d = rollout.deployment;
  ReplicaSets active = active_of(rollout.all());
  if (active.size() <= 1) {
    const ReplicaSet* only = !active.empty() ? active.front() : rollout.current;
    if (!only && !rollout.old.empty()) only = rollout.old.back();
    if (!only) return {};
    return {{only, d.replicas}};
  }
  if (is_saturated(rollout)) {
    std::vector<ScaleStep> steps;
    for (const ReplicaSet* rs : active_of(rollout.old)) steps.push_back({rs, 0});
    return steps;
  }
  if (d.recreate) return {};
  const int64_t allowed = d.replicas > 0 ? d.replicas + d.max_surge : 0;
  const int64_t to_add = allowed - sum_spec(active);
  // Biggest first, so that rounding leftovers hurt least; among equals newer ones grow, older ones shrink.
  std::stable_sort(active.begin(), active.end(), [to_add](const ReplicaSet* a, const ReplicaSet* b) {
    if (a->replicas != b->replicas) return a->replicas > b->replicas;
    return to_add > 0 ? older(b, a) : older(a, b);
  });
  std::vector<ScaleStep> steps;
  int64_t added = 0;
  for (const ReplicaSet* rs : active) {
    const int64_t n = to_add != 0 ? share_of(*rs, d, to_add, added) : 0;
    steps.push_back({rs, rs->replicas + n});
    added += n;
  }
  steps.front().to = std::max<int64_t>(0, steps.front().to + to_add - added);
  return steps;
}

bool is_scaling_event(const Rollout& rollout) {
  const ReplicaSets active = active_of(rollout.all());
  return std::any_of(active.begin(), active.end(), [&](const ReplicaSet* rs) {
    const int64_t desired = annotated_number(*rs, kDesiredReplicas, -1);
    return desired >= 0 && desired != rollout.deployment.replicas;
  });
}

const Condition* find_condition(const DeploymentStatus& status, const std::string& type) {
  auto it = std::find_if(status.conditions.begin(), status.conditions.end(), [&](const Condition& c) { return c.type == type; });
  return it == status.conditions.end() ? nullptr : &*it;
}

void set_condition(DeploymentStatus& status, Condition condition) {
  if (const Condition* old = find_condition(status, condition.type)) {
    if (old->status == condition.status && old->reason == condition.reason) return;
    if (old->status == condition.status) condition.last_transition = old->last_transition;
  }
  std::erase_if(status.conditions, [&](const Condition& c) { return c.type == condition.type; });
  status.conditions.push_back(std::move(condition));
}

Condition make_condition(const std::string& type, bool is_true, const std::string& reason, const std::string& message, base::WallTime now) {
  const std::string time = base::render_rfc3339(now);
  return {type, is_true ? "True" : "False", reason, message, time, time};
}

DeploymentStatus compute_status(const Rollout& rollout, base::WallTime now) {
  const Deployment& d = rollout.deployment;
  DeploymentStatus out;
  out.observed_generation = d.meta.generation;
  out.collisions = d.status.collisions;
  out.conditions = d.status.conditions;
  for (const ReplicaSet* rs : rollout.all()) {
    out.replicas += rs->status.replicas;
    out.ready += rs->status.ready;
    out.available += rs->status.available;
  }
  out.updated = rollout.current ? rollout.current->status.replicas : 0;
  out.unavailable = std::max<int64_t>(0, sum_spec(rollout.all()) - out.available);
  if (out.available >= d.replicas - d.max_unavailable) {
    set_condition(out, make_condition("Available", true, "MinimumReplicasAvailable", "Deployment has minimum availability.", now));
  } else {
    set_condition(out, make_condition("Available", false, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", now));
  }
  return out;
}

bool is_complete(const Deployment& d, const DeploymentStatus& status) {
  return status.updated == d.replicas && status.replicas == d.replicas && status.available == d.replicas &&
         status.observed_generation >= d.meta.generation;
}

std::optional<base::WallTime> progress_deadline(const Deployment& d, const DeploymentStatus& status) {
  const Condition* progressing = find_condition(status, "Progressing");
  if (!d.progress_deadline || !progressing || is_complete(d, status)) return std::nullopt;
  if (progressing->reason == "ProgressDeadlineExceeded" || progressing->reason == "NewReplicaSetAvailable") return std::nullopt;
  auto since = base::parse_rfc3339(progressing->last_update);
  if (!since.ok()) return std::nullopt;
  return *since + *d.progress_deadline;
}

DeploymentStatus compute_rollout_status(const Rollout& rollout, base::WallTime now) {
  const Deployment& d = rollout.deployment;
  DeploymentStatus out = compute_status(rollout, now);
  const Condition* current = find_condition(out, "Progressing");
  const bool was_complete = out.replicas == out.updated && current && current->reason == "NewReplicaSetAvailable";
  if (!d.progress_deadline) std::erase_if(out.conditions, [](const Condition& c) { return c.type == "Progressing"; });
  if (d.progress_deadline && !was_complete) {
    const DeploymentStatus& before = d.status;
    const bool moved = out.updated > before.updated || out.replicas - out.updated < before.replicas - before.updated ||
                       out.ready > before.ready || out.available > before.available;
    if (is_complete(d, out)) {
      set_condition(out, make_condition("Progressing", true, "NewReplicaSetAvailable", subject(rollout) + " has successfully progressed.", now));
    } else if (moved) {
      Condition next = make_condition("Progressing", true, "ReplicaSetUpdated", subject(rollout) + " is progressing.", now);
      if (current && current->status == "True") next.last_transition = current->last_transition;
      std::erase_if(out.conditions, [](const Condition& c) { return c.type == "Progressing"; });  // Progress renews the update time.
      out.conditions.push_back(std::move(next));
    } else if (auto deadline = progress_deadline(d, out); deadline && *deadline < now) {
      set_condition(out, make_condition("Progressing", false, "ProgressDeadlineExceeded", subject(rollout) + " has timed out progressing.", now));
    }
  }
  std::erase_if(out.conditions, [](const Condition& c) { return c.type == "ReplicaFailure"; });
  for (const ReplicaSet* rs : rollout.all()) {
    for (const json& failure : store::get_array(rs->object.tree(), "status.conditions")) {
      if (store::get_string(failure, "type") != "ReplicaFailure" || find_condition(out, "ReplicaFailure")) continue;
      const std::string time = store::get_string(failure, "lastTransitionTime");
      out.conditions.push_back({"ReplicaFailure", store::get_string(failure, "status"), store::get_string(failure, "reason"),
                                store::get_string(failure, "message"), time, time});
    }
  }
  return out;
}

ReplicaSets surplus_history(const Rollout& rollout) {
  const Deployment& d = rollout.deployment;
  if (!d.history_limit) return {};
  ReplicaSets candidates;
  for (const ReplicaSet* rs : rollout.old) {
    if (!rs->meta.deleting) candidates.push_back(rs);
  }
  const int64_t surplus = static_cast<int64_t>(candidates.size()) - *d.history_limit;
  if (surplus <= 0) return {};
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const ReplicaSet* a, const ReplicaSet* b) { return revision_of(a->meta) < revision_of(b->meta); });
  candidates.resize(surplus);
  std::erase_if(candidates, [](const ReplicaSet* rs) {
    return rs->replicas != 0 || rs->status.replicas != 0 || rs->meta.generation > rs->status.observed_generation;
  });
  return candidates;
}

}  // namespace server
