// store/schema/hooks.h - what a table of fields cannot say: defaults and checks that look at several fields.
//
// All functions are pure and safe from any thread; they take any JSON that passed check_types() and never throw.
// The write pipeline runs them as: drop_nulls, check_types, prune_unknown, apply_defaults, prepare, admit, then
// validate_object_meta, validate_fields, validate, validate_immutable (see hook_goes_first).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/result.h"
#include "store/schema/schema.h"

namespace store {

// Fills in what depends on other fields (imagePullPolicy by tag, targetPort, ...). Idempotent.
using PrepareHook = void (*)(json& tree);
// What upstream adds to an object of this kind once it is complete (admission and its strategy's preparation): on a create,
// where `old` is nullptr, and on an update of the object itself. Who wrote the object does not own it.
using AdmitHook = void (*)(json& tree, const json* old);
// Every cause of a 422, in order; `old` is the stored object on an update, nullptr on a create.
using ValidateHook = std::vector<base::Cause> (*)(const json& tree, const json* old);

// The hooks that Resource::prepare_hook and validate_hook name; nullptr for "" and for a name that does not exist.
PrepareHook find_prepare_hook(std::string_view name);
AdmitHook find_admit_hook(std::string_view name);  // By prepare_hook.
ValidateHook find_validate_hook(std::string_view name);
// Whether this hook checks the fields itself: validate_fields is asked only when it finds nothing.
bool hook_goes_first(std::string_view name);

// metadata of any object: name (by the resource's rule), labels, annotations (syntax and total size),
// finalizers, ownerReferences. A missing name is the cause "name or generateName is required"; namespaces are
// the API's business.
std::vector<base::Cause> validate_object_meta(const json& tree, const Resource& resource);

// clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy of a Service, as far as they can be judged before addresses are
// given out: part of its validate hook, and what the allocator asks first.
// `old`: the Service before an update, whose addresses may stay as they are written.
std::vector<base::Cause> validate_service_addresses(const json& tree, const json* old);
// How a pod with this spec is treated when its node runs short: BestEffort, Burstable or Guaranteed.
std::string qos_class(const json& spec);
// What upstream warns of in a Service as it was written (before its prepare hook).
std::vector<std::string> service_warnings(const json& tree);

// Why `name` breaks the rule, worded as upstream, joined with "; "; "" when it is fine.
std::string name_problem(std::string_view name, NameRule rule);

}  // namespace store
