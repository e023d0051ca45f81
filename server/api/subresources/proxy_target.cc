#include "server/api/subresources/proxy_target.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "server/api/status.h"
#include "store/object/access.h"

namespace server {
namespace {

base::Error unavailable(const std::string& message) { return base::Error(base::Code::kUnavailable, message); }

std::optional<uint16_t> parse_port(const std::string& text) {
  uint16_t port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

base::Result<ProxyTarget> make_target(const std::string& scheme, const std::string& ip, uint16_t port) {
  base::Result<base::Ip> address = base::Ip::parse(ip);
  if (!address.ok()) return bad_request("address not allowed");
  return ProxyTarget{scheme == "https", *address, port};
}

// The name of the service's port that is meant: given by number, by name, or not at all.
base::Result<std::string> service_port_name(const ProxyName& wanted, const json& service) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(wanted.port.data(), wanted.port.data() + wanted.port.size(), number);
  if (wanted.port.empty() || error != std::errc() || end != wanted.port.data() + wanted.port.size()) return wanted.port;
  for (const json& port : store::get_array(service, "spec.ports")) {
    if (store::get_int(port, "port") == number) return store::get_string(port, "name");
  }
  return unavailable("no service port " + wanted.port + " found for service \"" + wanted.name + "\"");
}

bool is_plain(unsigned char c) { return std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~'; }

std::string encode(std::string_view text, std::string_view also) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : text) {
    if (is_plain(c) || also.find(static_cast<char>(c)) != std::string_view::npos) out += static_cast<char>(c);
    else (out += '%') += {kHex[c >> 4], kHex[c & 15]};
  }
  return out;
}

}  // namespace

std::optional<ProxyName> parse_proxy_name(const std::string& text) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == ':') parts.emplace_back();
    else parts.back() += c;
  }
  ProxyName out;
  if (parts.size() == 1) out = {"", parts[0], ""};
  else if (parts.size() == 2) out = {"", parts[0], parts[1]};
  else if (parts.size() == 3) out = {parts[0], parts[1], parts[2]};
  const bool known = out.scheme.empty() || out.scheme == "http" || out.scheme == "https";
  if (out.name.empty() || !known) return std::nullopt;
  return out;
}

base::Result<ProxyTarget> pod_target(const ProxyName& wanted, const json& pod) {
  std::string text = wanted.port;
  for (const json& container : store::get_array(pod, "spec.containers")) {
    const json& ports = store::get_array(container, "ports");
    if (!text.empty() || ports.empty()) continue;
    text = std::to_string(store::get_int(ports[0], "containerPort"));
  }
  if (text.empty()) text = wanted.scheme == "https" ? "443" : "80";
  auto port = parse_port(text);
  if (!port) return unavailable("error trying to reach service: dial tcp: lookup tcp/" + text + ": unknown port");
  return make_target(wanted.scheme, store::get_string(pod, "status.podIP"), *port);
}

base::Result<ProxyTarget> node_target(const ProxyName& wanted, const json& node) {
  auto port = parse_port(wanted.port.empty() ? "10250" : wanted.port);
  if (!port) return bad_request("invalid node request \"" + wanted.name + ":" + wanted.port + "\"");
  for (const json& address : store::get_array(node, "status.addresses")) {
    if (store::get_string(address, "type") != "InternalIP") continue;
    // Without a port it is the kubelet that is meant, which speaks TLS.
    return make_target(wanted.scheme.empty() && wanted.port.empty() ? "https" : wanted.scheme, store::get_string(address, "address"), *port);
  }
  return unavailable("no preferred addresses found; known addresses: []");
}

base::Result<ProxyTarget> service_target(const ProxyName& wanted, const std::string& id, const json& service, const std::vector<json>& slices, size_t pick) {
  const std::string port_name = TRY(service_port_name(wanted, service));
  struct Place {
    std::string ip;
    uint16_t port;
  };
  std::vector<Place> places;
  bool any = false;
  for (const json& slice : slices) {
    for (const json& port : store::get_array(slice, "ports")) {
      for (const json& endpoint : store::get_array(slice, "endpoints")) {
        const json* ready = store::find(endpoint, "conditions.ready");
        if (ready != nullptr && *ready == false) continue;
        any = true;
        if (store::get_string(port, "name") != port_name) continue;
        for (const json& address : store::get_array(endpoint, "addresses")) {
          if (address.is_string()) places.push_back({address.get<std::string>(), static_cast<uint16_t>(store::get_int(port, "port"))});
        }
      }
    }
  }
  if (!any) return unavailable("no endpoints available for service \"" + wanted.name + "\"");
  if (places.empty()) return unavailable("no endpoints available for service \"" + id + "\"");
  const Place& place = places[pick % places.size()];
  return make_target(wanted.scheme, place.ip, place.port);
}

std::string rewrite_location(const std::string& location, const std::string& prefix, const std::string& host, const std::string& backend) {
  std::string target_host, rest = location;
  const size_t scheme = location.find("://");
  if (scheme != std::string::npos && location.find_first_of("/?#") > scheme) {
    const size_t path = std::min(location.find_first_of("/?#", scheme + 3), location.size());
    target_host = location.substr(scheme + 3, path - scheme - 3);
    rest = location.substr(path);
  }
  const bool elsewhere = !target_host.empty() && target_host != host && target_host != backend;
  if (elsewhere || !rest.starts_with("/")) return location;
  const std::string start = target_host.empty() ? "" : "https://" + host;
  return start + (rest.starts_with(prefix) ? rest : prefix + rest);
}

std::string encode_path(std::string_view path) { return encode(path, "/:@!$&'()*+,;="); }
std::string encode_query(std::string_view text) { return encode(text, ""); }

}  // namespace server
