// kubectl-compat/negotiate/negotiate.h - Accept and Content-Type as Kubernetes reads them. Pure.
#pragma once

#include <string>
#include <string_view>

#include "store/base/result.h"

namespace compat {

enum class As { kObject, kTable, kPartialMetadata, kPartialMetadataList, kAggregatedDiscovery };

struct Negotiated {
  As as = As::kObject;
  std::string version;      // of the `as` kind: "v1", "v1beta1", "v2", "v2beta1"
  std::string content_type; // what to answer with
  bool pretty = false;
};

// Picks the first acceptable clause; protobuf and cbor clauses are skipped in favour of JSON. Never refuses a
// header that any known client sends; kNotAcceptable only when nothing could be answered (e.g. "image/png").
base::Result<Negotiated> negotiate(std::string_view accept);
// For GET /openapi/v2: true when the client wants the gnostic protobuf.
bool wants_openapi_protobuf(std::string_view accept);

enum class BodyType { kJson, kYaml, kProtobuf, kJsonPatch, kMergePatch, kStrategicPatch, kApplyPatch };
// Empty header = JSON. kUnsupportedMediaType worded as upstream.
base::Result<BodyType> parse_body_type(std::string_view content_type);
// For PATCH: only the four patch types are taken; everything else (plain JSON too) is kUnsupportedMediaType.
base::Result<BodyType> parse_patch_type(std::string_view content_type);

}  // namespace compat
