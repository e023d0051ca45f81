// kubectl-compat/openapi/openapi.h - OpenAPI documents made from the schema tables. Pure; results are large,
// callers cache them per Registry.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "store/schema/schema.h"

namespace compat {

using json = nlohmann::json;

// GET /openapi/v3; URLs carry content hashes. `document` gives the text of one, if there is one.
json openapi_v3_index(const store::Registry& registry, const std::function<std::optional<std::string>(const std::string& path)>& document);
json openapi_v3_index(const store::Registry& registry);  // With documents made for it.
// `path` as in the index: "api/v1", "apis/apps/v1". Nothing if not served.
std::optional<json> openapi_v3(const store::Registry& registry, std::string_view path);
std::string openapi_hash(const json& document);           // Upper-case hex.
std::string openapi_text_hash(std::string_view document);  // Of its text.
json openapi_v2(const store::Registry& registry);         // GET /openapi/v2, JSON form
// The gnostic protobuf form that kubectl <= 1.28 (Debian's 1.20 among them) asks for.
std::string openapi_v2_protobuf(const store::Registry& registry);

}  // namespace compat
