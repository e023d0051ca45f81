#include "server/api/pod_account.h"

#include <nlohmann/json.hpp>
#include <string>

#include "store/base/clock.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kMountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr int kTokenSeconds = 3607;

json make_volume(const std::string& name) {
  json token = {{"serviceAccountToken", {{"expirationSeconds", kTokenSeconds}, {"path", "token"}}}};
  json ca = {{"configMap", {{"name", "kube-root-ca.crt"}, {"items", json::array({{{"key", "ca.crt"}, {"path", "ca.crt"}}})}}}};
  json ns = {{"downwardAPI", {{"items", json::array({{{"path", "namespace"}, {"fieldRef", {{"apiVersion", "v1"}, {"fieldPath", "metadata.namespace"}}}}})}}}};
  return {{"name", name}, {"projected", {{"defaultMode", 420}, {"sources", json::array({std::move(token), std::move(ca), std::move(ns)})}}}};
}

bool mounts_there(const json& container) {
  for (const json& mount : store::get_array(container, "volumeMounts")) {
    if (store::get_string(mount, "mountPath") == kMountPath) return true;
  }
  return false;
}

}  // namespace

void add_account_to_pod(const json& account, json& pod) {
  json& spec = store::ensure(pod, "spec");
  if (!spec.is_object()) return;
  const json& pull = store::get_array(account, "imagePullSecrets");
  if (store::get_array(spec, "imagePullSecrets").empty() && !pull.empty()) spec["imagePullSecrets"] = pull;
  if (!store::get_bool(spec, "automountServiceAccountToken", store::get_bool(account, "automountServiceAccountToken", true))) return;
  const std::string name = "kube-api-access-" + base::make_name_suffix(5);
  bool needed = false;
  for (const char* list : {"initContainers", "containers"}) {
    if (store::get_array(spec, list).empty()) continue;
    for (json& container : spec[list]) {
      if (!container.is_object() || mounts_there(container)) continue;
      container["volumeMounts"].push_back({{"mountPath", kMountPath}, {"name", name}, {"readOnly", true}});
      needed = true;
    }
  }
  if (needed) spec["volumes"].push_back(make_volume(name));
}

}  // namespace server
