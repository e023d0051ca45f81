// What the write pipeline asks about access (service accounts of pods, roles, certificate requests), and what admission adds.
#include <nlohmann/json.hpp>

#include "server/api/admission.h"
#include "server/api/pipeline.h"
#include "server/api/pod_account.h"
#include "server/api/pod_admission.h"
#include "server/api/role_guard.h"
#include "server/api/status.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kDefaultAccount = "default";
constexpr std::string_view kVolumes = "persistentvolumes";
constexpr std::string_view kPriorityClasses = "priorityclasses.scheduling.k8s.io";
constexpr std::string_view kRuntimeClasses = "runtimeclasses.node.k8s.io";
constexpr std::string_view kRequests = "certificatesigningrequests.certificates.k8s.io";

}  // namespace

// Every namespace has an account "default": the controller makes it, but whoever is quicker need not wait for that.
base::Result<store::Object> Pipeline::find_account(const std::string& ns, const std::string& name, const WriteContext& context) {
  auto found = store_.get({"serviceaccounts", ns, name});
  const store::Resource* r = registry_.find("", "v1", "serviceaccounts");
  if (found.ok() || name != kDefaultAccount || !r) return found;
  WriteContext own;
  own.dry_run = context.dry_run;
  auto made = create(*r, ns, {{"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", {{"name", name}}}}, own);
  if (made.ok()) return made;
  return store_.get({"serviceaccounts", ns, name});
}

// The class that a pod names, or that which is the default one for pods that name none.
base::Result<json> Pipeline::find_priority_class(const std::string& name) const {
  if (!name.empty()) {
    auto found = store_.get({std::string(kPriorityClasses), "", name});
    return found.ok() ? found->tree() : json();
  }
  store::ListQuery query;
  query.resource = kPriorityClasses;
  json out;
  for (const store::Object& one : TRY(store_.list(query)).items) {
    if (!store::get_bool(one.tree(), "globalDefault")) continue;
    if (out.is_null() || store::get_int(one.tree(), "value") < store::get_int(out, "value")) out = one.tree();
  }
  return out;
}

base::Status Pipeline::admit_classes(const store::Resource& r, json& tree) const {
  const std::string name = store::get_string(tree, "metadata.name"), runtime = store::get_string(tree, "spec.runtimeClassName");
  const json priority = TRY(find_priority_class(store::get_string(tree, "spec.priorityClassName")));
  std::string refusal = apply_priority(priority.is_null() ? nullptr : &priority, tree);
  if (refusal.empty()) {
    auto found = runtime.empty() ? base::Result<store::Object>(store::Object()) : store_.get({std::string(kRuntimeClasses), "", runtime});
    refusal = apply_runtime_class(!runtime.empty() && found.ok() ? &found->tree() : nullptr, tree);
  }
  return refusal.empty() ? base::Status() : base::Status(forbidden(r, name, refusal));
}

// An update or apply that makes the object needs what a create needs.
base::Status Pipeline::may_create(const store::Resource& r, const std::string& ns, const std::string& name, const WriteContext& context) const {
  if (!context.user || context.user->in_group(auth::kMasters)) return {};
  auth::Attributes what;
  what.verb = "create";
  what.group = std::string(r.group);
  what.version = std::string(r.version);
  what.resource = std::string(r.plural);
  what.ns = r.namespaced ? ns : "";
  what.name = name;
  return access_.check(*context.user, what);
}

base::Status Pipeline::admit_create(const store::Resource& r, const std::string& ns, json& tree, const WriteContext& context) {
  if (r.storage_name == "pods") {
    const std::string account = store::get_string(tree, "spec.serviceAccountName", kDefaultAccount), name = store::get_string(tree, "metadata.name");
    auto found = find_account(ns, account, context);
    if (!found.ok()) return forbidden(r, name, "error looking up service account " + ns + "/" + account + ": serviceaccount \"" + account + "\" not found");
    add_account_to_pod(found->tree(), tree);
    return admit_classes(r, tree);
  }
  if (r.storage_name == "nodes" && context.user) taint_new_node(tree);
  if (r.storage_name == kVolumes) stamp_volume_phase(json(), tree, base::render_rfc3339(clock_.wall()));
  if (r.storage_name == kRequests) return complete_certificate_request(r, context.user, tree);
  if (context.user) return guard_role_write(access_, *context.user, r, ns, nullptr, tree);
  return {};
}

base::Status Pipeline::admit_update(const store::Resource& r, const std::string& ns, const std::string& subresource, const json& old_tree, json& tree,
                                    const WriteContext& context) const {
  if (r.storage_name == kVolumes && subresource == "status") stamp_volume_phase(old_tree, tree, base::render_rfc3339(clock_.wall()));
  if (r.storage_name == kRequests) return limit_certificate_update(access_, r, context.user, subresource, old_tree, tree, base::render_rfc3339(clock_.wall()));
  if (context.user && subresource.empty()) return guard_role_write(access_, *context.user, r, ns, &old_tree, tree);
  return {};
}

}  // namespace server
