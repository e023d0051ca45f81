#include "server/api/ingress_admission.h"

#include <nlohmann/json.hpp>

#include "server/api/meta.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr std::string_view kIngresses = "ingresses.networking.k8s.io";
constexpr const char* kClasses = "ingressclasses.networking.k8s.io";
constexpr const char* kClassAnnotation = "kubernetes.io/ingress.class";
constexpr const char* kIsDefault = "ingressclass.kubernetes.io/is-default-class";
constexpr const char* kNginx = "k8s.io/ingress-nginx";

const store::Key& settings_key() {
  static const store::Key kKey{"configmaps", "ingress-nginx", "ingress-nginx-controller"};
  return kKey;
}

bool names_class(const json& ingress) { return store::find(ingress, "spec.ingressClassName") != nullptr; }

// The newest; of the same second the first by name. nullptr without any.
const store::Object* default_of(const std::vector<store::Object>& classes) {
  const store::Object* best = nullptr;
  std::string best_made;
  for (const store::Object& one : classes) {
    const std::string* marked = store::find_annotation(one.tree(), kIsDefault);
    if (marked == nullptr || *marked != "true") continue;
    std::string made = store::get_string(one.tree(), "metadata.creationTimestamp");
    if (best != nullptr && made <= best_made) continue;  // The list comes by name.
    best = &one;
    best_made = std::move(made);
  }
  return best;
}

}  // namespace

base::Status IngressAdmission::load() {
  store::ListQuery query;
  query.resource = kIngresses;
  const store::ListPage page = TRY(store_.list(query));
  for (const store::Object& ingress : page.items) changed(ingress.key());
  return {};
}

base::Status IngressAdmission::complete(const store::Resource& r, json& tree, std::vector<std::string>& warnings) const {
  if (r.storage_name != kIngresses || names_class(tree)) return {};
  if (store::find_annotation(tree, kClassAnnotation) != nullptr) {
    warnings.emplace_back("annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead");
    return {};
  }
  store::ListQuery query;
  query.resource = kClasses;
  const store::ListPage page = TRY(store_.list(query));
  if (const store::Object* found = default_of(page.items)) store::set(tree, "spec.ingressClassName", found->name());
  return {};
}

base::Status IngressAdmission::check(const store::Resource& r, const json& tree, std::vector<std::string>& warnings) const {
  if (r.storage_name != kIngresses || is_deleting(tree) || !is_served_by_nginx(tree)) return {};
  for (std::string& warning : nginx_warnings(tree)) warnings.push_back(std::move(warning));
  const auto config_map = store_.get(settings_key());
  const NginxSettings settings = config_map.ok() ? NginxSettings::from(config_map->tree()) : NginxSettings();
  const std::vector<store::Object> found = rivals(tree);
  std::vector<const json*> others;
  for (const store::Object& other : found) {
    if (is_served_by_nginx(other.tree())) others.push_back(&other.tree());
  }
  return nginx_verdict(tree, settings, std::move(others));
}

void IngressAdmission::changed(const store::Key& key) {
  if (key.resource != kIngresses) return;
  std::lock_guard lock(mutex_);
  // What is stored now, not what was written: two writers may come here in another order than they wrote.
  const auto stored = store_.get(key);
  std::vector<NginxRoute> now = stored.ok() ? nginx_routes(stored->tree()) : std::vector<NginxRoute>();
  if (const auto known = routes_.find(key); known != routes_.end()) {
    for (const NginxRoute& route : known->second) {
      const auto at = owners_.find(route);
      at->second.erase(key);
      if (at->second.empty()) owners_.erase(at);
    }
    routes_.erase(known);
  }
  if (now.empty()) return;
  for (const NginxRoute& route : now) owners_[route].insert(key);
  routes_.emplace(key, std::move(now));
}

// As ingress-nginx asks: the field first, then the annotation; without either an Ingress is nobody's.
bool IngressAdmission::is_served_by_nginx(const json& ingress) const {
  std::string name = store::get_string(ingress, "spec.ingressClassName");
  const std::string* annotated = store::find_annotation(ingress, kClassAnnotation);
  if (!names_class(ingress) && annotated != nullptr) name = *annotated;
  if (name.empty()) return false;
  const auto found = store_.get({kClasses, "", name});
  return found.ok() && store::get_string(found->tree(), "spec.controller") == kNginx;
}

std::vector<store::Object> IngressAdmission::rivals(const json& ingress) const {
  const store::Key self{std::string(kIngresses), store::get_string(ingress, "metadata.namespace"), store::get_string(ingress, "metadata.name")};
  std::set<store::Key> keys;
  {
    std::lock_guard lock(mutex_);
    for (const NginxRoute& route : nginx_routes(ingress)) {
      for (const NginxRoute& rival : rivals_of(route)) {
        const auto at = owners_.find(rival);
        if (at != owners_.end()) keys.insert(at->second.begin(), at->second.end());
      }
    }
  }
  keys.erase(self);
  std::vector<store::Object> out;
  for (const store::Key& key : keys) {
    auto found = store_.get(key);
    if (found.ok()) out.push_back(std::move(*found));
  }
  return out;
}

}  // namespace server
