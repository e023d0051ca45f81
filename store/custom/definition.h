// store/custom/definition.h - CustomResourceDefinitions as objects: their status, and what to warn of. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "store/schema/schema.h"

namespace store {

inline constexpr std::string_view kDefinitions = "customresourcedefinitions.apiextensions.k8s.io";
inline constexpr std::string_view kCleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

// Sets status: the names are accepted unless somebody in `others` has them, and then the kind is served at once.
// `now`: RFC 3339. `others`: every served row but this definition's own.
void complete_definition_status(json& tree, const std::vector<const Resource*>& others, const std::string& now);
bool is_established(const json& definition);

// Formats that mean nothing, which `old` (nullptr: none) does not have; and what kubelan does not do with this definition.
std::vector<std::string> definition_warnings(const json& tree, const json* old);
// An unknown field (`unknown field "spec.foo"`) that upstream's decoder drops without a word: within `items` of a schema.
bool is_dropped_silently(std::string_view issue);

// As name_problem(), in the words of upstream's older checks. Private to store/custom.
std::string text_problem(const std::string& name, NameRule rule);

// On deletion: the condition Terminating, and the finalizer that holds the definition until its objects are gone.
void mark_definition_terminating(json& tree, const std::string& now);

}  // namespace store
