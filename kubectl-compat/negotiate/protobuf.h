// kubectl-compat/negotiate/protobuf.h - bodies in Kubernetes' protobuf form as JSON trees, by the field numbers of the schema.
// Go clients of 1.32 and newer send nothing else for built-in kinds. Only reading: every such client takes JSON back.
//
// Pure; any thread. Bounded by the size of the body and the depth of its type.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "store/base/result.h"
#include "store/schema/schema.h"

namespace compat {

using json = nlohmann::json;

// The type that a body's apiVersion and kind name (both may be ""); nullptr: not known.
using FindType = std::function<const store::Type*(std::string_view api_version, std::string_view kind)>;

// An object with its apiVersion and kind, as a Go client would write it in JSON: fields at zero are left out where upstream
// leaves them out. Fields that the schema does not have are skipped, as Go does. kBadRequest on anything malformed.
base::Result<json> decode_protobuf(std::string_view body, const FindType& find);

}  // namespace compat
