#include "server/api/pipeline.h"

#include <nlohmann/json.hpp>

#include "kubectl-compat/patch/patch.h"
#include "server/api/ephemeral_containers.h"
#include "server/api/meta.h"
#include "server/api/status.h"
#include "store/custom/definition.h"
#include "store/custom/values.h"
#include "store/object/access.h"
#include "store/schema/conversions.h"
#include "store/schema/hooks.h"

namespace server {
namespace {

constexpr int kNameAttempts = 8;      // generateName, as upstream since 1.30.
constexpr size_t kMaxGenerated = 58;  // 63 less the suffix.
constexpr size_t kMaxIssues = 100;    // Fields that a body should not have; upstream's decoder stops there.
constexpr int kConflictRetries = 64;  // Somebody else wrote between read and write; each round is one who succeeded.

constexpr const char* kClaimWarning = "kubelan keeps the files of a claim in memory: they outlive pods, and go with the claim or when kubelan ends";

std::string join(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

// fmt.Sprintf("%+v") of decoded JSON, as upstream quotes a patch in errors.
std::string go_value(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "<nil>";
  if (value.is_object()) {
    std::string out;
    for (const auto& [k, v] : value.items()) out += (out.empty() ? "" : " ") + k + ":" + go_value(v);
    return "map[" + out + "]";
  }
  if (value.is_array()) {
    std::string out;
    for (const json& v : value) out += (out.empty() ? "" : " ") + go_value(v);
    return "[" + out + "]";
  }
  return value.dump();
}

base::Error cannot_be_handled(const store::Resource& r, const std::string& why) {
  std::string kind(r.kind);
  return bad_request(kind + " in version \"" + std::string(r.version) + "\" cannot be handled as a " + kind + ": " + why);
}

base::Status check_kind(const store::Resource& r, json& tree) {
  std::string version = store::get_string(tree, "apiVersion"), kind = store::get_string(tree, "kind");
  if (!kind.empty() && kind != r.kind) {
    return bad_request("the object provided is unrecognized (must be of type " + std::string(r.kind) + "): no kind \"" + kind + "\" is registered for version \"" +
                       version + "\" in scheme \"k8s.io/kubernetes/pkg/api/legacyscheme\"");
  }
  if (!version.empty() && version != r.api_version()) {
    return bad_request("the API version in the data (" + version + ") does not match the expected API version (" + r.api_version() + ")");
  }
  tree["apiVersion"] = r.api_version();
  tree["kind"] = r.kind;
  return {};
}

json& metadata_of(json& tree) {
  json& metadata = tree["metadata"];
  if (!metadata.is_object()) metadata = json::object();
  return metadata;
}

// Go leaves empty ones out, and so no client ever sees them.
void drop_empty_metadata(json& tree) {
  json& metadata = metadata_of(tree);
  for (const char* key : {"labels", "annotations", "finalizers", "ownerReferences"}) {
    auto at = metadata.find(key);
    if (at != metadata.end() && at->empty()) metadata.erase(at);
  }
}

std::string generated_name(std::string base) {
  if (base.size() > kMaxGenerated) base.resize(kMaxGenerated);
  return base + base::make_name_suffix(5);
}

void keep_from(const json& old_metadata, json& metadata, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (const json* value = store::find_key(old_metadata, key)) metadata[key] = *value;
    else metadata.erase(key);
  }
}

base::Status check_guests(const store::Resource& r, const std::string& name, const json& old_tree, const json& tree, const std::string& subresource) {
  std::vector<base::Cause> causes = check_ephemeral_containers(old_tree, tree, subresource);
  if (!causes.empty()) return invalid(r, name, std::move(causes));
  return {};
}

}  // namespace

base::Result<store::Object> Pipeline::get(const store::Resource& r, const std::string& ns, const std::string& name) const {
  auto object = store_.get({r.storage(), ns, name});
  if (!object.ok() && object.error().code == base::Code::kNotFound) return not_found(r, name);
  if (!object.ok()) return object;
  return store::view(r, *object);
}

// Defaults, and what depends on them: of the version that was written, then of the one that is kept.
void Pipeline::complete(const store::Resource& r, json& tree) const {
  if (r.custom) store::default_custom(tree, *r.custom);
  else store::apply_defaults(tree, *r.type);
  if (r.is_stored()) {
    if (store::PrepareHook hook = store::find_prepare_hook(r.prepare_hook)) hook(tree);
    drop_empty_metadata(tree);
    return;
  }
  json kept = store::to_stored(r, std::move(tree));
  if (const store::Resource* stored = registry_.stored(r)) complete(*stored, kept);
  tree = store::from_stored(r, std::move(kept));
}

// Types and unknown fields. Of a custom object only the metadata has types of Go; the rest is judged by validation.
base::Result<std::vector<std::string>> Pipeline::decode_fields(const store::Resource& r, json& tree) const {
  if (!r.custom) {
    store::drop_nulls(tree, *r.type);
    TRY_STATUS(store::check_types(tree, r));
    return store::prune_unknown(tree, *r.type);
  }
  json head = json::object();
  if (const json* metadata = store::find_key(tree, "metadata")) head["metadata"] = *metadata;
  store::drop_nulls(head, *r.type);
  TRY_STATUS(store::check_types(head, r));
  std::vector<std::string> issues = store::prune_unknown(head, *r.type);
  if (head.contains("metadata")) tree["metadata"] = std::move(head["metadata"]);
  for (std::string& issue : store::prune_custom(tree, *r.custom)) issues.push_back(std::move(issue));
  return issues;
}

// `patched_from`: the tree was made by a patch of this one, which is worded differently.
base::Status Pipeline::decode(const store::Resource& r, json& tree, WriteContext& context, const json* patched_from) const {
  if (!tree.is_object()) return cannot_be_handled(r, "json: cannot unmarshal " + std::string(tree.type_name()) + " into Go value of type " + std::string(r.kind));
  TRY_STATUS(check_kind(r, tree));
  std::vector<std::string> issues = TRY(decode_fields(r, tree));
  issues.insert(issues.end(), context.duplicates.begin(), context.duplicates.end());
  if (issues.size() > kMaxIssues) issues.resize(kMaxIssues);
  if (issues.empty() || context.validation == FieldValidation::kIgnore) return {};
  if (context.validation == FieldValidation::kWarn) {
    context.warnings.insert(context.warnings.end(), issues.begin(), issues.end());
    return {};
  }
  std::string text = "strict decoding error: " + join(issues);
  if (!patched_from) return cannot_be_handled(r, text);
  base::Error e(base::Code::kInvalid, "");
  e.causes.push_back({"FieldValueInvalid", "Invalid value: " + json(go_value(*patched_from)).dump() + ": " + text, "patch"});
  e.message = " \"\" is invalid: patch: " + e.causes[0].message;
  return e;
}

base::Status Pipeline::check_namespace(const store::Resource& r, const std::string& ns, const std::string& name) const {
  if (!r.namespaced) return {};
  auto found = store_.get({"namespaces", "", ns});
  if (!found.ok()) {
    const store::Resource* namespaces = registry_.find("", "v1", "namespaces");
    if (found.error().code != base::Code::kNotFound || !namespaces) return std::move(found).error();
    return not_found(*namespaces, ns);
  }
  if (!is_deleting(found->tree())) return {};
  base::Error e = forbidden(r, name, "unable to create new content in namespace " + ns + " because it is being terminated");
  e.causes.push_back({"NamespaceTerminating", "namespace " + ns + " is being terminated", "metadata.namespace"});
  return e;
}

// A version that is served, but not kept, is judged by its own hook, or else by that of the kept one; both see the kept form.
base::Status Pipeline::validate(const store::Resource& r, const json& shown_tree, const json* shown_old) const {
  const store::Resource* stored = registry_.stored(r);
  const store::Resource& kept = stored ? *stored : r;
  const json converted = r.is_stored() ? json() : store::to_stored(r, shown_tree);
  const json converted_old = r.is_stored() || !shown_old ? json() : store::to_stored(r, *shown_old);
  const json& tree = r.is_stored() ? shown_tree : converted;
  const json* old_tree = r.is_stored() || !shown_old ? shown_old : &converted_old;
  std::vector<base::Cause> causes = store::validate_object_meta(tree, kept);
  auto add = [&](std::vector<base::Cause> more) {
    for (base::Cause& cause : more) {
      // A field's own rule and a hook may find the same thing.
      bool known = std::any_of(causes.begin(), causes.end(), [&](const base::Cause& c) { return c.field == cause.field && c.message == cause.message; });
      if (!known) causes.push_back(std::move(cause));
    }
  };
  if (r.custom) add(store::validate_custom(shown_tree, shown_old, *r.custom));
  else add(store::validate_fields(tree, *kept.type));
  if (old_tree) add(validate_metadata_update(*old_tree, tree));
  if (store::ValidateHook hook = store::find_validate_hook(r.validate_hook.empty() ? kept.validate_hook : r.validate_hook)) add(hook(tree, old_tree));
  if (old_tree && !r.custom) add(store::validate_immutable(*old_tree, tree, *kept.type));
  if (causes.empty()) return {};
  std::string name = store::get_string(tree, "metadata.name");
  return invalid(r, name.empty() ? store::get_string(tree, "metadata.generateName") : name, std::move(causes));
}

// Once a field: an update that leaves it as it was is silent.
void Pipeline::note_stored_only(const store::Resource& r, const json& tree, const json* old_tree, WriteContext& context) const {
  if (context.validation == FieldValidation::kIgnore) return;
  std::vector<std::string> before;
  if (old_tree) before = store::stored_only_fields(*old_tree, *r.type);
  for (const std::string& field : store::stored_only_fields(tree, *r.type)) {
    if (std::find(before.begin(), before.end(), field) != before.end()) continue;
    context.warnings.push_back("kubelan stores " + field + " and does not act on it");
  }
}

void Pipeline::note_warnings(const store::Resource& r, const json& tree, WriteContext& context) const {
  std::vector<std::string> more;
  if (r.storage_name == "services") more = store::service_warnings(tree);
  else if (r.storage_name == store::kDefinitions) more = store::definition_warnings(tree);
  for (std::string& warning : more) context.warnings.push_back(std::move(warning));
}

// Who keeps something of objects in mind hears of each write before it is answered.
void Pipeline::note_change(const store::Key& key) {
  ingresses_.changed(key);
  access_.changed(key);
  custom_kinds_.changed(key);
}

base::Result<store::Object> Pipeline::create(const store::Resource& r, const std::string& ns, json tree, WriteContext& context) {
  return do_create(r, ns, std::move(tree), context, Tracking::kUpdate);
}
base::Result<store::Object> Pipeline::create_applied(const store::Resource& r, const std::string& ns, json tree, WriteContext& context) {
  return do_create(r, ns, std::move(tree), context, Tracking::kDoneByChange);
}

base::Result<store::Object> Pipeline::do_create(const store::Resource& r, const std::string& ns, json tree, WriteContext& context, Tracking tracking) {
  TRY_STATUS(decode(r, tree, context, nullptr));
  json& metadata = metadata_of(tree);
  std::string body_ns = store::get_string(metadata, "namespace");
  if (r.namespaced && !body_ns.empty() && body_ns != ns) {
    return bad_request("the namespace of the provided object does not match the namespace sent on the request");
  }
  metadata.erase("namespace");
  if (r.namespaced) metadata["namespace"] = ns;
  if (!store::get_string(metadata, "resourceVersion").empty()) {
    return base::Error(base::Code::kInternal, "resourceVersion should not be set on objects to be created");
  }
  for (const char* key : {"uid", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink", "resourceVersion"}) metadata.erase(key);
  if (tracking == Tracking::kUpdate) metadata.erase("managedFields");
  std::string base = store::get_string(metadata, "generateName");
  const bool generate = store::get_string(metadata, "name").empty() && !base.empty();
  if (generate) metadata["name"] = generated_name(base);
  metadata["uid"] = base::make_uid();
  metadata["creationTimestamp"] = base::render_rfc3339(clock_.wall());
  if (r.has_generation) metadata["generation"] = 1;
  if (r.has_status) tree.erase("status");
  TRY_STATUS(check_namespace(r, ns, store::get_string(metadata, "name")));
  TRY_STATUS(custom_kinds_.check_create(r));
  note_stored_only(r, tree, nullptr, context);
  note_warnings(r, tree, context);
  if (r.storage_name == "persistentvolumeclaims") context.warnings.push_back(kClaimWarning);
  complete(r, tree);
  // Who writes owns what they wrote and its defaults, not what the server gives out from here on.
  if (tracking == Tracking::kUpdate) {
    tree = compat::track_update(nullptr, std::move(tree), r, {context.manager, r.api_version(), ""}, clock_.wall());
  }
  TRY_STATUS(admit_create(r, ns, tree, context));
  TRY_STATUS(ingresses_.complete(r, tree, context.warnings));
  // Addresses come before validation, as upstream: what was given out is judged too.
  ServiceAllocator::Reservation reservation;
  if (r.storage_name == "services") reservation = TRY(services_.allocate(nullptr, tree, r));
  TRY_STATUS(validate(r, tree, nullptr));
  custom_kinds_.complete(r, tree);
  TRY_STATUS(ingresses_.check(r, tree, context.warnings));
  AddressObjects::Claim claim = TRY(addresses_.before_create(r, tree));
  addresses_.complete(r, tree);
  for (int attempt = 1;; ++attempt) {
    std::string name = store::get_string(tree, "metadata.name");
    store::Key key{r.storage(), r.namespaced ? ns : "", name};
    if (context.dry_run) {
      if (store_.get(key).ok()) return already_exists(r, name);
      return store::Object(r.storage(), std::move(tree));
    }
    auto created = store_.create(key, store::to_stored(r, tree));
    if (created.ok()) {
      reservation.keep();
      claim.keep();
      addresses_.changed(key.resource, nullptr, &created->tree());
      note_change(created->key());
      return store::view(r, *created);
    }
    if (created.error().code != base::Code::kAlreadyExists) return created;
    if (!generate || attempt == kNameAttempts) return already_exists(r, name);
    metadata_of(tree)["name"] = generated_name(base);
  }
}

base::Result<store::Object> Pipeline::update(const store::Resource& r, const std::string& ns, const std::string& name, const std::string& subresource,
                                             json tree, WriteContext& context) {
  TRY_STATUS(decode(r, tree, context, nullptr));
  json& metadata = metadata_of(tree);
  std::string body_name = store::get_string(metadata, "name"), body_ns = store::get_string(metadata, "namespace");
  if (r.custom && store::get_string(metadata, "resourceVersion").empty()) {
    return invalid(r, name, {{"FieldValueInvalid", "Invalid value: 0x0: must be specified for an update", "metadata.resourceVersion"}});
  }
  if (!body_name.empty() && body_name != name) {
    return bad_request("the name of the object (" + body_name + ") does not match the name on the URL (" + name + ")");
  }
  if (r.namespaced && !body_ns.empty() && body_ns != ns) {
    return bad_request("the namespace of the object (" + body_ns + ") does not match the namespace on the URL (" + ns + ")");
  }
  WriteContext quiet = context;  // Decoded and warned already.
  quiet.validation = FieldValidation::kIgnore;
  if (context.validation != FieldValidation::kIgnore) {
    if (auto stored = get(r, r.namespaced ? ns : "", name); stored.ok() && subresource.empty()) {
      note_stored_only(r, tree, &stored->tree(), context);
      note_warnings(r, tree, context);
    }
  }
  return modify(r, ns, name, subresource, [&](const json&) { return base::Result<json>(tree); }, quiet);
}

// Which parts of the sent tree count: the main resource does not write status, and the other way round.
base::Result<json> Pipeline::merge_update(const store::Resource& r, const std::string& subresource, const json& old_tree, json tree) const {
  json& metadata = metadata_of(tree);
  const json& old_metadata = store::get_object(old_tree, "metadata");
  std::string name = store::get_string(old_metadata, "name");
  std::string version = store::get_string(metadata, "resourceVersion");
  if (!version.empty() && version != "0" && version != store::get_string(old_metadata, "resourceVersion")) return stale(r, name);
  std::string uid = store::get_string(metadata, "uid"), old_uid = store::get_string(old_metadata, "uid");
  if (!uid.empty() && uid != old_uid) {
    return conflict(r, name, "Precondition failed: UID in precondition: " + uid + ", UID in object meta: " + old_uid);
  }
  if (subresource == "status" || subresource == "approval") {
    // Upstream takes labels and annotations here too; conformance tests patch them through /status.
    json out = old_tree;
    if (const json* status = store::find_key(tree, "status")) out["status"] = *status;
    else out.erase("status");
    if (!r.custom) keep_from(metadata, out["metadata"], {"labels", "annotations"});
    if (const json* managed = store::find_key(metadata, "managedFields")) out["metadata"]["managedFields"] = *managed;
    return out;
  }
  if (subresource == kEphemeralContainers) return with_ephemeral_containers(old_tree, tree);
  keep_from(old_metadata, metadata, {"name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
                                     "generateName", "resourceVersion"});
  metadata.erase("selfLink");
  if (!metadata.contains("managedFields") && old_metadata.contains("managedFields")) metadata["managedFields"] = old_metadata["managedFields"];
  // A namespace's spec is its finalizers, which only /finalize writes.
  if (r.storage_name == "namespaces" && subresource != "finalize") tree["spec"] = store::get_object(old_tree, "spec");
  if (r.has_status) {
    if (const json* status = store::find_key(old_tree, "status")) tree["status"] = *status;
    else tree.erase("status");
  }
  return tree;
}

base::Result<json> Pipeline::finish_update(const store::Resource& r, const std::string& subresource, const json& old_tree, json tree,
                                           WriteContext& context) const {
  json out = TRY(merge_update(r, subresource, old_tree, std::move(tree)));
  note_stored_only(r, out, &old_tree, context);
  if (subresource.empty()) note_warnings(r, out, context);
  complete(r, out);
  return out;
}

base::Result<store::Object> Pipeline::modify(const store::Resource& r, const std::string& ns, const std::string& name, const std::string& subresource,
                                             const Change& change, WriteContext& context, Tracking tracking) {
  const store::Key key{r.storage(), r.namespaced ? ns : "", name};
  for (int attempt = 1;; ++attempt) {
    store::Object stored = TRY(get(r, key.ns, name));
    const json& old_tree = stored.tree();
    json tree = TRY(change(old_tree));
    tree = TRY(finish_update(r, subresource, old_tree, std::move(tree), context));
    ServiceAllocator::Reservation reservation;
    const bool gets_addresses = r.storage_name == "services" && subresource.empty();
    json as_sent = gets_addresses ? tree : json();  // Before addresses and ports are given out: nobody's fields.
    if (gets_addresses) reservation = TRY(services_.allocate(old_tree, tree, r));
    if (subresource.empty()) addresses_.complete(r, tree);
    TRY_STATUS(admit_update(r, key.ns, subresource, old_tree, tree, context));
    TRY_STATUS(validate(r, tree, &old_tree));
    if (r.storage_name == "pods") TRY_STATUS(check_guests(r, name, old_tree, tree, subresource));
    custom_kinds_.complete(r, tree);
    const bool changed = !same_content(old_tree, tree);
    if (!changed && same_managers(old_tree, tree)) return stored;
    if (subresource.empty()) TRY_STATUS(ingresses_.check(r, tree, context.warnings));
    // Without /status a custom object's status is a field like any other.
    if (changed && r.has_generation && (r.custom && !r.has_status ? body_differs(old_tree, tree) : spec_differs(old_tree, tree))) {
      tree["metadata"]["generation"] = store::get_int(old_tree, "metadata.generation") + 1;
    }
    if (changed && tracking == Tracking::kUpdate) {
      const compat::Manager manager{context.manager, r.api_version(), subresource};
      if (gets_addresses) keep_from(store::get_object(compat::track_update(old_tree, std::move(as_sent), r, manager, clock_.wall()), "metadata"), tree["metadata"], {"managedFields"});
      else tree = compat::track_update(old_tree, std::move(tree), r, manager, clock_.wall());
    }
    auto written = persist_update(r, stored, std::move(tree), context.dry_run);
    if (written.ok()) {
      if (!context.dry_run) {
        reservation.keep();
        if (!is_finished(written->tree())) addresses_.changed(key.resource, &old_tree, &written->tree());
        note_change(key);
      }
      return written;
    }
    if (written.error().code == base::Code::kNotFound) return not_found(r, name);
    if (written.error().code != base::Code::kConflict) return written;
    if (attempt == kConflictRetries) return stale(r, name);
  }
}

base::Result<store::Object> Pipeline::rewrite(const store::Resource& r, const std::string& ns, const std::string& name, const Change& change,
                                              WriteContext& context) {
  for (int attempt = 1;; ++attempt) {
    store::Object stored = TRY(get(r, r.namespaced ? ns : "", name));
    json tree = TRY(change(stored.tree()));
    if (same_content(stored.tree(), tree) && !is_finished(tree)) return stored;
    auto written = persist_update(r, stored, std::move(tree), context.dry_run);
    if (written.ok() || written.error().code != base::Code::kConflict) return written;
    if (attempt == kConflictRetries) return stale(r, name);
  }
}

base::Result<store::Object> Pipeline::persist_update(const store::Resource& r, const store::Object& stored, json tree, bool dry_run) {
  if (dry_run) return store::Object(r.storage(), std::move(tree));
  auto written = is_finished(tree) ? persist_removal(stored, store::to_stored(r, std::move(tree)))
                                   : store_.update(stored.key(), store::to_stored(r, std::move(tree)), stored.revision());
  if (!written.ok()) return written;
  return store::view(r, *written);
}

}  // namespace server
