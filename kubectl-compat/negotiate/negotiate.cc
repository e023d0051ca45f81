#include "kubectl-compat/negotiate/negotiate.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "store/base/text.h"

namespace compat {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr size_t kMaxClauses = 64;  // No client sends more than a handful; bounds work on hostile headers.

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kYaml = "application/yaml";
constexpr std::string_view kProtobuf = "application/vnd.kubernetes.protobuf";
constexpr std::string_view kCbor = "application/cbor";

struct Clause {
  std::string type;  // Lower case, "application/json".
  std::vector<std::pair<std::string, std::string>> params;
  double quality = 1.0;
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls fn(piece) for each piece between separators, outside double quotes.
template <class Fn>
void split(std::string_view text, char separator, Fn fn) {
  size_t start = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (text[i] != separator || quoted) continue;
    fn(text.substr(start, i - start));
    start = i + 1;
  }
  fn(text.substr(start));
}

std::string_view unquote(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
  return text;
}

Clause parse_clause(std::string_view text) {
  Clause clause;
  bool first = true;
  split(text, ';', [&](std::string_view piece) {
    piece = trim(piece);
    if (first) {
      first = false;
      clause.type = base::lower(piece);
      return;
    }
    auto equals = piece.find('=');
    if (equals == std::string_view::npos) return;
    std::string key = base::lower(trim(piece.substr(0, equals)));
    std::string value(unquote(trim(piece.substr(equals + 1))));
    if (key == "q") {
      char* end = nullptr;
      double q = std::strtod(value.c_str(), &end);
      clause.quality = end != value.c_str() && q >= 0 && q <= 1 ? q : 1.0;
    } else {
      clause.params.emplace_back(std::move(key), std::move(value));
    }
  });
  return clause;
}

// In the client's order of preference: by quality, then as written.
std::vector<Clause> parse_accept(std::string_view accept) {
  std::vector<Clause> clauses;
  split(accept, ',', [&](std::string_view piece) {
    piece = trim(piece);
    if (!piece.empty() && clauses.size() < kMaxClauses) clauses.push_back(parse_clause(piece));
  });
  std::erase_if(clauses, [](const Clause& c) { return c.quality <= 0; });
  std::stable_sort(clauses.begin(), clauses.end(), [](const Clause& a, const Clause& b) { return a.quality > b.quality; });
  return clauses;
}

struct Transform {
  std::string_view group, kind, version;
  As as;
};

constexpr Transform kTransforms[] = {
    {"meta.k8s.io", "Table", "v1", As::kTable},
    {"meta.k8s.io", "Table", "v1beta1", As::kTable},
    {"meta.k8s.io", "PartialObjectMetadata", "v1", As::kPartialMetadata},
    {"meta.k8s.io", "PartialObjectMetadata", "v1beta1", As::kPartialMetadata},
    {"meta.k8s.io", "PartialObjectMetadataList", "v1", As::kPartialMetadataList},
    {"meta.k8s.io", "PartialObjectMetadataList", "v1beta1", As::kPartialMetadataList},
    {"apidiscovery.k8s.io", "APIGroupDiscoveryList", "v2", As::kAggregatedDiscovery},
    {"apidiscovery.k8s.io", "APIGroupDiscoveryList", "v2beta1", As::kAggregatedDiscovery},
};

// What the clause asks for, answered in `media`. Nothing when it names a transform that we do not have: the
// client's next clause is then tried, as upstream does.
std::optional<Negotiated> accept_clause(const Clause& clause, std::string_view media, Endpoint endpoint) {
  Negotiated out;
  out.content_type = std::string(media);
  std::string kind, group, version;
  for (const auto& [key, value] : clause.params) {
    if (key == "as") kind = value;
    if (key == "g") group = value;
    if (key == "v") version = value;
    if (key == "pretty") out.pretty = value == "1";
    if (key == "charset" && base::lower(value) != "utf-8") return std::nullopt;
  }
  if (kind.empty()) return out;
  for (const Transform& t : kTransforms) {
    if (t.kind != kind || t.group != group || t.version != version) continue;
    if (endpoint != (t.as == As::kAggregatedDiscovery ? Endpoint::kDiscovery : Endpoint::kObjects)) return std::nullopt;
    out.as = t.as;
    out.version = version;
    // Discovery clients look at the parameters of the answer to tell the aggregated form from the legacy one.
    if (t.as == As::kAggregatedDiscovery) out.content_type += ";g=" + group + ";v=" + version + ";as=" + kind;
    return out;
  }
  return std::nullopt;
}

std::string_view answer_for(const Clause& clause) {
  if (clause.type == kJson || clause.type == "application/*" || clause.type == "*/*") return kJson;
  if (clause.type == kYaml) return kYaml;
  return "";
}

struct BodyRow {
  std::string_view media;
  BodyType type;
};

constexpr BodyRow kObjectBodies[] = {
    {kJson, BodyType::kJson},
    {kYaml, BodyType::kYaml},
    {kProtobuf, BodyType::kProtobuf},
};
constexpr BodyRow kPatchBodies[] = {
    {"application/json-patch+json", BodyType::kJsonPatch},
    {"application/merge-patch+json", BodyType::kMergePatch},
    {"application/strategic-merge-patch+json", BodyType::kStrategicPatch},
    {"application/apply-patch+yaml", BodyType::kApplyPatch},
};

std::optional<BodyType> find_body(std::span<const BodyRow> rows, const std::string& media) {
  for (const BodyRow& row : rows) {
    if (row.media == media) return row.type;
  }
  return std::nullopt;
}

Error unsupported(std::span<const BodyRow> rows) {
  std::string message = "the body of the request was in an unknown format - accepted media types include: ";
  for (size_t i = 0; i < rows.size(); ++i) message.append(i ? ", " : "").append(rows[i].media);
  return Error(Code::kUnsupportedMediaType, std::move(message));
}

}  // namespace

Result<Negotiated> negotiate(std::string_view accept, Endpoint endpoint) {
  std::vector<Clause> clauses = parse_accept(accept);
  if (clauses.empty() && trim(accept).empty()) return Negotiated{.content_type = std::string(kJson)};
  for (const Clause& clause : clauses) {
    std::string_view media = answer_for(clause);
    if (media.empty()) continue;
    if (auto out = accept_clause(clause, media, endpoint)) return *std::move(out);
  }
  // Clients that name only a binary form decode by the answer's Content-Type, so JSON serves them too.
  for (const Clause& clause : clauses) {
    if (clause.type != kProtobuf && clause.type != kCbor) continue;
    if (auto out = accept_clause(clause, kJson, endpoint)) return *std::move(out);
  }
  return Error(Code::kNotAcceptable, "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf");
}

base::Status check_representations(std::string_view accept, std::span<const std::string_view> produced) {
  bool found = trim(accept).empty();
  std::string list;
  for (std::string_view media : produced) list.append(list.empty() ? "" : ", ").append(media);
  split(accept, ',', [&](std::string_view piece) {
    const std::string_view media = trim(piece.substr(0, piece.find(';')));
    if (media == "*/*" || std::find(produced.begin(), produced.end(), media) != produced.end()) found = true;
  });
  if (found) return {};
  return Error(Code::kNotAcceptable, "406: Not Acceptable\n\nAvailable representations: " + list);
}

bool wants_openapi_protobuf(std::string_view accept) {
  for (const Clause& clause : parse_accept(accept)) {
    // '@' is what clients write, '.' is the form that is legal in a media type, gnostic's is the one of before 1.12.
    if (clause.type == "application/com.github.proto-openapi.spec.v2@v1.0+protobuf" ||
        clause.type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf" ||
        clause.type == "application/com.github.googleapis.gnostic.openapiv2@68f4ded+protobuf") {
      return true;
    }
    if (!answer_for(clause).empty()) return false;
  }
  return false;
}

Result<BodyType> parse_body_type(std::string_view content_type) {
  std::string media = parse_clause(content_type).type;
  if (media.empty()) return BodyType::kJson;
  if (auto type = find_body(kObjectBodies, media)) return *type;
  if (auto type = find_body(kPatchBodies, media)) return *type;
  return unsupported(kObjectBodies);
}

Result<BodyType> parse_patch_type(std::string_view content_type) {
  if (auto type = find_body(kPatchBodies, parse_clause(content_type).type)) return *type;
  return unsupported(kPatchBodies);
}

}  // namespace compat
