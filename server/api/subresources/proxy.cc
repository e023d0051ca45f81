// pods/proxy, services/proxy and nodes/proxy: a request goes on to an endpoint, and its answer comes back.
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "server/api/status.h"
#include "server/api/subresources/handlers.h"
#include "server/api/subresources/proxy_backend.h"
#include "server/api/subresources/proxy_target.h"
#include "server/api/subresources/stream_common.h"
#include "store/base/text.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr size_t kWhole = 64 * 1024;  // An answer of a known length up to this goes out with its length.
constexpr std::chrono::seconds kBodyWait{60};
constexpr std::chrono::milliseconds kLook{500};  // How often a quiet stream looks whether its client is there.

base::Error unreachable(const std::string& why) { return base::Error(base::Code::kUnavailable, "error trying to reach service: " + why); }

// The path up to ".../proxy", and what follows it.
struct ProxyPath {
  std::string prefix, rest;
};
ProxyPath split_path(const HttpRequest& request, const RequestInfo& info) {
  const size_t from = request.path.find("/" + info.plural + "/" + info.name + "/proxy");
  const size_t end = from == std::string::npos ? request.path.size() : from + info.plural.size() + info.name.size() + 8;
  return {request.path.substr(0, end), request.path.substr(end)};
}

std::string query_text(const HttpRequest& request) {
  std::string out;
  for (const auto& [name, value] : request.query) {
    out += (out.empty() ? "?" : "&") + encode_query(name);
    if (!value.empty()) out += "=" + encode_query(value);
  }
  return out;
}

base::Result<std::vector<json>> slices_of(const Call& call, const std::string& service) {
  std::vector<json> out;
  const store::Resource* r = call.core.registry.find("discovery.k8s.io", "v1", "endpointslices");
  if (r == nullptr) return out;
  store::ListQuery query;
  query.resource = r->storage();
  query.ns = call.info.ns;
  auto page = TRY(call.core.store.list(query));
  for (const store::Object& slice : page.items) {
    const json& labels = store::get_object(slice.tree(), "metadata.labels");
    auto label = labels.find("kubernetes.io/service-name");
    if (label != labels.end() && *label == service) out.push_back(slice.tree());
  }
  return out;
}

base::Result<ProxyTarget> find_target(const Call& call) {
  static std::atomic<size_t> turn{0};
  const std::string& kind = call.info.plural;
  const std::string one = kind.substr(0, kind.size() - 1);  // "pod", "service", "node"
  auto wanted = parse_proxy_name(call.info.name);
  if (!wanted) return bad_request("invalid " + one + " request \"" + call.info.name + "\"");
  store::Object object = TRY(call.core.pipeline.get(call.resource, call.info.ns, wanted->name));
  if (one == "pod") return pod_target(*wanted, object.tree());
  if (one == "node") return node_target(*wanted, object.tree());
  const std::vector<json> slices = TRY(slices_of(call, wanted->name));
  return service_target(*wanted, call.info.name, object.tree(), slices, turn++);
}

bool hop_by_hop(const std::string& lower) {
  static constexpr std::string_view kNames[] = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"};
  return std::find(std::begin(kNames), std::end(kNames), lower) != std::end(kNames);
}

std::string request_text(const Call& call, const ProxyPath& path, bool upgrade) {
  const HttpRequest& request = call.request;
  const std::string host = request.header("host");
  std::string out = request.method + " " + (path.rest.empty() ? "/" : encode_path(path.rest)) + query_text(request) + " HTTP/1.1\r\nHost: " + host + "\r\n";
  for (const auto& [name, value] : request.headers) {
    // Who asked whom, and with what right, is between the client and this server.
    const bool own = name == "host" || name == "authorization" || name == "content-length" || name.starts_with("x-forwarded-") || name == "expect";
    if (!own && !hop_by_hop(name)) out += name + ": " + value + "\r\n";
  }
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH") out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  out += upgrade ? "Connection: Upgrade\r\nUpgrade: " + request.header("upgrade") + "\r\n" : "Connection: close\r\n";
  out += "X-Forwarded-Host: " + host + "\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Uri: " + encode_path(path.prefix + path.rest) + "\r\n\r\n";
  return out + request.body;
}

// Both ways until one side has closed.
void relay(Connection& connection, ProxyBackend& backend) {
  std::atomic<bool> over{false};
  std::thread answers([&] {
    while (!over) {
      auto bytes = backend.read_raw(kLook);
      if (!bytes.ok() && bytes.error().code == base::Code::kTimeout) continue;
      if (!bytes.ok() || bytes->empty() || !connection.write(*bytes).ok()) break;
    }
    connection.close();
  });
  std::string buffer(16 * 1024, '\0');
  for (;;) {
    auto n = connection.read(buffer.data(), buffer.size());
    if (!n.ok() || *n == 0 || !backend.write(std::string_view(buffer).substr(0, *n)).ok()) break;
  }
  over = true;
  answers.join();
}

void stream_body(ProxyBackend& backend, const std::function<bool(std::string_view)>& write, const std::function<bool()>& alive) {
  while (!backend.at_end()) {
    auto bytes = backend.read_body(kLook);
    if (!bytes.ok() && bytes.error().code != base::Code::kTimeout) return;  // The answer has begun; it just ends.
    if (bytes.ok() && bytes->empty()) return;
    if (bytes.ok() ? !write(*bytes) : !alive()) return;
  }
}

HttpResponse to_response(const Call& call, const ProxyPath& path, const BackendHead& head, const std::string& host) {
  HttpResponse response;
  response.status = head.status;
  response.content_type = head.header("content-type");
  if (response.content_type.empty()) response.content_type = "text/plain; charset=utf-8";
  for (const auto& [name, value] : head.headers) {
    const std::string lower = base::lower(name);
    if (hop_by_hop(lower) || lower == "content-length" || lower == "content-type") continue;
    response.headers.emplace_back(name, lower == "location" ? rewrite_location(value, path.prefix, call.request.header("host"), host) : value);
  }
  return response;
}

HttpResponse upgraded(const BackendHead& head, std::shared_ptr<ProxyBackend> backend) {
  HttpResponse response;
  for (const auto& [name, value] : head.headers) response.headers.emplace_back(name, value);
  response.upgrade = [backend](Connection& connection) { relay(connection, *backend); };
  return response;
}

base::Result<HttpResponse> exchange(const Call& call, const ProxyPath& path) {
  const ProxyTarget target = TRY(find_target(call));
  PodRuntime* runtime = call.core.runtime;
  if (runtime == nullptr) return base::Error(base::Code::kUnavailable, "no network of pods is served here");
  auto socket = runtime->dial_address(target.ip, target.port);
  if (!socket.ok()) return unreachable(socket.error().message);
  auto opened = ProxyBackend::open(std::move(*socket), target.tls);
  if (!opened.ok()) return unreachable(opened.error().message);
  std::shared_ptr<ProxyBackend> backend = std::move(*opened);
  const bool upgrade = !call.request.header("upgrade").empty();
  base::ignore(backend->write(request_text(call, path, upgrade)), "an endpoint may answer before it has read all");
  auto head = backend->read_head(call.request.method == "HEAD");
  if (!head.ok()) return unreachable(head.error().message);
  if (head->status == 101) return upgraded(*head, backend);
  HttpResponse response = to_response(call, path, *head, target.ip.text() + ":" + std::to_string(target.port));
  if (backend->at_end()) return response;
  if (!head->length || *head->length > kWhole) {
    response.stream = [backend](const auto& write, const auto& alive) { stream_body(*backend, write, alive); };
    return response;
  }
  while (!backend->at_end()) response.body += TRY(backend->read_body(kBodyWait));
  return response;
}

}  // namespace

HttpResponse serve_proxy(const Call& call) {
  if (call.info.verb == Verb::kNone && call.request.method != "OPTIONS") {
    return error_response(base::Error(base::Code::kMethodNotAllowed, "the server does not allow this method on the requested resource"));
  }
  const ProxyPath path = split_path(call.request, call.info);
  const bool reads = call.request.method == "GET" || call.request.method == "HEAD";
  if (path.rest.empty() && reads && call.request.header("upgrade").empty()) {
    // Relative links of what is served there work only below a path that ends with "/".
    HttpResponse redirect;
    redirect.status = 301;
    redirect.headers.emplace_back("Location", encode_path(path.prefix) + "/" + query_text(call.request));
    return redirect;
  }
  auto response = exchange(call, path);
  return response.ok() ? std::move(*response) : error_response(response.error());
}

}  // namespace server
