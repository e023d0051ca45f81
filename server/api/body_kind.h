// server/api/body_kind.h - does a body say that it is what is wanted here? Worded as upstream's decoder. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "store/schema/schema.h"

namespace server {

using json = nlohmann::json;

// A kind on the wire.
struct BodyKind {
  std::string_view group, version, kind;
  std::string api_version() const { return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version); }
};
BodyKind body_kind(const store::Resource& r);

// What Go's decoder calls a JSON value: "object", "bool".
const char* go_kind(const json& value);
// The package of Go that upstream keeps a group's objects in: "core", "rbac".
std::string_view go_package(std::string_view group);

// kBadRequest when the tree names another kind or version. What it leaves out is what is wanted.
base::Status check_body_kind(const json& tree, const BodyKind& wanted);
// The same without the words around it, for an object that a patch has made; "" when it fits.
std::string body_kind_problem(const json& tree, const BodyKind& wanted);
// `Pod in version "v1" cannot be handled as a Pod: WHY`
base::Error cannot_be_handled(const json& tree, const BodyKind& wanted, const std::string& why);
// Of a body that is no object at all, or names its kind with something else than text: the problem, or nothing.
std::optional<std::string> head_problem(const json& tree);

}  // namespace server
