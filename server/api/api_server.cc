#include "server/api/api_server.h"

#include <nlohmann/json.hpp>

#include "server/api/audit.h"
#include "server/api/client_impl.h"
#include "server/api/core.h"
#include "server/api/ephemeral_containers.h"
#include "server/api/pod_resize.h"
#include "server/api/health.h"
#include "server/api/manifest.h"
#include "server/api/metrics_page.h"
#include "server/api/respond.h"
#include "server/api/status.h"
#include "server/api/verbs.h"
#include "store/base/log.h"

namespace server {
namespace {

HttpResponse no_such_path() { return plain_response(404, "404 page not found\n"); }
HttpResponse no_such_resource() { return error_response(path_not_found()); }

bool allows(std::span<const std::string_view> verbs, Verb verb) {
  for (std::string_view v : verbs) {
    if (v == verb_name(verb)) return true;
  }
  return false;
}

HttpResponse method_not_allowed() { return error_response(method_not_allowed_here()); }

class ApiServerImpl final : public ApiServer {
 public:
  ApiServerImpl(store::Store& store, const store::Registry& registry, const base::Clock& clock, const ApiOptions& options)
      : core_(store, registry, clock, options), client_(core_) {
    base::Status loaded = core_.services.load(store);
    if (loaded.ok()) loaded = core_.custom_kinds.load();
    if (loaded.ok()) loaded = core_.addresses.load();
    if (loaded.ok()) loaded = core_.ingresses.load();
    if (!loaded.ok()) base::log::error("api: reading Services, Ingresses and definitions: {}", loaded.error().message);
  }

  Client& client() override { return client_; }
  void set_runtime(PodRuntime* runtime) override { core_.runtime = runtime; }
  void set_ready(bool ready) override { core_.ready = ready; }
  void close_watches() override { core_.watches.close_all(); }
  base::Result<std::vector<std::string>> apply_manifest(const std::string& text, const std::string& default_namespace) override {
    return server::apply_manifest(core_, text, default_namespace);
  }

  HttpResponse handle(const HttpRequest& request) override {
    const base::MonoTime begun = core_.clock.mono();
    Audit audit(core_.clock);
    RequestKind kind{.verb = request.method};
    HttpResponse response = route(request, audit, kind);
    audit.finish(request, response.status);
    core_.metrics.count(kind, response.status, std::chrono::duration<double>(core_.clock.mono() - begun).count());
    to_yaml(request, response);
    compress(request, response);
    return response;
  }

 private:
  HttpResponse route(const HttpRequest& request, Audit& audit, RequestKind& kind) {
    auto user = core_.access.identify(request);
    if (!user.ok()) return error_response(user.error());
    RequestInfo info = parse_request(request);
    audit.found(*user, request, info);
    const store::Resource* r = info.is_resource ? core_.registry.find(info.group, info.version, info.plural) : nullptr;
    kind = request_kind(request, info, r && (info.subresource.empty() || r->find_subresource(info.subresource)));
    if (!user->in_group(auth::kMasters)) {
      base::Status allowed = core_.access.check(*user, attributes_of(request, info));
      if (!allowed.ok()) return error_response(allowed.error());
    }
    if (base::Status timed = check_timeout(request, info); !timed.ok()) return error_response(timed.error());
    if (auto health = answer_health(request, core_.ready)) return std::move(*health);
    if (auto document = core_.documents.answer(request)) return std::move(*document);
    if (auto document = answer_issuer(request)) return std::move(*document);
    if (auto page = answer_metrics(request, core_)) return std::move(*page);
    if (request.path == "/" || request.path.empty()) return root();
    if (!info.is_resource) return no_such_path();
    if (!r) return is_built_in(info) ? no_such_resource() : no_such_path();
    const bool connection = info.subresource == "proxy";
    // A namespaced kind without namespace is only listed and watched; a cluster-scoped one has no namespace.
    const bool misplaced = r->namespaced ? info.ns.empty() && !info.name.empty() : !info.ns.empty();
    const bool odd = !connection && (!info.rest.empty() || request.path.find("//") != std::string::npos);
    if (misplaced || odd) return r->custom ? no_such_path() : no_such_resource();
    if (request.method == "HEAD" && !connection) return method_not_allowed();
    if (AddressObjects::is_ip_address(r->storage_name)) core_.addresses.show();
    Call call{core_, request, info, *r, *user};
    HttpResponse response = info.subresource.empty() ? serve_main(call) : serve_subresource(call);
    if (!r->deprecation.empty()) add_warnings(response, {std::string(r->deprecation)});
    if (r->custom && !r->custom->deprecation.empty()) add_warnings(response, {r->custom->deprecation});
    return response;
  }

  static HttpResponse serve_main(const Call& call) {
    const Verb verb = call.info.verb;
    if (verb == Verb::kNone || !allows(call.resource.verbs, verb)) return method_not_allowed();
    // Over all namespaces there is only looking.
    const bool writes = verb == Verb::kCreate || verb == Verb::kDeleteCollection;
    if (writes && call.resource.namespaced && call.info.ns.empty()) return method_not_allowed();
    if (auto refused = refuse_form(call)) return std::move(*refused);
    switch (verb) {
      case Verb::kGet: return serve_get(call);
      case Verb::kList: return serve_list(call);
      case Verb::kWatch: return serve_watch(call);
      case Verb::kCreate: return serve_create(call);
      case Verb::kUpdate: return serve_update(call, "");
      case Verb::kPatch: return serve_patch(call, "");
      case Verb::kDelete: return serve_delete(call);
      case Verb::kDeleteCollection: return serve_delete_collection(call);
      case Verb::kNone: break;
    }
    return method_not_allowed();
  }

  static HttpResponse serve_subresource(const Call& call) {
    const store::Subresource* sub = call.resource.find_subresource(call.info.subresource);
    if (!sub) return call.resource.custom ? no_such_path() : no_such_resource();
    // A proxy passes on whatever it gets.
    if (call.info.subresource != "proxy" && !allows(sub->verbs, call.info.verb)) return method_not_allowed();
    if (auto refused = refuse_form(call)) return std::move(*refused);
    if (SubresourceHandler handler = find_subresource_handler(call.resource, call.info.subresource)) return handler(call);
    const std::string& part = call.info.subresource;
    if (part != "status" && part != kEphemeralContainers && part != kResize) return no_such_path();
    switch (call.info.verb) {
      case Verb::kGet: return serve_get(call);
      case Verb::kUpdate: return serve_update(call, part);
      case Verb::kPatch: return serve_patch(call, part);
      default: return method_not_allowed();
    }
  }

  // Of a group that definitions made, unknown paths are answered by another part of upstream, in other words.
  bool is_built_in(const RequestInfo& info) const {
    const auto rows = store::builtin_registry().resources();
    return std::any_of(rows.begin(), rows.end(), [&](const store::Resource* r) { return r->group == info.group && r->version == info.version; });
  }

  // What others need to check service accounts' tokens by themselves.
  std::optional<HttpResponse> answer_issuer(const HttpRequest& request) const {
    static constexpr std::string_view kKeys[] = {"application/jwk-set+json"};
    const bool keys_wanted = request.path == "/openid/v1/jwks" || request.path == "/openid/v1/jwks/";
    if (!keys_wanted && request.path != "/.well-known/openid-configuration" && request.path != "/.well-known/openid-configuration/") return std::nullopt;
    if (request.method != "GET") return method_not_allowed();
    if (!keys_wanted) return json_response(200, core_.access.tokens().discovery(core_.options.server_address));
    if (base::Status taken = compat::check_representations(request.header("accept"), kKeys); !taken.ok()) return error_response(taken.error());
    auto keys = core_.access.tokens().jwks();
    if (!keys.ok()) return error_response(keys.error());
    HttpResponse response = json_response(200, *keys);
    response.content_type = "application/jwk-set+json";
    return response;
  }

  HttpResponse root() const {
    json paths = {"/api", "/api/v1", "/apis"};
    for (const store::Resource* r : core_.registry.resources()) {
      if (r->group.empty()) continue;
      std::string group = "/apis/" + std::string(r->group), version = group + "/" + std::string(r->version);
      if (std::find(paths.begin(), paths.end(), group) == paths.end()) paths.push_back(group);
      if (std::find(paths.begin(), paths.end(), version) == paths.end()) paths.push_back(version);
    }
    for (const char* path : {"/.well-known/openid-configuration", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"}) paths.push_back(path);
    return json_response(200, {{"paths", std::move(paths)}});
  }

  Core core_;
  ClientImpl client_;
};

}  // namespace

std::unique_ptr<ApiServer> ApiServer::make(store::Store& store, const store::Registry& registry, const base::Clock& clock, const ApiOptions& options) {
  return std::make_unique<ApiServerImpl>(store, registry, clock, options);
}

}  // namespace server
