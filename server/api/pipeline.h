// server/api/pipeline.h - the one way to write: decode, prune, default, prepare, validate, allocate, persist.
// REST verbs, subresources, the in-process client and `up -f` all come through here.
//
// Trees that go in and objects that come out are of the version that the Resource names; what the store keeps is of the one
// version that a kind is kept in (store/schema/conversions.h).
//
// Thread-safe; calls block on the store.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "server/api/access_control.h"
#include "server/api/address_objects.h"
#include "server/api/allocator.h"
#include "server/api/custom_kinds.h"
#include "server/api/ingress_admission.h"
#include "store/base/clock.h"
#include "store/base/result.h"
#include "store/object/object.h"
#include "store/schema/schema.h"
#include "store/store.h"

namespace server {

using json = nlohmann::json;

enum class FieldValidation { kIgnore, kWarn, kStrict };

// Who writes and how; gathers warnings on the way.
struct WriteContext {
  bool dry_run = false;
  FieldValidation validation = FieldValidation::kWarn;
  std::string manager = "kubelan";             // Field manager.
  const auth::User* user = nullptr;            // Who asks; nullptr: kubelan itself, which may do everything.
  std::vector<std::string> duplicates;         // From decoding the body.
  const std::string* text = nullptr;           // The body, when it is JSON: what is wrong with it is said in its order.
  std::string part;                            // The subresource that ownership is noted for, when the write itself goes elsewhere.
  std::vector<std::string> warnings;           // Out: Warning header texts.
  size_t early = 0;                            // Out: how many of them are from decoding, and told whatever becomes of the write.
  bool created = false;                        // Out: an update made the object.
};

struct RemoveOptions {
  std::optional<int64_t> grace_period_seconds;
  std::string propagation;       // "", "Foreground", "Background", "Orphan"
  std::string uid;               // Preconditions; "" = none.
  std::string resource_version;
  bool dry_run = false;
};
struct Removed {
  store::Object object;  // The last state, or the state with its deletionTimestamp.
  bool gone = false;
};

class Pipeline {
 public:
  Pipeline(store::Store& store, const store::Registry& registry, const base::Clock& clock, ServiceAllocator& services, AddressObjects& addresses,
           IngressAdmission& ingresses, AccessControl& access, CustomKinds& custom_kinds)
      : store_(store), registry_(registry), clock_(clock), services_(services), addresses_(addresses), ingresses_(ingresses), access_(access), custom_kinds_(custom_kinds) {}

  // `ns` is the request's namespace ("" for cluster-scoped kinds).
  base::Result<store::Object> create(const store::Resource& r, const std::string& ns, json tree, WriteContext& context);

  // Replaces the object, or with `subresource` "status" its status. metadata.resourceVersion of `tree`, when
  // present, is the expected revision.
  base::Result<store::Object> update(const store::Resource& r, const std::string& ns, const std::string& name, const std::string& subresource,
                                     json tree, WriteContext& context);

  // Makes the new tree from the stored one; called again when somebody else wrote in between. A tree whose
  // resourceVersion differs from the stored one is a conflict.
  using Change = std::function<base::Result<json>(const json& stored)>;
  // Server-side apply sets managedFields itself.
  enum class Tracking { kUpdate, kDoneByChange };
  base::Result<store::Object> modify(const store::Resource& r, const std::string& ns, const std::string& name, const std::string& subresource,
                                     const Change& change, WriteContext& context, Tracking tracking = Tracking::kUpdate);

  // For subresources that own fields which nobody else may write (binding, finalize): stores what `change` makes of
  // the stored tree, unvalidated.
  base::Result<store::Object> rewrite(const store::Resource& r, const std::string& ns, const std::string& name, const Change& change, WriteContext& context);

  // As create; metadata.managedFields is already what it shall be (server-side apply).
  base::Result<store::Object> create_applied(const store::Resource& r, const std::string& ns, json tree, WriteContext& context);

  // An update or apply that makes the object needs what a create needs; kForbidden.
  base::Status may_create(const store::Resource& r, const std::string& ns, const std::string& name, const WriteContext& context) const;

  base::Result<Removed> remove(const store::Resource& r, const std::string& ns, const std::string& name, const RemoveOptions& options);

  // The first steps for a tree that came from a client: kind, nulls, JSON types, unknown fields by
  // context.validation. `patched`: makes what errors quote when the tree comes from a patch, or null.
  using Quote = std::function<std::string()>;
  base::Status decode(const store::Resource& r, json& tree, WriteContext& context, const Quote* patched) const;

  base::Result<store::Object> get(const store::Resource& r, const std::string& ns, const std::string& name) const;

 private:
  base::Result<store::Object> do_create(const store::Resource& r, const std::string& ns, json tree, WriteContext& context, Tracking tracking);
  base::Result<std::vector<std::string>> decode_fields(const store::Resource& r, json& tree) const;
  void complete(const store::Resource& r, json& tree) const;
  base::Result<store::Object> find_account(const std::string& ns, const std::string& name, const WriteContext& context);
  base::Result<json> find_priority_class(const std::string& name) const;
  base::Status admit_classes(const store::Resource& r, json& pod) const;
  base::Status admit_create(const store::Resource& r, const std::string& ns, json& tree, const WriteContext& context);
  base::Status admit_update(const store::Resource& r, const std::string& ns, const std::string& subresource, const json& old_tree, json& tree,
                            const WriteContext& context) const;
  base::Status check_namespace(const store::Resource& r, const std::string& ns, const std::string& name) const;
  base::Result<json> merge_update(const store::Resource& r, const std::string& subresource, const json& old_tree, json tree) const;
  base::Result<json> finish_update(const store::Resource& r, const std::string& subresource, const json& old_tree, json tree, WriteContext& context) const;
  base::Status validate(const store::Resource& r, const json& tree, const json* old_tree, std::string_view subresource) const;
  void note_stored_only(const store::Resource& r, const json& tree, const json* old_tree, WriteContext& context) const;
  void note_workload_warnings(const store::Resource& r, const json& tree, const json* old_tree, WriteContext& context) const;
  void note_warnings(const store::Resource& r, const json& tree, const json* old_tree, WriteContext& context) const;
  base::Result<store::Object> persist_update(const store::Resource& r, const store::Object& stored, json tree, bool dry_run);
  base::Result<store::Object> persist_removal(const store::Object& stored, json tree);
  base::Status remove_objects_of(const std::string& definition);
  base::Status finish_definition(const std::string& definition);
  void note_change(const store::Key& key);
  base::Result<Removed> remove_once(const store::Resource& r, const store::Object& stored, const RemoveOptions& options);

  store::Store& store_;
  const store::Registry& registry_;
  const base::Clock& clock_;
  ServiceAllocator& services_;
  AddressObjects& addresses_;
  IngressAdmission& ingresses_;
  AccessControl& access_;
  CustomKinds& custom_kinds_;
};

}  // namespace server
