#include "server/controllers/stateful_set_steps.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "server/controllers/pod_owners.h"
#include "store/object/access.h"

namespace server {
namespace {

std::string revision_of_pod(const Pod& pod) {
  auto it = pod.meta.labels.find(kRevisionLabel);
  return it == pod.meta.labels.end() ? "" : it->second;
}

bool running_and_ready(const Pod& pod) { return pod.phase == PodPhase::kRunning && pod.ready; }

// One look at all pods, and what follows.
class StatefulPlanner {
 public:
  StatefulPlanner(const StatefulSet& set, const std::vector<const Pod*>& pods, const std::string& update_revision, base::WallTime now)
      : set_(set), update_revision_(update_revision), now_(now) {
    for (const Pod* pod : pods) {
      const int64_t ordinal = ordinal_of(set, pod->meta.name);
      if (ordinal < 0) continue;
      (ordinal >= set.start && ordinal < set.end() ? replicas_ : condemned_)[ordinal] = pod;
    }
    for (const auto* group : {&replicas_, &condemned_}) {
      for (const auto& [ordinal, pod] : *group) {
        if (healthy(*pod)) continue;
        if (first_unhealthy_ == nullptr || ordinal < first_unhealthy_ordinal_) {
          first_unhealthy_ = pod;
          first_unhealthy_ordinal_ = ordinal;
        }
      }
    }
  }

  StatefulPlan plan() {
    if (fill() && shrink()) update();
    return std::move(plan_);
  }

 private:
  bool available(const Pod& pod) const { return running_and_ready(pod) && pod.available(now_, set_.min_ready); }
  bool healthy(const Pod& pod) const { return running_and_ready(pod) && !pod.meta.deleting; }
  bool ordered() const { return !set_.parallel; }

  // Every number has its pod. False: an ordered set waits for one.
  bool fill() {
    for (int64_t ordinal = set_.start; ordinal < set_.end(); ++ordinal) {
      auto it = replicas_.find(ordinal);
      if (it == replicas_.end()) {
        const bool current = !set_.on_delete && ordinal < set_.start + set_.partition;
        plan_.create.push_back({ordinal, current});
        if (ordered()) return false;
        continue;
      }
      const Pod& pod = *it->second;
      if (pod.finished()) {
        if (!pod.meta.deleting) plan_.remove.push_back(&pod);
        if (ordered()) return false;
        continue;
      }
      if (ordered() && (pod.meta.deleting || !available(pod))) return false;
    }
    return true;
  }

  // Pods beyond the wanted number go, the highest first. False: an ordered set waits for one.
  bool shrink() {
    for (auto it = condemned_.rbegin(); it != condemned_.rend(); ++it) {
      const Pod& pod = *it->second;
      if (pod.meta.deleting) {
        if (ordered()) return false;
        continue;
      }
      // An unhealthy pod of a lower number must be seen to first, unless it is this one.
      if (ordered() && !available(pod) && &pod != first_unhealthy_) return false;
      plan_.remove.push_back(&pod);
      if (ordered()) return false;
    }
    return true;
  }

  // Pods of an old revision are replaced, the highest number first, as long as not too many are missing.
  void update() {
    if (set_.on_delete || !plan_.create.empty() || !plan_.remove.empty()) return;
    int64_t budget = set_.max_unavailable;
    for (const auto& [ordinal, pod] : replicas_) {
      const bool replaceable = is_old(*pod) && !pod->meta.deleting && ordinal >= set_.start + set_.partition;
      if (!replaceable && (pod->meta.deleting || !available(*pod))) --budget;
    }
    for (auto it = replicas_.rbegin(); it != replicas_.rend() && it->first >= set_.start + set_.partition; ++it) {
      if (budget <= 0) return;
      if (!is_old(*it->second) || it->second->meta.deleting) continue;
      plan_.remove.push_back(it->second);
      --budget;
    }
  }

  bool is_old(const Pod& pod) const { return revision_of_pod(pod) != update_revision_; }

  const StatefulSet& set_;
  const std::string& update_revision_;
  const base::WallTime now_;
  std::map<int64_t, const Pod*> replicas_, condemned_;
  const Pod* first_unhealthy_ = nullptr;
  int64_t first_unhealthy_ordinal_ = 0;
  StatefulPlan plan_;
};

}  // namespace

StatefulPlan plan_stateful_set(const StatefulSet& set, const std::vector<const Pod*>& pods, const std::string& update_revision, base::WallTime now) {
  return StatefulPlanner(set, pods, update_revision, now).plan();
}

StatefulSet::Status compute_stateful_set_status(const StatefulSet& set, const std::vector<const Pod*>& pods, const std::string& update_revision,
                                                int64_t collisions, base::WallTime now) {
  StatefulSet::Status out;
  out.observed_generation = set.meta.generation;
  out.update_revision = update_revision;
  out.current_revision = set.status.current_revision.empty() ? update_revision : set.status.current_revision;
  out.collisions = collisions;
  for (const Pod* pod : pods) {
    ++out.replicas;
    if (running_and_ready(*pod)) {
      ++out.ready;
      out.available += pod->available(now, set.min_ready);
    }
    if (pod->meta.deleting) continue;
    out.current += revision_of_pod(*pod) == out.current_revision;
    out.updated += revision_of_pod(*pod) == out.update_revision;
  }
  // Through: the newest revision is the current one from now on.
  if (!set.on_delete && out.updated == out.replicas && out.ready == out.replicas && out.replicas == set.replicas) {
    out.current_revision = out.update_revision;
    out.current = out.updated;
  }
  return out;
}

std::string claim_name(const json& claim_template, const std::string& pod_name) { return store::get_string(claim_template, "metadata.name") + "-" + pod_name; }

json render_claim(const StatefulSet& set, const json& claim_template, const std::string& pod_name) {
  json metadata = store::get_object(claim_template, "metadata");
  metadata["name"] = claim_name(claim_template, pod_name);
  metadata["namespace"] = set.meta.ns;
  for (const auto& [key, value] : store::get_string_map(set.object.tree(), "spec.selector.matchLabels")) metadata["labels"][key] = value;
  return {{"apiVersion", "v1"}, {"kind", "PersistentVolumeClaim"}, {"metadata", std::move(metadata)}, {"spec", store::get_object(claim_template, "spec")}};
}

json render_stateful_pod(const StatefulSet& set, const json& pod_template, const std::string& revision, int64_t ordinal) {
  json pod = pod_from_template(pod_template, set.object);
  const std::string name = stateful_pod_name(set, ordinal);
  json& metadata = pod["metadata"];
  metadata["name"] = name;
  metadata["labels"][kPodNameLabel] = name;
  metadata["labels"][kPodIndexLabel] = std::to_string(ordinal);
  metadata["labels"][kRevisionLabel] = revision;
  json& spec = pod["spec"];
  spec["hostname"] = name;
  if (!set.service.empty()) spec["subdomain"] = set.service;
  json volumes = json::array();
  // A claim takes the place of a volume of its name.
  for (const json& claim : set.claim_templates()) {
    volumes.push_back({{"name", store::get_string(claim, "metadata.name")}, {"persistentVolumeClaim", {{"claimName", claim_name(claim, name)}}}});
  }
  for (const json& volume : store::get_array(spec, "volumes")) {
    const std::string volume_name = store::get_string(volume, "name");
    const bool claimed = std::any_of(volumes.begin(), volumes.end(), [&](const json& v) { return store::get_string(v, "name") == volume_name; });
    if (!claimed) volumes.push_back(volume);
  }
  if (!volumes.empty()) spec["volumes"] = std::move(volumes);
  return pod;
}

}  // namespace server
