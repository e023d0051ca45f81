#include "server/api/documents.h"

#include <nlohmann/json.hpp>

#include "kubectl-compat/discovery/discovery.h"
#include "kubectl-compat/negotiate/negotiate.h"
#include "kubectl-compat/openapi/openapi.h"
#include "server/api/status.h"

namespace server {
namespace {

std::string etag_of(const std::string& bytes) {
  // FNV-1a, twice with different seeds: only equality with what this process sent matters.
  auto fnv = [&](uint64_t hash) {
    for (unsigned char c : bytes) hash = (hash ^ c) * 1099511628211ull;
    return hash;
  };
  char text[40];
  snprintf(text, sizeof text, "\"%016llX%016llX\"", static_cast<unsigned long long>(fnv(14695981039346656037ull)),
           static_cast<unsigned long long>(fnv(0x9e3779b97f4a7c15ull)));
  return text;
}

const std::string kSchemas = "/openapi/v3/";

constexpr std::string_view kRepresentations[] = {"application/json", "application/yaml", "application/vnd.kubernetes.protobuf"};

// What the router of upstream asks of paths that it knows. (The lists of groups come from elsewhere and take any method.)
base::Status check_routed(const HttpRequest& request, std::span<const std::string_view> produced) {
  if (request.method != "GET") return method_not_allowed_here();
  return compat::check_representations(request.header("accept"), produced);
}

bool lists_etag(const std::string& header, const std::string& etag) { return !etag.empty() && header.find(etag) != std::string::npos; }

}  // namespace

std::optional<Documents::Document> Documents::cached(const std::string& key, const std::string& content_type, const Make& make) {
  uint64_t began = 0;
  {
    std::lock_guard lock(mutex_);
    if (auto it = cache_.find(key); it != cache_.end()) return it->second;
    began = generation_;
  }
  // Outside the lock: a document may take milliseconds; two first readers make it twice.
  auto text = make();
  if (!text) return std::nullopt;
  Document document{std::make_shared<const std::string>(std::move(*text)), "", content_type};
  document.etag = etag_of(*document.bytes);
  std::lock_guard lock(mutex_);
  if (began != generation_) return document;
  return cache_.emplace(key, std::move(document)).first->second;
}

// The schemas of other groups stay: making them all takes longer than everything else a definition costs.
void Documents::forget(const std::string& group) {
  std::lock_guard lock(mutex_);
  std::erase_if(cache_, [&](const auto& row) { return !row.first.starts_with(kSchemas) || row.first.starts_with(kSchemas + ("apis/" + group + "/")); });
  ++generation_;
}

std::optional<Documents::Document> Documents::schema_document(const std::string& path) {
  return cached(kSchemas + path, "application/json", [&]() -> std::optional<std::string> {
    auto made = compat::openapi_v3(registry_, path);
    if (!made) return std::nullopt;
    return made->dump(-1, ' ', false, json::error_handler_t::replace);
  });
}

std::optional<HttpResponse> Documents::answer(const HttpRequest& request) {
  if (request.path == "/version" || request.path == "/version/") {
    static constexpr std::string_view kJson[] = {"application/json"};
    if (base::Status routed = check_routed(request, kJson); !routed.ok()) return error_response(routed.error());
    HttpResponse response;
    response.body = compat::version_info().dump(2);  // The one document that upstream indents.
    return response;
  }
  if (auto response = discovery(request)) return response;
  return openapi(request);
}

std::optional<HttpResponse> Documents::discovery(const HttpRequest& request) {
  std::string path = request.path;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path != "/api" && path != "/apis" && !path.starts_with("/api/") && !path.starts_with("/apis/")) return std::nullopt;
  std::optional<Document> document;
  if (path == "/api" || path == "/apis") {
    const bool core = path == "/api";
    if (base::Status routed = core ? check_routed(request, kRepresentations) : base::Status(); !routed.ok()) return error_response(routed.error());
    auto negotiated = compat::negotiate(request.header("accept"), compat::Endpoint::kDiscovery);
    if (!negotiated.ok()) return error_response(negotiated.error());
    const bool aggregated = negotiated->as == compat::As::kAggregatedDiscovery;
    auto version = negotiated->version == "v2" ? compat::DiscoveryVersion::kV2 : compat::DiscoveryVersion::kV2Beta1;
    std::string key = path + (aggregated ? " " + negotiated->version : "");
    document = cached(key, aggregated ? negotiated->content_type : "application/json", [&]() -> std::optional<std::string> {
      if (aggregated) return (core ? compat::aggregated_core(registry_, version) : compat::aggregated_groups(registry_, version)).dump();
      return (core ? compat::api_versions(server_address_) : compat::api_group_list(registry_)).dump();
    });
  } else {
    // /api/v1, /apis/G, /apis/G/V
    const bool core = path.starts_with("/api/");
    std::string rest = path.substr(core ? 5 : 6);
    size_t slash = rest.find('/');
    if (core ? slash != std::string::npos : (slash != std::string::npos && rest.find('/', slash + 1) != std::string::npos)) return std::nullopt;
    document = cached(path, "application/json", [&]() -> std::optional<std::string> {
      std::optional<compat::Ordered> made;
      if (core) made = compat::api_resource_list(registry_, "", rest);
      else if (slash == std::string::npos) made = compat::api_group(registry_, rest);
      else made = compat::api_resource_list(registry_, rest.substr(0, slash), rest.substr(slash + 1));
      if (!made) return std::nullopt;
      return made->dump();
    });
    if (!document) return std::nullopt;
    if (core || slash != std::string::npos) {
      if (base::Status routed = check_routed(request, kRepresentations); !routed.ok()) return error_response(routed.error());
    }
    if (auto negotiated = compat::negotiate(request.header("accept"), compat::Endpoint::kPlain); !negotiated.ok()) return error_response(negotiated.error());
  }
  if (!document) return std::nullopt;
  HttpResponse response;
  response.headers.emplace_back("ETag", document->etag);
  response.headers.emplace_back("Vary", "Accept");
  response.headers.emplace_back("Cache-Control", "public");
  if (lists_etag(request.header("if-none-match"), document->etag)) {
    response.status = 304;
    return response;
  }
  response.content_type = document->content_type;
  response.shared_body = document->bytes;
  return response;
}

std::optional<HttpResponse> Documents::openapi(const HttpRequest& request) {
  if (!request.path.starts_with("/openapi/")) return std::nullopt;
  std::optional<Document> document;
  HttpResponse response;
  if (request.path == "/openapi/v2") {
    if (compat::wants_openapi_protobuf(request.header("accept"))) {
      // Exactly this spelling: "@" for the dot before "v1.0" is not a media type to Go's parser.
      document = cached("/openapi/v2 protobuf", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf", [&] { return compat::openapi_v2_protobuf(registry_); });
    } else {
      document = cached("/openapi/v2", "application/json", [&] { return compat::openapi_v2(registry_).dump(); });
    }
  } else if (request.path == "/openapi/v3") {
    document = cached("/openapi/v3", "application/json", [&] {
      return compat::openapi_v3_index(registry_, [&](const std::string& path) -> std::optional<std::string> {
        auto found = schema_document(path);
        if (!found) return std::nullopt;
        return *found->bytes;
      }).dump();
    });
  } else if (request.path.starts_with("/openapi/v3/")) {
    document = schema_document(request.path.substr(12));
    // The URLs of the index carry the hash of what they name.
    if (document && request.param("hash")) response.headers.emplace_back("Cache-Control", "public, immutable");
  }
  if (!document) return std::nullopt;
  response.headers.emplace_back("ETag", document->etag);
  response.headers.emplace_back("Vary", "Accept");
  if (lists_etag(request.header("if-none-match"), document->etag)) {
    response.status = 304;
    return response;
  }
  response.content_type = document->content_type;
  response.shared_body = document->bytes;
  return response;
}

}  // namespace server
