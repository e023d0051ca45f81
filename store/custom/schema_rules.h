// store/custom/schema_rules.h - what is wrong with a schema in a definition, in upstream's words and order. Private to
// store/custom. Pure; any JSON is taken.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "store/base/result.h"

namespace store {

using json = nlohmann::json;

// properties[name], dependencies[name]
inline std::string keyed_path(const std::string& path, const char* map, const std::string& key) { return path + "." + map + "[" + key + "]"; }

// `schema` at `path` ("spec.versions[0].schema.openAPIV3Schema"). `has_status`: the version serves /status.
std::vector<base::Cause> check_schema(const json& schema, const std::string& path, bool has_status);

// Whether it can be read as a structural schema at all; "" or why not.
std::string unstructural(const json& schema);

// The parts of check_schema: the form of structural schemas, sorted by text; and each schema for itself.
std::vector<base::Cause> check_structure(const json& schema, const std::string& path);
std::vector<base::Cause> check_parts(const json& schema, const std::string& path);

// Formats that mean nothing, one for each place that asks for one.
std::vector<std::string> unknown_formats(const json& schema);

}  // namespace store
