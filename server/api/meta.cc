#include "server/api/meta.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "server/api/status.h"
#include "store/object/access.h"

namespace server {
namespace {

// Compares two objects without copying them; `skip` lists keys left out.
bool equal_without(const json& a, const json& b, std::initializer_list<std::string_view> skip) {
  auto skipped = [&](const std::string& key) {
    for (std::string_view s : skip) {
      if (key == s) return true;
    }
    return false;
  };
  if (!a.is_object() || !b.is_object()) return a == b;
  auto i = a.begin(), j = b.begin();
  for (;;) {
    while (i != a.end() && skipped(i.key())) ++i;
    while (j != b.end() && skipped(j.key())) ++j;
    if (i == a.end() || j == b.end()) return i == a.end() && j == b.end();
    if (i.key() != j.key() || i.value() != j.value()) return false;
    ++i, ++j;
  }
}

}  // namespace

std::vector<base::Cause> validate_metadata_update(const json& old_tree, const json& new_tree) {
  std::vector<base::Cause> out;
  if (!is_deleting(old_tree)) return out;
  std::set<json> had;
  for (const json& f : store::get_array(old_tree, "metadata.finalizers")) had.insert(f);
  std::string added;
  for (const json& f : store::get_array(new_tree, "metadata.finalizers")) {
    if (!had.count(f)) added += (added.empty() ? "" : ", ") + f.dump();
  }
  if (!added.empty()) {
    out.push_back(cause_forbidden("metadata.finalizers",
                                  "no new finalizers can be added if the object is being deleted, found new finalizers []string{" + added + "}"));
  }
  return out;
}

std::vector<base::Cause> changed_identity(const json& old_metadata, const json& metadata) {
  std::vector<base::Cause> out;
  for (const char* key : {"uid", "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    const json* value = store::find_key(metadata, key);
    if (!value || value->is_null() || *value == "") continue;
    const json* old_value = store::find_key(old_metadata, key);
    if (!old_value || *old_value != *value) out.push_back(cause_invalid(std::string("metadata.") + key, *value, "field is immutable"));
  }
  return out;
}

std::vector<std::string> drop_repeated_owners(json& tree) {
  const json& owners = store::get_array(tree, "metadata.ownerReferences");
  if (owners.size() < 2) return {};
  json kept = json::array();
  std::vector<std::string> repeated;
  for (const json& owner : owners) {
    if (std::find(kept.begin(), kept.end(), owner) == kept.end()) {
      kept.push_back(owner);
      continue;
    }
    const std::string uid = store::get_string(owner, "uid");
    if (std::find(repeated.begin(), repeated.end(), uid) == repeated.end()) repeated.push_back(uid);
  }
  if (repeated.empty()) return {};
  store::set(tree, "metadata.ownerReferences", std::move(kept));
  std::string uids;
  for (const std::string& uid : repeated) uids += (uids.empty() ? "" : ", ") + uid;
  return {".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; "
          "please fix your requests; duplicate UID(s) observed: " + uids};
}

bool status_keeps(const store::Resource& r, std::string_view key) {
  static constexpr std::string_view kWhole[] = {"servicecidrs.networking.k8s.io", "volumeattachments.storage.k8s.io", "apiservices.apiregistration.k8s.io",
                                                "validatingadmissionpolicies.admissionregistration.k8s.io", "customresourcedefinitions.apiextensions.k8s.io"};
  if (r.custom || std::find(std::begin(kWhole), std::end(kWhole), r.storage_name) != std::end(kWhole)) return true;
  if (r.storage_name == "deployments.apps") return key == "labels";
  return r.storage_name == "pods" && key == "ownerReferences";
}

bool same_content(const json& a, const json& b) {
  return equal_without(store::get_object(a, "metadata"), store::get_object(b, "metadata"), {"resourceVersion", "managedFields"}) &&
         equal_without(a, b, {"metadata"});
}

bool same_managers(const json& a, const json& b) {
  const json &x = store::get_array(a, "metadata.managedFields"), &y = store::get_array(b, "metadata.managedFields");
  if (x.size() != y.size()) return false;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!equal_without(x[i], y[i], {"time"})) return false;
  }
  return true;
}

bool body_differs(const json& a, const json& b) { return !equal_without(a, b, {"metadata"}); }
bool spec_differs(const json& a, const json& b) { return !equal_without(a, b, {"metadata", "status"}); }

bool is_deleting(const json& tree) { return !store::get_string(tree, "metadata.deletionTimestamp").empty(); }

bool has_finalizers(const json& tree) {
  if (!store::get_array(tree, "metadata.finalizers").empty()) return true;
  return store::get_string(tree, "kind") == "Namespace" && store::get_string(tree, "apiVersion") == "v1" && !store::get_array(tree, "spec.finalizers").empty();
}

bool is_finished(const json& tree) {
  return is_deleting(tree) && !has_finalizers(tree) && store::get_int(tree, "metadata.deletionGracePeriodSeconds") == 0;
}

}  // namespace server
