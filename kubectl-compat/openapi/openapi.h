// kubectl-compat/openapi/openapi.h - OpenAPI documents made from the schema tables. Pure; results are large,
// callers cache them per Registry.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "store/schema/schema.h"

namespace compat {

using json = nlohmann::json;

json openapi_v3_index(const store::Registry& registry);  // GET /openapi/v3; URLs carry content hashes
// `path` as in the index: "api/v1", "apis/apps/v1". Nothing if not served.
std::optional<json> openapi_v3(const store::Registry& registry, std::string_view path);
std::string openapi_hash(const json& document);           // Upper-case hex.
json openapi_v2(const store::Registry& registry);         // GET /openapi/v2, JSON form
// The gnostic protobuf form that kubectl <= 1.28 (Debian's 1.20 among them) asks for.
std::string openapi_v2_protobuf(const store::Registry& registry);

}  // namespace compat
