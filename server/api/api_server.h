// server/api/api_server.h - the REST API: routes requests to verbs over the Registry, runs the one write
// pipeline, and serves watches and streaming subresources. handle() is called on connection threads.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "server/api/client.h"
#include "server/api/pod_runtime.h"
#include "server/http/server.h"
#include "store/base/clock.h"
#include "store/base/ip.h"
#include "store/schema/schema.h"
#include "store/store.h"

namespace server {

struct ApiOptions {
  base::Cidr service_cidr;           // ClusterIPs are allocated from here,
  std::vector<base::Cidr> service_cidrs;  // or, when not empty, from these: one, or one of each family, the default family first.
  base::Ip dns_address;              // Reserved.
  std::string server_address;        // "172.30.0.1:6443", for legacy discovery.
  base::Ip api_ip = base::Ip::v4(172, 30, 0, 1);  // Where pods reach this server: behind Service default/kubernetes.
  uint16_t api_port = 6443;
  bool has_network = true;           // false: nothing is behind default/kubernetes, and there is no kube-dns.
  std::string token_key_pem;         // Signs service accounts' tokens; "": one that ends with the server.
  std::string token_issuer = "https://kubernetes.default.svc.cluster.local";
  std::chrono::milliseconds bookmark_period = std::chrono::minutes(1);

  std::vector<base::Cidr> all_service_cidrs() const { return service_cidrs.empty() ? std::vector<base::Cidr>{service_cidr} : service_cidrs; }
};

class ApiServer {
 public:
  // store, registry and clock must outlive it. Reads the live Services to know which addresses are taken.
  static std::unique_ptr<ApiServer> make(store::Store& store, const store::Registry& registry, const base::Clock& clock, const ApiOptions& options);
  virtual ~ApiServer() = default;
  virtual Client& client() = 0;                         // In-process; user "system:kubelan".
  virtual HttpResponse handle(const HttpRequest& request) = 0;
  virtual void set_runtime(PodRuntime* runtime) = 0;    // Before requests for pods' streams; nullptr: 503.
  virtual void set_ready(bool ready) = 0;               // /readyz
  // Ends all open watches, and every later one at once: before the HttpServer is destroyed, so that no connection
  // thread waits for an event. Any thread.
  virtual void close_watches() = 0;
  // Applies a YAML or JSON stream (`up -f`): server-side apply, each object in order, manager "kubelan".
  // Returns "deployment.apps/web created" lines; the first error ends it, naming the document.
  virtual base::Result<std::vector<std::string>> apply_manifest(const std::string& text, const std::string& default_namespace) = 0;
};

}  // namespace server
