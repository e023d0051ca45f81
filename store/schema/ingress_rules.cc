// Ingress and IngressClass.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/schema/ip_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr const char* kIngressClassAnnotation = "kubernetes.io/ingress.class";
constexpr std::string_view kBadSequences[] = {"//", "/./", "/../", "%2f", "%2F"};
constexpr std::string_view kBadEnds[] = {"/..", "/."};
constexpr std::string_view kPathTypes[] = {"Exact", "ImplementationSpecific", "Prefix"};
constexpr const char* kNotAnAddress = "must be a DNS name, not an IP address";
constexpr const char* kWildcard =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric "
    "characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is "
    "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

int64_t port_of(const json& port) {
  if (!has(port, "number")) return 0;
  const json& number = *port.find("number");
  return number.is_number_integer() ? number.get<int64_t>() : 0;
}

// Upstream's fields that are no pointers are left out when they say nothing.
void drop_empty(json& object, std::initializer_list<const char*> fields) {
  if (!object.is_object()) return;
  for (const char* field : fields) {
    const auto at = object.find(field);
    if (at != object.end() && (*at == "" || *at == 0 || (at->is_array() && at->empty()))) object.erase(at);
  }
}

void tidy_backend(json& owner, const char* key) {
  if (object_at(object_at(object_at(owner, key), "service"), "port").empty()) return;
  drop_empty(owner[key]["service"]["port"], {"name", "number"});
}

std::string host_problem(const std::string& host) {
  constexpr size_t kMaxBytes = 253;
  if (host.size() > kMaxBytes || host.find('*') == std::string::npos) return name_problem(host, NameRule::kDnsSubdomain);
  if (!host.starts_with("*.")) return kWildcard;
  return name_problem(host.substr(2), NameRule::kDnsSubdomain).empty() ? "" : kWildcard;
}

// An object of any kind: TypedLocalObjectReference, and the first half of a class' parameters.
void check_backend_reference(const json& reference, const std::string& here, Causes& causes) {
  if (has(reference, "apiGroup")) {
    const std::string group = string_at(reference, "apiGroup");
    add_problem(causes, here + ".apiGroup", group, name_problem(group, NameRule::kDnsSubdomain));
  }
  for (const char* key : {"kind", "name"}) {
    const std::string value = string_at(reference, key);
    if (value.empty()) causes.push_back(cause_required(here + "." + key));
    else add_problem(causes, here + "." + key, value, name_problem(value, NameRule::kPathSegment));
  }
}

void check_ingress_service(const json& service, const std::string& backend, Causes& causes) {
  const std::string here = backend + ".service", name = string_at(service, "name");
  // Names that begin with a digit too: so Services may be named since v1.36.
  if (name.empty()) causes.push_back(cause_required(here + ".name"));
  else add_problem(causes, here + ".name", name, name_problem(name, NameRule::kDnsLabel));
  const json& port = object_at(service, "port");
  const std::string port_name = string_at(port, "name");
  const int64_t number = port_of(port);
  if (!port_name.empty() && number != 0) causes.push_back(cause_invalid(backend, "", "cannot set both port name & port number"));
  else if (!port_name.empty()) add_problem(causes, here + ".port.name", port_name, port_name_problem(port_name));
  else if (number != 0) add_problem(causes, here + ".port.number", number, port_number_problem(number));
  else causes.push_back(cause_required(backend, "port name or number is required"));
}

void check_backend(const json& backend, const std::string& here, Causes& causes) {
  const bool resource = has(backend, "resource"), service = has(backend, "service");
  if (resource && service) causes.push_back(cause_invalid(here, "", "cannot set both resource and service backends"));
  else if (resource) check_backend_reference(object_at(backend, "resource"), here + ".resource", causes);
  else if (service) check_ingress_service(object_at(backend, "service"), here, causes);
  else causes.push_back(cause_invalid(here, "", "resource or service backend is required"));
}

void check_path_text(const std::string& path, const std::string& field, Causes& causes) {
  for (std::string_view bad : kBadSequences) {
    if (path.find(bad) != std::string::npos) causes.push_back(cause_invalid(field, path, "must not contain '" + std::string(bad) + "'"));
  }
  for (std::string_view bad : kBadEnds) {
    if (path.ends_with(bad)) causes.push_back(cause_invalid(field, path, "cannot end with '" + std::string(bad) + "'"));
  }
}

void check_ingress_path(const json& entry, const std::string& here, Causes& causes) {
  if (!has(entry, "pathType")) return causes.push_back(cause_required(here + ".pathType", "pathType must be specified"));
  const std::string type = string_at(entry, "pathType"), path = string_at(entry, "path");
  const bool exact = type == "Exact" || type == "Prefix";
  const bool needed = exact || (type == "ImplementationSpecific" && !path.empty());
  if (needed && !path.starts_with('/')) causes.push_back(cause_invalid(here + ".path", path, "must be an absolute path"));
  if (exact) check_path_text(path, here + ".path", causes);
  if (!exact && type != "ImplementationSpecific") causes.push_back(cause_not_supported(here + ".pathType", type, kPathTypes));
  check_backend(object_at(entry, "backend"), here + ".backend", causes);
}

void check_ingress_rule(const json& rule, const std::string& here, Causes& causes) {
  if (const std::string host = string_at(rule, "host"); !host.empty()) {
    if (parse_legacy_ip(host)) causes.push_back(cause_invalid(here + ".host", host, kNotAnAddress));
    add_problem(causes, here + ".host", host, host_problem(host));
  }
  if (!has(rule, "http")) return;
  const json& paths = array_at(object_at(rule, "http"), "paths");
  if (paths.empty()) causes.push_back(cause_required(here + ".http.paths"));
  for (size_t i = 0; i < paths.size(); ++i) check_ingress_path(paths[i], item(here + ".http", "paths", i), causes);
}

void check_tls(const json& tls, const std::string& here, Causes& causes) {
  const json& hosts = array_at(tls, "hosts");
  for (size_t i = 0; i < hosts.size(); ++i) {
    if (hosts[i].is_string()) add_problem(causes, item(here, "hosts", i), hosts[i], host_problem(hosts[i].get_ref<const std::string&>()));
  }
  if (const std::string secret = string_at(tls, "secretName"); !secret.empty()) {
    add_problem(causes, here + ".secretName", secret, name_problem(secret, NameRule::kDnsSubdomain));
  }
}

const json& addresses_of(const json& tree) { return array_at(object_at(object_at(tree, "status"), "loadBalancer"), "ingress"); }

void check_ingress_status(const json& tree, const json* old, Causes& causes) {
  const json& list = addresses_of(tree);
  std::set<std::string> before;
  for (const json& address : old ? addresses_of(*old) : json::array()) before.insert(string_at(address, "ip"));
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string here = item("status.loadBalancer", "ingress", i), ip = string_at(list[i], "ip"), host = string_at(list[i], "hostname");
    if (!ip.empty() && !before.count(ip)) add_problem(causes, here + ".ip", ip, legacy_ip_problem(ip));
    if (host.empty()) continue;
    add_problem(causes, here + ".hostname", host, name_problem(host, NameRule::kDnsSubdomain));
    if (parse_legacy_ip(host)) causes.push_back(cause_invalid(here + ".hostname", host, kNotAnAddress));
  }
}

void check_class_annotation(const json& tree, const json& spec, Causes& causes) {
  const json& annotations = object_at(object_at(tree, "metadata"), "annotations");
  if (!has(annotations, kIngressClassAnnotation) || !has(spec, "ingressClassName")) return;
  const std::string annotated = string_at(annotations, kIngressClassAnnotation);
  if (annotated == string_at(spec, "ingressClassName")) return;
  // Without "metadata.": so upstream names it.
  causes.push_back(cause_invalid(std::string("annotations.") + kIngressClassAnnotation, annotated, "must match `ingressClassName` when both are specified"));
}

// "acme.io/foo": a subdomain, then what may stand in the path of a URL.
void check_prefixed_path(const std::string& text, const std::string& field, Causes& causes) {
  constexpr std::string_view kOthers = "/-._~%!$&'()*+,;=:";
  const size_t slash = text.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == text.size()) {
    return causes.push_back(cause_invalid(field, text, "must be a domain-prefixed path (such as \"acme.io/foo\")"));
  }
  const std::string domain = text.substr(0, slash), path = text.substr(slash + 1);
  add_problem(causes, field, domain, name_problem(domain, NameRule::kDnsSubdomain));
  auto allowed = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kOthers.find(c) != std::string_view::npos;
  };
  if (!std::all_of(path.begin(), path.end(), allowed)) {
    causes.push_back(cause_invalid(field, path, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"));
  }
}

void check_class_parameters(const json& parameters, Causes& causes) {
  const std::string here = "spec.parameters", scope = string_at(parameters, "scope");
  check_backend_reference(parameters, here, causes);
  const bool named = has(parameters, "namespace");
  static constexpr std::string_view kScopes[] = {"Cluster", "Namespace"};
  if (scope != "Cluster" && scope != "Namespace") causes.push_back(cause_not_supported(here + ".scope", scope, kScopes));
  if (scope == "Cluster" && named) causes.push_back(cause_forbidden(here + ".namespace", "`parameters.scope` is set to 'Cluster'"));
  if (scope != "Namespace") return;
  const std::string ns = string_at(parameters, "namespace");
  if (!named) causes.push_back(cause_required(here + ".namespace", "`parameters.scope` is set to 'Namespace'"));
  else add_problem(causes, here + ".namespace", ns, name_problem(ns, NameRule::kDnsLabel));
}

}  // namespace

void prepare_ingress(json& tree) {
  if (!tree.is_object() || object_at(tree, "spec").empty()) return;
  json& spec = tree["spec"];
  drop_empty(spec, {"rules", "tls"});
  tidy_backend(spec, "defaultBackend");
  if (!array_at(spec, "rules").empty()) {
    for (json& rule : spec["rules"]) {
      drop_empty(rule, {"host"});
      if (array_at(object_at(rule, "http"), "paths").empty()) continue;
      for (json& path : rule["http"]["paths"]) {
        drop_empty(path, {"path"});
        tidy_backend(path, "backend");
      }
    }
  }
  if (array_at(spec, "tls").empty()) return;
  for (json& tls : spec["tls"]) drop_empty(tls, {"hosts", "secretName"});
}

std::vector<base::Cause> validate_ingress(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  const json &rules = array_at(spec, "rules"), &tls = array_at(spec, "tls");
  if (rules.empty() && !has(spec, "defaultBackend")) {
    causes.push_back(cause_invalid("spec", json(), "either `defaultBackend` or `rules` must be specified"));
  }
  if (has(spec, "defaultBackend")) check_backend(object_at(spec, "defaultBackend"), "spec.defaultBackend", causes);
  for (size_t i = 0; i < rules.size(); ++i) check_ingress_rule(rules[i], item("spec", "rules", i), causes);
  for (size_t i = 0; i < tls.size(); ++i) check_tls(tls[i], item("spec", "tls", i), causes);
  if (has(spec, "ingressClassName")) {
    const std::string name = string_at(spec, "ingressClassName");
    add_problem(causes, "spec.ingressClassName", name, name_problem(name, NameRule::kDnsSubdomain));
  }
  if (!old) check_class_annotation(tree, spec, causes);
  check_ingress_status(tree, old, causes);
  return causes;
}

std::vector<base::Cause> validate_ingressclass(const json& tree, const json* old) {
  constexpr size_t kMaxController = 250;
  Causes causes;
  const json& spec = object_at(tree, "spec");
  const std::string controller = string_at(spec, "controller");
  if (old && controller != string_at(object_at(*old, "spec"), "controller")) causes.push_back(cause_invalid("spec.controller", controller, "field is immutable"));
  if (controller.size() > kMaxController) causes.push_back({"FieldValueTooLong", "Too long: may not be more than 250 bytes", "spec.controller"});
  if (controller.empty()) causes.push_back(cause_required("spec.controller"));
  else check_prefixed_path(controller, "spec.controller", causes);
  if (has(spec, "parameters")) check_class_parameters(object_at(spec, "parameters"), causes);
  return causes;
}

}  // namespace store
