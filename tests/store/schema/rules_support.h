// tests/store/schema/rules_support.h - an object as the write pipeline makes it, and what validation says of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>  // Lint: tests read trees.
#include <string>
#include <vector>

#include "store/schema/hooks.h"
#include "store/schema/schema.h"

namespace store {

inline const Resource& resource_of(const char* kind) {
  for (const Resource* resource : builtin_registry().resources()) {
    if (resource->kind == kind) return *resource;
  }
  ADD_FAILURE() << "no kind " << kind;
  return *builtin_registry().resources().front();
}

// A stored pod's account, which updates are not given.
inline std::string with_account(const std::string& pod) {
  json tree = json::parse(pod);
  if (!tree["spec"].contains("serviceAccountName")) tree["spec"]["serviceAccountName"] = "default";
  return tree.dump();
}

// As the write pipeline does it. `old`: what is updated.
inline json prepared(const char* kind, const std::string& text, const json* old = nullptr) {
  const Resource& resource = resource_of(kind);
  json tree = json::parse(text);
  drop_nulls(tree, *resource.type);
  apply_defaults(tree, *resource.type);
  if (const PrepareHook prepare = find_prepare_hook(resource.prepare_hook)) prepare(tree);
  if (const AdmitHook admit = find_admit_hook(resource.prepare_hook)) admit(tree, old);
  return tree;
}

inline std::vector<std::string> problems(const char* kind, const std::string& text, const std::string& old_text = "") {
  const Resource& resource = resource_of(kind);
  const json old = old_text.empty() ? json() : prepared(kind, old_text);
  const json tree = prepared(kind, text, old_text.empty() ? nullptr : &old);
  std::vector<std::string> out;
  auto add = [&](const std::vector<base::Cause>& causes) {
    const auto before = static_cast<std::ptrdiff_t>(out.size());
    for (const base::Cause& cause : causes) {
      const std::string text_of_it = cause.field + ": " + cause.message;
      if (std::find(out.begin(), out.begin() + before, text_of_it) == out.begin() + before) out.push_back(text_of_it);
    }
  };
  const bool hook_first = hook_goes_first(resource.validate_hook);
  if (!hook_first) add(validate_fields(tree, *resource.type));
  if (const ValidateHook validate = find_validate_hook(resource.validate_hook)) add(validate(tree, old_text.empty() ? nullptr : &old));
  if (hook_first && out.empty()) add(validate_fields(tree, *resource.type));
  return out;
}

}  // namespace store
