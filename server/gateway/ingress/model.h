// server/gateway/ingress/model.h - Ingress and what it names, as the compiler sees it. Services and EndpointSlices come from
// server/model. Values; any thread. A projection never fails: what cannot be read is left out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/model/service.h"
#include "store/object/object.h"

namespace server::gateway {

using ObjectKey = model::ServiceKey;  // "namespace/name" of anything.

struct IngressBackend {
  std::string service;      // Empty: none, or a resource.
  std::string port;         // Name, or number as text; empty: none given.
  std::string resource;     // "Kind/name" of a resource backend; empty: none.
  bool operator==(const IngressBackend&) const = default;
};

struct IngressPath {
  enum class Type : uint8_t { kExact, kPrefix, kImplementationSpecific } type = Type::kImplementationSpecific;
  std::string path = "/";   // Never empty.
  IngressBackend backend;
  bool operator==(const IngressPath&) const = default;
};

struct IngressRule {
  std::string host;         // Lower case; empty: any.
  bool http = false;        // Without it the rule is there for its host only.
  std::vector<IngressPath> paths;
  bool operator==(const IngressRule&) const = default;
};

struct IngressTls {
  std::vector<std::string> hosts;  // Lower case.
  std::string secret;              // Empty: the default certificate.
  bool operator==(const IngressTls&) const = default;
};

struct Ingress {
  ObjectKey key;
  std::string created;                      // RFC 3339, UTC: compares as text.
  std::optional<std::string> class_name;    // spec.ingressClassName
  std::map<std::string, std::string> annotations;
  std::optional<IngressBackend> default_backend;
  std::vector<IngressRule> rules;
  std::vector<IngressTls> tls;
  bool operator==(const Ingress&) const = default;
};
// From a tree of "ingresses.networking.k8s.io".
Ingress project_ingress(const store::Object& object);

struct IngressClass {
  std::string name;
  std::string controller;
  bool operator==(const IngressClass&) const = default;
};
// From a tree of "ingressclasses.networking.k8s.io".
IngressClass project_ingress_class(const store::Object& object);

struct Secret {
  ObjectKey key;
  std::string type;
  std::map<std::string, std::string> data;  // Decoded. What is no base64 is left out.
  bool operator==(const Secret&) const = default;
};
Secret project_secret(const store::Object& object);

struct ConfigMap {
  ObjectKey key;
  std::map<std::string, std::string> data;  // Without binaryData.
  bool operator==(const ConfigMap&) const = default;
};
ConfigMap project_config_map(const store::Object& object);

}  // namespace server::gateway
