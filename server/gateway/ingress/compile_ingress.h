// server/gateway/ingress/compile_ingress.h - Kubernetes objects -> what the gateway does (server/gateway/table/table.h), with the
// semantics of ingress-nginx, whose annotations and ConfigMap keys it reads.
//
// Pure: no clock but for certificates' dates, no look-ups, no state but the caches that the caller keeps. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/gateway/ingress/model.h"
#include "server/gateway/table/table.h"
#include "server/model/service_index.h"
#include "store/base/ip.h"

namespace server::gateway {

// All of the cluster's; those of other controllers are left out here. The caller keeps it up to date.
struct IngressInput {
  std::map<ObjectKey, Ingress> ingresses;
  std::map<std::string, IngressClass> classes;
  const model::ServiceIndex* services = nullptr;  // nullptr: none. Not owned.
  std::map<ObjectKey, Secret> secrets;
  std::map<ObjectKey, ConfigMap> config_maps;
  // Addresses of names outside the cluster, as far as they are known: see IngressResult::names.
  std::map<std::string, std::vector<base::Ip>> resolved;
};

// The controller's command line; "ns/name" where an object is named, empty: none.
struct IngressOptions {
  std::string controller_class = "k8s.io/ingress-nginx";
  std::string ingress_class = "nginx";         // Of the annotation kubernetes.io/ingress.class.
  bool without_class = false;                  // Ingresses without a class are served, too.
  bool class_by_name = false;                  // An IngressClass named as `ingress_class` is ours, whatever its controller.
  std::string watch_namespace;                 // Empty: all.
  std::string config_map = "ingress-nginx/ingress-nginx-controller";
  std::string tcp_services = "ingress-nginx/tcp-services", udp_services = "ingress-nginx/udp-services";
  std::string default_certificate, default_backend;
  bool passthrough = true;                     // ssl-passthrough means something.
  uint16_t http_port = 80, https_port = 443;
  std::string annotation_prefix = "nginx.ingress.kubernetes.io/";
  std::string cluster_domain = "cluster.local";
};
// IngressClasses of this controller are ours, whatever `controller_class` says.
inline constexpr char kOwnController[] = "kubelan.dev/ingress";

// Something that does not do what its author will expect: for an Event on `origin`.
struct Problem {
  Origin origin;         // Of an Ingress, a ConfigMap or the Secret of the default certificate; `field` says where.
  std::string reason;    // "AnnotationInvalid", "ServiceNotFound", ... (README.md)
  std::string message;   // One sentence or two: what, and what to do. Begins with a capital or a name.
  bool operator==(const Problem&) const = default;
};

struct IngressResult {
  Table table;                     // generation is left at 0.
  std::vector<Problem> problems;   // In the order in which they were met: oldest Ingress first in each step; none twice.
  std::vector<ObjectKey> served;   // Ingresses that are ours: their status gets the controller's addresses.
  std::set<std::string> names;     // To be looked up in DNS and given as IngressInput::resolved (ExternalName, auth-url, mirrors).
  std::set<ObjectKey> secrets, config_maps;  // All that were looked at or looked for: a change of others changes nothing.
};

// What is costly and needed again by the next compilation: compiled regexes, judged certificates. Bounded. One thread at a time.
class CompileCache {
 public:
  CompileCache();
  ~CompileCache();
  struct Rep;
  Rep& rep() { return *rep_; }

 private:
  std::unique_ptr<Rep> rep_;
};

// `cache` nullptr: one for this call only.
IngressResult compile_ingress(const IngressInput& input, const IngressOptions& options, CompileCache* cache = nullptr);

}  // namespace server::gateway
