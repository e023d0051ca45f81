#include "server/api/ownership.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server {
namespace {

using nlohmann::json;

struct Given {
  std::string_view resource;  // Storage name.
  const char* path;
  const char* key = nullptr;  // Of the map there; none: all of it.
};
constexpr Given kGiven[] = {
    {"pods", "spec.priority"},
    {"pods", "spec.preemptionPolicy"},
    {"pods", "spec.serviceAccountName"},
    {"pods", "spec.serviceAccount"},
    {"pods", "spec.tolerations"},
    {"namespaces", "spec.finalizers"},
    {"jobs.batch", "spec.selector"},
    {"jobs.batch", "metadata.labels", "batch.kubernetes.io/controller-uid"},
    {"jobs.batch", "metadata.labels", "batch.kubernetes.io/job-name"},
    {"jobs.batch", "metadata.labels", "controller-uid"},
    {"jobs.batch", "metadata.labels", "job-name"},
    {"jobs.batch", "spec.template.metadata.labels", "batch.kubernetes.io/controller-uid"},
    {"jobs.batch", "spec.template.metadata.labels", "batch.kubernetes.io/job-name"},
    {"jobs.batch", "spec.template.metadata.labels", "controller-uid"},
    {"jobs.batch", "spec.template.metadata.labels", "job-name"},
};

}  // namespace

bool gives_fields(const store::Resource& r) {
  return std::any_of(std::begin(kGiven), std::end(kGiven), [&](const Given& given) { return given.resource == r.storage_name; });
}

json owned_part(const store::Resource& r, const json& sent, const json& completed) {
  json out = completed;
  for (const Given& given : kGiven) {
    if (given.resource != r.storage_name) continue;
    const json* before = store::find(sent, given.path);
    if (!given.key) {
      if (!before || before->is_null()) store::erase(out, given.path);
      continue;
    }
    if (before && store::find_key(*before, given.key)) continue;
    if (!store::find(out, given.path)) continue;
    json& map = store::ensure(out, given.path);
    map.erase(given.key);
    if (map.empty() && !before) store::erase(out, given.path);
  }
  return out;
}

}  // namespace server
