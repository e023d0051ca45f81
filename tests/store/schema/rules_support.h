// tests/store/schema/rules_support.h - an object as the write pipeline makes it, and what validation says of it.
#pragma once

#include <gtest/gtest.h>

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

// As the write pipeline does it.
inline json prepared(const char* kind, const std::string& text) {
  const Resource& resource = resource_of(kind);
  json tree = json::parse(text);
  drop_nulls(tree, *resource.type);
  apply_defaults(tree, *resource.type);
  if (const PrepareHook prepare = find_prepare_hook(resource.prepare_hook)) prepare(tree);
  return tree;
}

inline std::vector<std::string> problems(const char* kind, const std::string& text, const std::string& old_text = "") {
  const Resource& resource = resource_of(kind);
  const json tree = prepared(kind, text);
  std::vector<base::Cause> causes = validate_fields(tree, *resource.type);
  const json old = old_text.empty() ? json() : prepared(kind, old_text);
  if (const ValidateHook validate = find_validate_hook(resource.validate_hook)) {
    for (base::Cause& cause : validate(tree, old_text.empty() ? nullptr : &old)) causes.push_back(std::move(cause));
  }
  std::vector<std::string> out;
  for (const base::Cause& cause : causes) out.push_back(cause.field + ": " + cause.message);
  return out;
}

}  // namespace store
