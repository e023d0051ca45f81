// kubectl-compat/negotiate/negotiate.h - Accept and Content-Type as Kubernetes reads them. Pure.
#pragma once

#include <span>
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

// What a path can be turned into: nothing, Tables and metadata, or the one document of all groups.
enum class Endpoint { kPlain, kObjects, kDiscovery };

// Picks the first acceptable clause; protobuf and cbor clauses are skipped in favour of JSON. Never refuses a
// header that any known client sends; kNotAcceptable only when nothing could be answered (e.g. "image/png").
base::Result<Negotiated> negotiate(std::string_view accept, Endpoint endpoint = Endpoint::kObjects);
// What a router asks before: does the header name one of what the path is answered with? Parameters and preferences do not
// count, and of wildcards only */* is one. kNotAcceptable worded as upstream.
base::Status check_representations(std::string_view accept, std::span<const std::string_view> produced);
// For GET /openapi/v2: true when the client wants the gnostic protobuf.
bool wants_openapi_protobuf(std::string_view accept);

enum class BodyType { kJson, kYaml, kProtobuf, kJsonPatch, kMergePatch, kStrategicPatch, kApplyPatch };
// Empty header = JSON. kUnsupportedMediaType worded as upstream.
base::Result<BodyType> parse_body_type(std::string_view content_type);
// For PATCH: only the four patch types are taken; everything else (plain JSON too) is kUnsupportedMediaType.
base::Result<BodyType> parse_patch_type(std::string_view content_type);

}  // namespace compat
