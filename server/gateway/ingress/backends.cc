#include "server/gateway/ingress/backends.h"

#include <algorithm>
#include <set>

#include "server/gateway/ingress/values.h"
#include "store/base/text.h"

namespace server::gateway {
namespace {

constexpr int kMostAliases = 4;  // ExternalName to ExternalName.

std::string at(const base::Ip& ip, uint16_t port) { return (ip.is_v4() ? ip.text() : "[" + ip.text() + "]") + ":" + std::to_string(port); }

// By number, by name, and, as ingress-nginx has always done, by the number of its targetPort.
const model::ServicePort* find_port(const model::Service& service, const std::string& wanted, model::Protocol protocol) {
  for (const model::ServicePort& port : service.ports) {
    if (port.protocol == protocol && (std::to_string(port.port) == wanted || (!port.name.empty() && port.name == wanted))) return &port;
  }
  for (const model::ServicePort& port : service.ports) {
    if (port.protocol == protocol && !port.target_port.empty() && port.target_port == wanted) return &port;
  }
  return nullptr;
}

std::string ports_of(const model::Service& service, model::Protocol protocol) {
  std::string out;
  for (const model::ServicePort& port : service.ports) {
    if (port.protocol == protocol) out += (out.empty() ? "" : ", ") + std::to_string(port.port) + (port.name.empty() ? "" : " (" + port.name + ")");
  }
  return out.empty() ? "none" : out;
}

uint16_t number_of(const std::string& text) {
  const std::optional<int64_t> number = parse_number(text);
  return number && *number > 0 && *number <= 65535 ? static_cast<uint16_t>(*number) : 0;
}

}  // namespace

const Backends::Found& Backends::service(const ObjectKey& key, const std::string& port, const Variant& variant, model::Protocol protocol) {
  std::string name = key.ns + "/" + key.name + ":" + port + (protocol == model::Protocol::kUdp ? " udp" : "") + variant.suffix;
  const auto found = made_.find(name);
  if (found != made_.end()) return found->second;
  Found made = make(key, port, variant, protocol);
  auto upstream = std::make_shared<Upstream>(*made.upstream);
  upstream->name = name;
  made.upstream = std::move(upstream);
  return made_.emplace(std::move(name), std::move(made)).first->second;
}

const Backends::Found& Backends::first_port(const ObjectKey& key) {
  const model::Service* service_of = find(key);
  const std::string port = service_of == nullptr || service_of->ports.empty() ? "" : std::to_string(service_of->ports[0].port);
  return service(key, port, Variant());
}

Backends::Found Backends::make(const ObjectKey& key, const std::string& wanted, const Variant& variant, model::Protocol protocol) {
  auto out = std::make_shared<Upstream>();
  out->service_ns = key.ns;
  out->service = key.name;
  out->service_port = wanted;
  out->protocol = variant.protocol;
  out->tls = variant.tls;
  out->balance = variant.balance;
  out->hash_by = variant.hash_by;
  out->hash_subset = variant.hash_subset;
  out->send_proxy_protocol = variant.proxy_protocol;
  Found found{out, "", ""};
  const model::Service* service_of = find(key);
  if (service_of == nullptr) {
    found.reason = "ServiceNotFound";
    found.message = "Service " + key.text() + " does not exist; requests are answered 503 until it does.";
    return found;
  }
  const model::ServicePort* port = find_port(*service_of, wanted, protocol);
  if (service_of->type == model::ServiceType::kExternalName) {
    // Ports need not be listed.
    const uint16_t number = port == nullptr ? number_of(wanted) : number_of(port->target_port) != 0 ? number_of(port->target_port) : port->port;
    if (number != 0) {
      add_external(*service_of, number, *out);
      if (out->endpoints.empty()) {
        found.reason = "NameNotResolved";
        found.message = "Service " + key.text() + " is the name " + service_of->external_name + ", which cannot be resolved; requests are answered 503 until it can.";
      }
      return found;
    }
  }
  if (port == nullptr) {
    found.reason = "ServicePortNotFound";
    found.message = "Service " + key.text() + " has no port " + (wanted.empty() ? "at all" : wanted) + "; it has: " + ports_of(*service_of, protocol) + ". Requests are answered 503.";
    return found;
  }
  if (variant.cluster_ip && !service_of->cluster_ips.empty()) {
    const base::Ip& ip = service_of->cluster_ips[0];
    out->endpoints.push_back({ip, port->port, at(ip, port->port)});
    return found;
  }
  if (variant.cluster_ip) {
    found.reason = "ServiceWithoutClusterIP";
    found.message = "Service " + key.text() + " has no cluster IP; service-upstream does not count for it, requests go to its endpoints.";
  }
  add_endpoints(*service_of, *port, *out);
  return found;
}

// Of one family, where there are two: a pod must not come up twice.
void Backends::add_endpoints(const model::Service& service, const model::ServicePort& port, Upstream& out) const {
  std::vector<gateway::Endpoint> by_family[2];
  std::set<std::pair<base::Ip, uint16_t>> seen;
  for (const model::EndpointSlice* slice : compilation_.input.services->slices(service.key)) {
    for (const model::EndpointPort& of_slice : slice->ports) {
      if (!of_slice.port || of_slice.protocol != port.protocol || of_slice.name != port.name) continue;
      for (const model::Endpoint& endpoint : slice->endpoints) {
        if (!endpoint.ready || endpoint.addresses.empty()) continue;
        const base::Ip& ip = endpoint.addresses[0];
        if (!seen.emplace(ip, *of_slice.port).second) continue;
        by_family[ip.is_v4() ? 0 : 1].push_back({ip, *of_slice.port, endpoint.pod_name.empty() ? at(ip, *of_slice.port) : endpoint.pod_name});
      }
    }
  }
  const size_t first = !service.cluster_ips.empty() && !service.cluster_ips[0].is_v4() ? 1 : 0;
  out.endpoints = std::move(by_family[by_family[first].empty() ? 1 - first : first]);
}

void Backends::add_external(const model::Service& service, uint16_t port, Upstream& out) {
  for (const base::Ip& ip : addresses_of(service.external_name)) out.endpoints.push_back({ip, port, at(ip, port)});
}

std::vector<base::Ip> Backends::cluster_addresses(const ObjectKey& key, int depth) {
  const model::Service* service = find(key);
  if (service == nullptr) return {};
  if (service->type == model::ServiceType::kExternalName) return addresses_of(service->external_name, depth + 1);
  if (!service->headless) {
    if (service->cluster_ips.empty()) return {};
    return {service->cluster_ips[0]};
  }
  std::vector<base::Ip> out;
  for (const model::EndpointSlice* slice : compilation_.input.services->slices(key)) {
    for (const model::Endpoint& endpoint : slice->endpoints) {
      if (endpoint.ready && !endpoint.addresses.empty() && std::find(out.begin(), out.end(), endpoint.addresses[0]) == out.end()) out.push_back(endpoint.addresses[0]);
    }
  }
  return out;
}

std::vector<base::Ip> Backends::addresses_of(const std::string& host, int depth) {
  if (auto ip = base::Ip::parse(host); ip.ok()) return {*ip};
  if (depth > kMostAliases) return {};
  std::string name = base::lower(host);
  if (name.ends_with('.')) name.pop_back();
  const std::string suffix = ".svc." + compilation_.options.cluster_domain;
  if (name.size() > suffix.size() && name.ends_with(suffix)) {
    const std::string rest = name.substr(0, name.size() - suffix.size());
    const size_t dot = rest.find('.');
    if (dot != std::string::npos && rest.find('.', dot + 1) == std::string::npos) return cluster_addresses({rest.substr(dot + 1), rest.substr(0, dot)}, depth);
  }
  compilation_.result.names.insert(name);
  const auto it = compilation_.input.resolved.find(name);
  return it == compilation_.input.resolved.end() ? std::vector<base::Ip>() : it->second;
}

UpstreamPtr Backends::by_name(const std::string& host, uint16_t port, bool tls) {
  const std::string name = (tls ? "https://" : "http://") + host + ":" + std::to_string(port);
  const auto found = named_.find(name);
  if (found != named_.end()) return found->second;
  std::shared_ptr<Upstream> out;
  if (const std::vector<base::Ip> addresses = addresses_of(host); !addresses.empty()) {
    out = std::make_shared<Upstream>();
    out->name = name;
    for (const base::Ip& ip : addresses) out->endpoints.push_back({ip, port, at(ip, port)});
    if (tls) {
      auto how = std::make_shared<UpstreamTls>();
      how->server_name = host;
      how->send_server_name = true;
      out->tls = std::move(how);
    }
  }
  named_.emplace(name, out);
  return out;
}

}  // namespace server::gateway
