#include "server/api/pipeline.h"

#include <nlohmann/json.hpp>

#include "kubectl-compat/patch/patch.h"
#include "server/api/admission.h"
#include "server/api/ephemeral_containers.h"
#include "server/api/go_text.h"
#include "server/api/meta.h"
#include "server/api/ownership.h"
#include "server/api/pod_resize.h"
#include "server/api/status.h"
#include "store/custom/definition.h"
#include "store/custom/values.h"
#include "store/object/access.h"
#include "store/schema/conversions.h"
#include "store/schema/hooks.h"
#include "store/schema/object_warnings.h"
#include "store/schema/warnings.h"

namespace server {
namespace {

constexpr int kNameAttempts = 8;      // generateName, as upstream since 1.30.
constexpr size_t kMaxGenerated = 58;  // 63 less the suffix.
constexpr int kConflictRetries = 64;  // Somebody else wrote between read and write; each round is one who succeeded.

constexpr const char* kClaimWarning = "kubelan keeps the files of a claim in memory: they outlive pods, and go with the claim or when kubelan ends";

json& metadata_of(json& tree) {
  json& metadata = tree["metadata"];
  if (!metadata.is_object()) metadata = json::object();
  return metadata;
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

// Of a kind that is not replaced blindly. Upstream names the resource here where it names the kind elsewhere.
base::Status check_revision(const store::Resource& r, const json& metadata, const base::Result<store::Object>& stored) {
  const std::string version = store::get_string(metadata, "resourceVersion");
  if (!stored.ok() || (!version.empty() && version != "0")) return {};
  store::Resource named = r;
  named.kind = r.plural;
  return invalid(named, store::get_string(stored->tree(), "metadata.name"), {{"FieldValueInvalid", "Invalid value: 0: must be specified for an update", "metadata.resourceVersion"}});
}

base::Status check_new_size(const store::Resource& r, const std::string& name, const json& old_tree, const json& tree) {
  std::vector<base::Cause> causes = check_resize(old_tree, tree);
  if (!causes.empty()) return invalid(r, name, std::move(causes));
  return {};
}

// Kinds of which a PUT makes what is not there.
bool creates_on_update(const store::Resource& r) {
  static constexpr std::string_view kKinds[] = {"services", "endpoints", "events", "limitranges", "leases.coordination.k8s.io", "runtimeclasses.node.k8s.io",
                                                "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io",
                                                "clusterrolebindings.rbac.authorization.k8s.io"};
  return std::find(std::begin(kKinds), std::end(kKinds), r.storage_name) != std::end(kKinds);
}

// Where upstream keeps it, which it says to who names another UID.
std::string registry_key(const store::Resource& r, const std::string& ns, const std::string& name) {
  static constexpr std::pair<std::string_view, std::string_view> kOther[] = {{"services", "services/specs"}, {"endpoints", "services/endpoints"}, {"nodes", "minions"}, {"ingresses", "ingress"}};
  std::string kind = r.custom ? std::string(r.group) + "/" + std::string(r.plural) : std::string(r.plural);
  for (const auto& [plural, place] : kOther) {
    if (!r.custom && r.plural == plural) kind = place;
  }
  return "/registry/" + kind + (r.namespaced ? "/" + ns : "") + "/" + name;
}

base::Error exists_error(const store::Resource& r, const store::Object& known) {
  base::Error e = already_exists(r, known.name());
  if (is_deleting(known.tree())) e.message = "object is being deleted: " + e.message;
  return e;
}

// Told whatever becomes of the write.
// Upstream checks what a custom object's metadata shares with all objects three times over on an update, and the causes show it.
void repeat_metadata_causes(std::vector<base::Cause>& causes) {
  std::vector<base::Cause> shared;
  for (const base::Cause& cause : causes) {
    if (cause.field.starts_with("metadata.labels") || cause.field.starts_with("metadata.annotations") || cause.field.starts_with("metadata.ownerReferences")) shared.push_back(cause);
  }
  for (int i = 0; i < 2; ++i) causes.insert(causes.begin(), shared.begin(), shared.end());
}

void note_early(std::vector<std::string> warnings, WriteContext& context) {
  if (warnings.empty()) return;
  context.warnings.insert(context.warnings.begin() + static_cast<ptrdiff_t>(context.early), warnings.begin(), warnings.end());
  context.early += warnings.size();
}

base::Status check_uid(const store::Resource& r, const json& stored, const std::string& uid) {
  const std::string old_uid = store::get_string(stored, "metadata.uid"), name = store::get_string(stored, "metadata.name");
  if (uid.empty() || uid == old_uid) return {};
  return conflict(r, name, "StorageError: invalid object, Code: 4, Key: " + registry_key(r, store::get_string(stored, "metadata.namespace"), name) +
                               ", ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: " + uid + ", UID in object meta: " + old_uid);
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
  if (r.custom) {
    store::default_custom(tree, *r.custom);
    store::apply_defaults(metadata_of(tree), *r.type->find_field("metadata")->type);
  } else {
    store::apply_defaults(tree, *r.type);
  }
  if (r.is_stored()) {
    if (store::PrepareHook hook = store::find_prepare_hook(r.prepare_hook)) hook(tree);
    return;
  }
  json kept = store::to_stored(r, std::move(tree));
  if (const store::Resource* stored = registry_.stored(r)) complete(*stored, kept);
  tree = store::from_stored(r, std::move(kept));
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
base::Status Pipeline::validate(const store::Resource& r, const json& shown_tree, const json* shown_old, std::string_view subresource) const {
  const store::Resource* stored = registry_.stored(r);
  const store::Resource& kept = stored ? *stored : r;
  const json converted = r.is_stored() ? json() : store::to_stored(r, shown_tree);
  const json converted_old = r.is_stored() || !shown_old ? json() : store::to_stored(r, *shown_old);
  const json& tree = r.is_stored() ? shown_tree : converted;
  const json* old_tree = r.is_stored() || !shown_old ? shown_old : &converted_old;
  std::vector<base::Cause> causes = store::validate_object_meta(tree, kept);
  if (r.custom && old_tree) repeat_metadata_causes(causes);
  auto add = [&](std::vector<base::Cause> more) {
    const std::ptrdiff_t before = static_cast<std::ptrdiff_t>(causes.size());
    for (base::Cause& cause : more) {
      // A field's own rule and a hook may find the same thing; a hook may find one thing for two reasons.
      bool known = std::any_of(causes.begin(), causes.begin() + before, [&](const base::Cause& c) { return c.field == cause.field && c.message == cause.message; });
      if (!known) causes.push_back(std::move(cause));
    }
  };
  const std::string_view hook_name = r.validate_hook.empty() ? kept.validate_hook : r.validate_hook;
  const bool hook_first = store::hook_goes_first(hook_name);
  if (r.custom) add(store::validate_custom(shown_tree, shown_old, *r.custom, subresource));
  else if (!hook_first) add(store::validate_fields(tree, *kept.type));
  if (old_tree) add(validate_metadata_update(*old_tree, tree));
  std::vector<base::Cause> found;
  if (store::ValidateHook hook = store::find_validate_hook(hook_name)) found = hook(tree, old_tree);
  if (!hook_first) add(std::move(found));
  else if (found.empty()) add(store::validate_fields(tree, *kept.type));
  else causes.insert(causes.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  if (old_tree && !r.custom) add(store::validate_immutable(*old_tree, tree, *kept.type));
  if (causes.empty()) return {};
  std::string name = store::get_string(tree, "metadata.name");
  // Upstream's internal types know one group: Events have that of core.
  return invalid(kept, name.empty() ? store::get_string(tree, "metadata.generateName") : name, std::move(causes));
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

void Pipeline::note_warnings(const store::Resource& r, const json& tree, const json* old_tree, WriteContext& context) const {
  std::vector<std::string> more;
  if (r.storage_name == "services") more = store::service_warnings(tree);
  else if (r.storage_name == store::kDefinitions) more = store::definition_warnings(tree, old_tree);
  else if (r.custom) more = store::custom_warnings(tree, old_tree);
  else more = store::object_warnings(r.storage_name, tree, old_tree);
  if (r.storage_name == "secrets") more = {tls_secret_problem(tree)};
  for (std::string& warning : more) {
    if (!warning.empty()) context.warnings.push_back(std::move(warning));
  }
}

void Pipeline::note_workload_warnings(const store::Resource& r, const json& tree, const json* old_tree, WriteContext& context) const {
  for (std::string& warning : store::workload_warnings(r.storage_name, tree, old_tree)) context.warnings.push_back(std::move(warning));
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
  if (auto version = parse_uint(store::get_string(metadata, "resourceVersion")); version.ok() && *version != 0) {
    return base::Error(base::Code::kInternal, "resourceVersion should not be set on objects to be created");
  }
  for (const char* key : {"uid", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"}) metadata.erase(key);
  note_early(drop_repeated_owners(tree), context);
  std::string base = store::get_string(metadata, "generateName");
  const bool generate = store::get_string(metadata, "name").empty() && !base.empty();
  if (generate) metadata["name"] = generated_name(base);
  metadata["uid"] = base::make_uid();
  metadata["creationTimestamp"] = base::render_rfc3339(clock_.wall());
  if (r.has_generation) metadata["generation"] = 1;
  if (r.has_status && r.storage_name != "nodes") tree.erase("status");  // Who makes a node may say how it is.
  TRY_STATUS(check_namespace(r, ns, store::get_string(metadata, "name")));
  TRY_STATUS(custom_kinds_.check_create(r));
  note_stored_only(r, tree, nullptr, context);
  note_warnings(r, tree, nullptr, context);
  if (r.storage_name == "persistentvolumeclaims") context.warnings.push_back(kClaimWarning);
  const bool gives = tracking == Tracking::kUpdate && gives_fields(r);
  const json sent = gives ? tree : json();
  complete(r, tree);
  // Who writes owns what they wrote and its defaults, not what the server gives out from here on.
  if (tracking == Tracking::kUpdate) {
    json tracked = compat::track_update(nullptr, gives ? owned_part(r, sent, tree) : std::move(tree), r, {context.manager, r.api_version(), ""}, clock_.wall());
    if (gives) keep_from(store::get_object(tracked, "metadata"), metadata_of(tree), {"managedFields"});
    else tree = std::move(tracked);
  }
  TRY_STATUS(admit_create(r, ns, tree, context));
  // After the classes that a pod names: what they say goes before what is given to every pod.
  if (store::AdmitHook admit = store::find_admit_hook(r.prepare_hook)) admit(tree, nullptr);
  TRY_STATUS(ingresses_.complete(r, tree, context.warnings));
  // Addresses come before validation, as upstream: what was given out is judged too.
  ServiceAllocator::Reservation reservation;
  if (r.storage_name == "services") reservation = TRY(services_.allocate(nullptr, tree, r));
  TRY_STATUS(validate(r, tree, nullptr, ""));
  note_workload_warnings(r, tree, nullptr, context);
  custom_kinds_.complete(r, tree);
  TRY_STATUS(ingresses_.check(r, tree, context.warnings));
  AddressObjects::Claim claim = TRY(addresses_.before_create(r, tree));
  addresses_.complete(r, tree);
  for (int attempt = 1;; ++attempt) {
    std::string name = store::get_string(tree, "metadata.name");
    store::Key key{r.storage(), r.namespaced ? ns : "", name};
    if (context.dry_run) {
      if (auto known = store_.get(key); known.ok()) return exists_error(r, *known);
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
    if (!generate || attempt == kNameAttempts) {
      auto known = store_.get(key);
      return known.ok() ? exists_error(r, *known) : already_exists(r, name);
    }
    metadata_of(tree)["name"] = generated_name(base);
  }
}

base::Result<store::Object> Pipeline::update(const store::Resource& r, const std::string& ns, const std::string& name, const std::string& subresource,
                                             json tree, WriteContext& context) {
  TRY_STATUS(decode(r, tree, context, nullptr));
  json& metadata = metadata_of(tree);
  std::string body_ns = store::get_string(metadata, "namespace");
  if (r.namespaced && !body_ns.empty() && body_ns != ns) return bad_request("the namespace of the provided object does not match the namespace sent on the request");
  TRY_STATUS(check_path_name(store::get_string(metadata, "name"), name));
  if (r.custom && store::get_string(metadata, "resourceVersion").empty()) {
    store::Resource named = r;
    named.kind = r.plural;
    return invalid(named, name, {{"FieldValueInvalid", "Invalid value: 0: must be specified for an update", "metadata.resourceVersion"}});
  }
  if (r.needs_revision) TRY_STATUS(check_revision(r, metadata, get(r, r.namespaced ? ns : "", name)));
  note_early(drop_repeated_owners(tree), context);
  const std::string uid = store::get_string(metadata, "uid");
  WriteContext quiet = context;  // Decoded and warned already.
  quiet.validation = FieldValidation::kIgnore;
  if (context.validation != FieldValidation::kIgnore) {
    if (auto stored = get(r, r.namespaced ? ns : "", name); stored.ok() && subresource.empty()) {
      note_stored_only(r, tree, &stored->tree(), context);
      note_warnings(r, tree, &stored->tree(), context);
      if (store::has_workload_warnings(r.storage_name)) {
        json whole = tree;
        complete(r, whole);
        note_workload_warnings(r, whole, &stored->tree(), context);
      }
    }
  }
  auto change = [&](const json& stored) -> base::Result<json> {
    TRY_STATUS(check_uid(r, stored, uid));
    return tree;
  };
  auto written = modify(r, ns, name, subresource, change, quiet);
  if (written.ok() || written.error().code != base::Code::kNotFound || !subresource.empty() || !creates_on_update(r)) return written;
  TRY_STATUS(may_create(r, ns, name, context));
  context.created = true;
  metadata.erase("resourceVersion");
  return do_create(r, ns, std::move(tree), context, Tracking::kUpdate);
}

// Which parts of the sent tree count: the main resource does not write status, and the other way round.
base::Result<json> Pipeline::merge_update(const store::Resource& r, const std::string& subresource, const json& old_tree, json tree) const {
  json& metadata = metadata_of(tree);
  const json& old_metadata = store::get_object(old_tree, "metadata");
  std::string name = store::get_string(old_metadata, "name");
  std::string version = store::get_string(metadata, "resourceVersion");
  if (!version.empty()) {
    auto expected = parse_uint(version);
    if (!expected.ok()) return base::Error(base::Code::kInternal, expected.error().message);
    if (*expected != 0 && version != store::get_string(old_metadata, "resourceVersion")) return stale(r, name);
  }
  if (auto causes = changed_identity(old_metadata, metadata); !causes.empty()) return invalid(r, name, std::move(causes));
  if (subresource == "status" || subresource == "approval") {
    // Upstream takes metadata here too; conformance tests patch labels through /status.
    json out = old_tree;
    if (const json* status = store::find_key(tree, "status")) out["status"] = *status;
    else out.erase("status");
    for (const char* key : {"labels", "annotations", "finalizers", "ownerReferences"}) {
      if (!status_keeps(r, key)) keep_from(metadata, out["metadata"], {key});
    }
    if (const json* managed = store::find_key(metadata, "managedFields")) out["metadata"]["managedFields"] = *managed;
    return out;
  }
  if (subresource == kEphemeralContainers) return with_ephemeral_containers(old_tree, tree);
  if (subresource == kResize) return with_resized(old_tree, tree);
  keep_from(old_metadata, metadata, {"name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
                                     "resourceVersion"});
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
  if (subresource.empty()) note_warnings(r, out, &old_tree, context);
  complete(r, out);
  if (subresource.empty()) note_workload_warnings(r, out, &old_tree, context);
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
    if (store::AdmitHook admit = subresource.empty() ? store::find_admit_hook(r.prepare_hook) : nullptr) admit(tree, &old_tree);
    TRY_STATUS(admit_update(r, key.ns, subresource, old_tree, tree, context));
    // What a resize may change is judged by its own rules.
    const bool resize = subresource == kResize;
    TRY_STATUS(validate(r, tree, resize ? &tree : &old_tree, subresource));
    if (resize) TRY_STATUS(check_new_size(r, name, old_tree, tree));
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
      const compat::Manager manager{context.manager, r.api_version(), context.part.empty() ? subresource : context.part};
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
    if (!r.custom) store::apply_defaults(tree, *r.type);
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
