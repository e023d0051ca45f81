// What the write pipeline asks about access: service accounts of pods, roles, certificate requests.
#include <nlohmann/json.hpp>

#include "server/api/pipeline.h"
#include "server/api/pod_account.h"
#include "server/api/role_guard.h"
#include "server/api/status.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kDefaultAccount = "default";
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

base::Status Pipeline::admit_create(const store::Resource& r, const std::string& ns, json& tree, const WriteContext& context) {
  if (r.storage_name == "pods") {
    const std::string account = store::get_string(tree, "spec.serviceAccountName", kDefaultAccount), name = store::get_string(tree, "metadata.name");
    auto found = find_account(ns, account, context);
    if (!found.ok()) return forbidden(r, name, "error looking up service account " + ns + "/" + account + ": serviceaccount \"" + account + "\" not found");
    add_account_to_pod(found->tree(), tree);
    return {};
  }
  if (r.storage_name == kRequests) return complete_certificate_request(r, context.user, tree);
  if (context.user) return guard_role_write(access_, *context.user, r, ns, nullptr, tree);
  return {};
}

base::Status Pipeline::admit_update(const store::Resource& r, const std::string& ns, const std::string& subresource, const json& old_tree, json& tree,
                                    const WriteContext& context) const {
  if (r.storage_name == kRequests) return limit_certificate_update(access_, r, context.user, subresource, old_tree, tree, base::render_rfc3339(clock_.wall()));
  if (context.user && subresource.empty()) return guard_role_write(access_, *context.user, r, ns, &old_tree, tree);
  return {};
}

}  // namespace server
