// libFuzzer: Ingresses of any content, with real annotations of any value, through the route compiler; then the table answers requests.
// No Ingress with a path is lost in silence: a route is its own, or a problem tells why not.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "server/gateway/ingress/annotations.h"
#include "server/gateway/ingress/compile_ingress.h"
#include "server/gateway/policy/rewrite.h"
#include "server/gateway/table/dump.h"
#include "server/gateway/table/matcher.h"

namespace {

using namespace server::gateway;
namespace model = server::model;
using nlohmann::json;

void require(bool holds) {
  if (!holds) abort();
}

const char* const kHosts[] = {"", "a.test", "b.test", "*.a.test", "*.test", "x.a.test", "A.test", "10.0.0.1"};
const char* const kPaths[] = {"/", "/a", "/a/", "/a/b", "/A", "/a(/|$)(.*)", "/[a-z]+", "/b$", "a", ""};
const char* const kServices[] = {"web", "pages", "empty", "outside", "none", ""};
const char* const kPorts[] = {"80", "http", "8080", "none", "", "0"};
const char* const kValues[] = {"true", "false", "1", "0", "-1", "50", "10m", "*", "nginx", "/", "/$1", "$host", "http://web.default.svc.cluster.local/x", "https://elsewhere.test/$request_uri", "10.0.0.0/8,::/0",
                               "default/secret", "secret", "basic", "digest", "cookie", "$remote_addr", "500,502", "GRPC", "HTTPS", "on", "off", "a b;c d", "~^(.*)$"};
// Of Secrets and ConfigMaps.
const char* const kKeys[] = {"tls.crt", "tls.key", "ca.crt", "auth", "X-Name", "53", "9000"};

template <size_t N>
std::string pick(FuzzedDataProvider& in, const char* const (&from)[N]) {
  return in.ConsumeIntegral<uint8_t>() < 8 ? in.ConsumeRandomLengthString(40) : from[in.ConsumeIntegralInRange<size_t>(0, N - 1)];
}

model::ServiceIndex make_services() {
  model::ServiceIndex index;
  auto add = [&](const char* text) {
    json tree = json::parse(text);
    bool slice = tree["kind"] == "EndpointSlice";
    const store::Object object(slice ? "endpointslices.discovery.k8s.io" : "Service", tree);
    if (slice) index.change_slice({}, object);
    else index.change_service({}, object);
  };
  add(R"({"kind":"Service","metadata":{"namespace":"default","name":"web"},"spec":{"clusterIP":"10.96.0.50","ports":[{"name":"http","port":80,"targetPort":8080}]}})");
  add(R"({"kind":"EndpointSlice","metadata":{"namespace":"default","name":"web-1","labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4","ports":[{"name":"http","port":8080}],
          "endpoints":[{"addresses":["10.244.1.5"],"targetRef":{"kind":"Pod","name":"web-0"}},{"addresses":["10.244.1.6"]}]})");
  add(R"({"kind":"Service","metadata":{"namespace":"default","name":"pages"},"spec":{"clusterIP":"10.96.0.52","ports":[{"port":80}]}})");
  add(R"({"kind":"Service","metadata":{"namespace":"default","name":"empty"},"spec":{"clusterIP":"10.96.0.53","ports":[{"port":80}]}})");
  add(R"({"kind":"Service","metadata":{"namespace":"default","name":"outside"},"spec":{"type":"ExternalName","externalName":"elsewhere.test"}})");
  return index;
}

IngressBackend make_backend(FuzzedDataProvider& in) {
  IngressBackend out;
  if (in.ConsumeIntegral<uint8_t>() < 16) out.resource = "Bucket/b";
  else out = {pick(in, kServices), pick(in, kPorts), ""};
  return out;
}

Ingress make_ingress(FuzzedDataProvider& in, size_t number) {
  Ingress out;
  out.key = {"default", "i" + std::to_string(number)};
  out.created = "2026-01-01T00:00:0" + std::to_string(in.ConsumeIntegralInRange(0, 9)) + "Z";
  const uint8_t what = in.ConsumeIntegral<uint8_t>();
  if ((what & 7) != 0) out.class_name = (what & 7) == 1 ? "other" : "nginx";
  if ((what & 8) != 0) out.default_backend = make_backend(in);
  if ((what & 16) != 0) out.tls.push_back({{pick(in, kHosts)}, (what & 32) != 0 ? "secret" : ""});
  const auto& rows = annotation_table();
  for (size_t i = in.ConsumeIntegralInRange<size_t>(0, 5); i > 0; --i) {
    const std::string name = rows[in.ConsumeIntegralInRange<size_t>(0, rows.size() - 1)]->name;
    out.annotations["nginx.ingress.kubernetes.io/" + name] = pick(in, kValues);
  }
  for (size_t i = in.ConsumeIntegralInRange<size_t>(0, 3); i > 0; --i) {
    IngressRule rule;
    rule.host = pick(in, kHosts);
    std::transform(rule.host.begin(), rule.host.end(), rule.host.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });  // As the projection does.
    rule.http = true;
    for (size_t k = in.ConsumeIntegralInRange<size_t>(0, 2); k > 0; --k) {
      IngressPath path;
      path.type = static_cast<IngressPath::Type>(in.ConsumeIntegralInRange(0, 2));
      path.path = pick(in, kPaths);
      if (path.path.empty()) path.path = "/";
      path.backend = make_backend(in);
      rule.paths.push_back(std::move(path));
    }
    out.rules.push_back(std::move(rule));
  }
  return out;
}

bool is_its(const Origin& origin, const ObjectKey& key) { return origin.ns == key.ns && origin.name == key.name; }

void check_told(const IngressInput& input, const IngressResult& result) {
  for (const ObjectKey& key : result.served) {
    const Ingress& ingress = input.ingresses.at(key);
    if (std::all_of(ingress.rules.begin(), ingress.rules.end(), [](const IngressRule& rule) { return rule.paths.empty(); })) continue;
    bool told = std::any_of(result.problems.begin(), result.problems.end(), [&](const Problem& problem) { return is_its(problem.origin, key); });
    for (const auto& listener : result.table.listeners) {
      for (const VirtualHost& host : listener->hosts) {
        if (host.passthrough) told = true;
        for (const Route& route : host.routes) {
          told = told || is_its(route.origin, key);
          if (const auto* forward = std::get_if<Forward>(&route.action)) told = told || !forward->canaries.empty();
        }
      }
    }
    require(told);
  }
}

void ask(const IngressResult& result, FuzzedDataProvider& in) {
  RequestHead request;
  request.method = "GET";
  request.authority = pick(in, kHosts);
  request.target = "/" + pick(in, kPaths);
  base::Result<std::string> path = normalize_path(request.path());
  if (!path.ok()) return;
  for (const auto& listener : result.table.listeners) {
    ListenerMatcher matcher(listener);
    Matched matched = matcher.find({&request, *path});
    if (matched.route == nullptr) continue;
    require(matched.host != nullptr);
    std::vector<Considered> considered = matcher.explain({&request, *path});
    require(!considered.empty() && considered[0].won && considered[0].route == matched.route);
    TemplateContext context;
    context.request = &request;
    context.route = matched.route;
    context.host = matched.host;
    context.path = *path;
    context.captures = &matched.captures;
    if (matched.route->redirect && matched.route->redirect->location) matched.route->redirect->location->render(context);
    const auto* forward = std::get_if<Forward>(&matched.route->action);
    if (forward != nullptr && forward->rewrite) {
      base::Result<std::string> target = rewritten_target(*forward->rewrite, request, context, *path);
      if (target.ok()) require(target->find_first_of("\r\n") == std::string::npos);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const model::ServiceIndex services = make_services();
  FuzzedDataProvider in(data, size);
  IngressInput input;
  input.services = &services;
  input.classes["nginx"] = {"nginx", "k8s.io/ingress-nginx"};
  input.classes["other"] = {"other", "example.com/other"};
  IngressOptions options;
  options.without_class = in.ConsumeBool();
  for (size_t i = in.ConsumeIntegralInRange<size_t>(0, 4); i > 0; --i) {
    Ingress ingress = make_ingress(in, i);
    input.ingresses[ingress.key] = std::move(ingress);
  }
  auto some_data = [&] {
    std::map<std::string, std::string> out;
    for (size_t i = in.ConsumeIntegralInRange<size_t>(0, 2); i > 0; --i) out[pick(in, kKeys)] = pick(in, kValues);
    return out;
  };
  input.secrets[{"default", "secret"}] = {{"default", "secret"}, "Opaque", some_data()};
  input.config_maps[{"default", "secret"}] = {{"default", "secret"}, some_data()};
  input.config_maps[{"ingress-nginx", "tcp-services"}] = {{"ingress-nginx", "tcp-services"}, some_data()};
  std::map<std::string, std::string> config;
  const auto& rows = annotation_table();
  for (size_t i = in.ConsumeIntegralInRange<size_t>(0, 3); i > 0; --i) {
    const char* key = rows[in.ConsumeIntegralInRange<size_t>(0, rows.size() - 1)]->config_key;
    config[key != nullptr ? key : in.ConsumeRandomLengthString(20)] = pick(in, kValues);
  }
  input.config_maps[{"ingress-nginx", "ingress-nginx-controller"}] = {{"ingress-nginx", "ingress-nginx-controller"}, std::move(config)};

  IngressResult result = compile_ingress(input, options);
  check_told(input, result);
  for (int i = 0; i < 3; ++i) ask(result, in);
  dump(result.table);
  // The same objects give the same table.
  require(dump(compile_ingress(input, options).table) == dump(result.table));
  return 0;
}
