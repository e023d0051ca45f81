#include "server/gateway/ingress/streams.h"

#include <algorithm>

#include "server/gateway/ingress/values.h"
#include "store/base/text.h"

namespace server::gateway {
namespace {

struct Entry {
  uint16_t port = 0;
  ObjectKey service;
  std::string service_port;
  bool decode = false, encode = false;  // PROXY protocol: from clients, to endpoints.
};

// Colons hold empty words, which count: "ns/svc:80::PROXY".
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(':', at), text.size());
    out.emplace_back(trim(std::string_view(text).substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

base::Result<Entry> parse_entry(const std::string& key, const std::string& value, const IngressOptions& options) {
  auto bad = [](const std::string& why) { return base::Error(base::Code::kInvalid, why); };
  Entry out;
  const std::optional<int64_t> port = parse_number(trim(key));
  if (!port || *port < 1 || *port > 65535) return bad("the key must be a port to listen on");
  out.port = static_cast<uint16_t>(*port);
  for (uint16_t taken : {options.http_port, options.https_port, uint16_t(10254), uint16_t(8181)}) {
    if (out.port == taken) return bad("port " + key + " is the controller's own");
  }
  const std::vector<std::string> words = words_of(value);
  const std::optional<NamePair> name = words[0].find('/') == std::string::npos ? std::nullopt : parse_object_name(words[0], "");
  if (!name || words.size() < 2 || words.size() > 4 || words[1].empty()) return bad("the value must be NAMESPACE/SERVICE:PORT, then :PROXY for each side that speaks the PROXY protocol");
  out.service = {name->ns, name->name};
  out.service_port = words[1];
  for (size_t i = 2; i < words.size(); ++i) {
    const std::string word = base::lower(words[i]);
    if (!word.empty() && word != "proxy") return bad("\"" + words[i] + "\" is not PROXY");
    (i == 2 ? out.decode : out.encode) = !word.empty();
  }
  return out;
}

}  // namespace

std::vector<std::shared_ptr<const Listener>> compile_streams(Compilation& compilation, Backends& backends, const std::string& config_map, Listener::Protocol protocol) {
  std::vector<std::shared_ptr<const Listener>> out;
  const std::optional<NamePair> name = parse_object_name(config_map, "");
  const ConfigMap* map = name ? compilation.find_config_map({name->ns, name->name}) : nullptr;
  if (map == nullptr) return out;
  const bool tcp = protocol == Listener::Protocol::kTcp;
  for (const auto& [key, value] : map->data) {
    const Origin origin{"ConfigMap", map->key.ns, map->key.name, "data[" + key + "]"};
    const base::Result<Entry> entry = parse_entry(key, value, compilation.options);
    if (!entry.ok()) {
      compilation.tell(origin, "StreamInvalid", "Entry " + key + ": \"" + value + "\" is not used: " + entry.error().message + ".");
      continue;
    }
    Variant variant;
    variant.proxy_protocol = entry->encode ? 1 : 0;
    variant.suffix = entry->encode ? " proxy" : "";
    const Backends::Found& found = backends.service(entry->service, entry->service_port, variant, tcp ? model::Protocol::kTcp : model::Protocol::kUdp);
    if (!found.reason.empty()) {
      compilation.tell(origin, found.reason, "Entry " + key + ": nothing listens there. " + found.message.substr(0, found.message.find_first_of(";.")) + ".");
      continue;
    }
    auto listener = std::make_shared<Listener>();
    listener->protocol = protocol;
    listener->port = entry->port;
    listener->name = (tcp ? "tcp-" : "udp-") + std::to_string(entry->port);
    listener->accept_proxy_protocol = entry->decode;
    listener->idle = compilation.config.stream_timeout;
    Backend backend;
    backend.upstream = found.upstream;
    backend.origin = origin;
    listener->backends.push_back(std::move(backend));
    out.push_back(std::move(listener));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a->port < b->port; });
  return out;
}

}  // namespace server::gateway
