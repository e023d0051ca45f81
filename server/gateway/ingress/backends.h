// server/gateway/ingress/backends.h - Services -> upstreams, each made once and shared by all rules that lead to it. One thread;
// lives as long as the compilation.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/gateway/ingress/compiler.h"
#include "server/gateway/table/table.h"

namespace server::gateway {

// How an upstream is talked to. `suffix` tells two of one Service port apart, in the upstream's name; empty: the usual way.
struct Variant {
  UpstreamProtocol protocol = UpstreamProtocol::kHttp1;
  std::shared_ptr<const UpstreamTls> tls;
  Balance balance = Balance::kRoundRobin;
  TemplatePtr hash_by;
  uint32_t hash_subset = 0;
  bool cluster_ip = false;       // service-upstream
  uint8_t proxy_protocol = 0;
  std::string suffix;
};

class Backends {
 public:
  struct Found {
    UpstreamPtr upstream;        // Never nullptr; without endpoints when there is a problem.
    std::string reason, message; // Of the problem; empty: none. A Service without ready endpoints is none.
  };
  explicit Backends(Compilation& compilation) : compilation_(compilation) {}

  // `port`: name or number of the Service's. Valid as long as this lives.
  const Found& service(const ObjectKey& key, const std::string& port, const Variant& variant, model::Protocol protocol = model::Protocol::kTcp);
  // Its first port (default-backend).
  const Found& first_port(const ObjectKey& key);
  // Somebody by name and port, not by Service port: NAME.NAMESPACE.svc.DOMAIN, an address, a name of DNS. nullptr: it cannot be
  // resolved (yet).
  UpstreamPtr by_name(const std::string& host, uint16_t port, bool tls);

 private:
  Found make(const ObjectKey& key, const std::string& port, const Variant& variant, model::Protocol protocol);
  void add_endpoints(const model::Service& service, const model::ServicePort& port, Upstream& out) const;
  void add_external(const model::Service& service, uint16_t port, Upstream& out);
  std::vector<base::Ip> addresses_of(const std::string& host, int depth = 0);
  std::vector<base::Ip> cluster_addresses(const ObjectKey& key, int depth);
  const model::Service* find(const ObjectKey& key) const { return compilation_.input.services == nullptr ? nullptr : compilation_.input.services->find(key); }

  Compilation& compilation_;
  std::unordered_map<std::string, Found> made_;
  std::unordered_map<std::string, UpstreamPtr> named_;
};

}  // namespace server::gateway
