// server/api/decode.h - request bodies to JSON trees. Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "kubectl-compat/negotiate/negotiate.h"
#include "store/base/result.h"

namespace server {

using json = nlohmann::json;

// JSON, YAML (apply patches are; JSON is its subset) or protobuf, by `type`. Empty YAML is null; empty JSON is none.
// kBadRequest, in the decoder's words, on malformed input or beyond kMaxDepth levels. Fields given twice go to *duplicates, worded
// `duplicate field "spec.replicas"`, when it is not null (the last one wins, as in Go).
base::Result<json> decode_body(const std::string& body, compat::BodyType type, std::vector<std::string>* duplicates);
// Whether upstream has a Go type of this name: one that is compiled in here.
bool is_known_kind(std::string_view api_version, std::string_view kind);
base::Result<json> decode_json(const std::string& text, std::vector<std::string>* duplicates = nullptr);

}  // namespace server
