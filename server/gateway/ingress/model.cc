#include "server/gateway/ingress/model.h"

#include <nlohmann/json.hpp>

#include "store/base/text.h"
#include "store/object/access.h"

namespace server::gateway {
namespace {

using store::json;

IngressBackend project_backend(const json& tree) {
  IngressBackend out;
  out.service = store::get_string(tree, "service.name");
  out.port = store::get_string(tree, "service.port.name");
  if (const int64_t number = store::get_int(tree, "service.port.number", 0); out.port.empty() && number > 0) out.port = std::to_string(number);
  if (store::find(tree, "resource") != nullptr) out.resource = store::get_string(tree, "resource.kind") + "/" + store::get_string(tree, "resource.name");
  return out;
}

IngressPath project_path(const json& tree) {
  IngressPath out;
  const std::string type = store::get_string(tree, "pathType");
  if (type == "Exact") out.type = IngressPath::Type::kExact;
  if (type == "Prefix") out.type = IngressPath::Type::kPrefix;
  if (std::string path = store::get_string(tree, "path"); !path.empty()) out.path = std::move(path);
  out.backend = project_backend(store::get_object(tree, "backend"));
  return out;
}

}  // namespace

Ingress project_ingress(const store::Object& object) {
  const json& tree = object.tree();
  Ingress out;
  out.key = {object.ns(), object.name()};
  out.created = store::get_string(tree, "metadata.creationTimestamp");
  if (const json* name = store::find(tree, "spec.ingressClassName"); name != nullptr && name->is_string()) out.class_name = name->get<std::string>();
  out.annotations = store::get_string_map(tree, "metadata.annotations");
  if (const json* backend = store::find(tree, "spec.defaultBackend"); backend != nullptr && backend->is_object()) out.default_backend = project_backend(*backend);
  for (const json& rule : store::get_array(tree, "spec.rules")) {
    IngressRule to;
    to.host = base::lower(store::get_string(rule, "host"));
    const json* http = store::find(rule, "http");
    to.http = http != nullptr && http->is_object();
    for (const json& path : store::get_array(rule, "http.paths")) to.paths.push_back(project_path(path));
    out.rules.push_back(std::move(to));
  }
  for (const json& tls : store::get_array(tree, "spec.tls")) {
    IngressTls to;
    for (const json& host : store::get_array(tls, "hosts")) {
      if (host.is_string()) to.hosts.push_back(base::lower(host.get<std::string>()));
    }
    to.secret = store::get_string(tls, "secretName");
    out.tls.push_back(std::move(to));
  }
  return out;
}

IngressClass project_ingress_class(const store::Object& object) { return {object.name(), store::get_string(object.tree(), "spec.controller")}; }

Secret project_secret(const store::Object& object) {
  Secret out;
  out.key = {object.ns(), object.name()};
  out.type = store::get_string(object.tree(), "type");
  for (const auto& [name, value] : store::get_string_map(object.tree(), "data")) {
    if (std::optional<std::string> decoded = base::decode_base64(value)) out.data.emplace(name, std::move(*decoded));
  }
  return out;
}

ConfigMap project_config_map(const store::Object& object) { return {{object.ns(), object.name()}, store::get_string_map(object.tree(), "data")}; }

}  // namespace server::gateway
