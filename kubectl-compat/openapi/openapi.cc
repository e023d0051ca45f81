#include "kubectl-compat/openapi/openapi.h"

#include <openssl/sha.h>

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "kubectl-compat/openapi/model.h"

namespace compat {
namespace {

const char kTitle[] = "Kubernetes";
const char kVersion[] = "v1.36.0";

}  // namespace

std::string openapi_hash(const json& document) { return openapi_text_hash(document.dump(-1, ' ', false, json::error_handler_t::replace)); }

std::string openapi_text_hash(std::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::string out;
  for (unsigned char byte : digest) {
    out += "0123456789ABCDEF"[byte >> 4];
    out += "0123456789ABCDEF"[byte & 15];
  }
  return out;
}

std::optional<json> openapi_v3(const store::Registry& registry, std::string_view path) {
  std::vector<PathItem> paths;
  for (const store::Resource* resource : registry.resources()) {
    if (group_version_path(resource->group, resource->version) == path) compile_paths(registry, *resource, paths);
  }
  if (paths.empty()) return std::nullopt;
  SchemaSet schemas(registry, Dialect::kV3);
  json rendered = render_paths(paths, schemas);
  return json{{"openapi", "3.0.0"},
              {"info", {{"title", kTitle}, {"version", kVersion}}},
              {"paths", std::move(rendered)},
              {"components", {{"schemas", schemas.take()}}}};
}

json openapi_v3_index(const store::Registry& registry) {
  return openapi_v3_index(registry, [&](const std::string& path) -> std::optional<std::string> {
    auto document = openapi_v3(registry, path);
    if (!document) return std::nullopt;
    return document->dump(-1, ' ', false, json::error_handler_t::replace);
  });
}

json openapi_v3_index(const store::Registry& registry, const std::function<std::optional<std::string>(const std::string& path)>& find) {
  std::set<std::string> names;
  for (const store::Resource* resource : registry.resources()) names.insert(group_version_path(resource->group, resource->version));
  json paths = json::object();
  for (const std::string& name : names) {
    if (auto document = find(name)) paths[name] = {{"serverRelativeURL", "/openapi/v3/" + name + "?hash=" + openapi_text_hash(*document)}};
  }
  return {{"paths", std::move(paths)}};
}

json openapi_v2(const store::Registry& registry) {
  std::vector<PathItem> paths;
  for (const store::Resource* resource : registry.resources()) compile_paths(registry, *resource, paths);
  SchemaSet schemas(registry, Dialect::kV2);
  json rendered = render_paths(paths, schemas);
  return {{"swagger", "2.0"},
          {"info", {{"title", kTitle}, {"version", kVersion}}},
          {"paths", std::move(rendered)},
          {"definitions", schemas.take()}};
}

}  // namespace compat
