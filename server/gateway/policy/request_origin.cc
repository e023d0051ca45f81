#include "server/gateway/policy/request_origin.h"

#include <charconv>
#include <utility>

#include "server/gateway/policy/addresses.h"
#include "store/base/text.h"

namespace server::gateway {
namespace {

constexpr std::string_view kSeparators = ", ";

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80"
std::optional<std::pair<base::Ip, uint16_t>> parse_address(std::string_view text) {
  std::string_view address = text, port;
  if (!text.empty() && text.front() == '[') {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    address = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':') return std::nullopt;
  } else if (const size_t colon = text.find(':'); colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
    address = text.substr(0, colon);
    port = text.substr(colon);
  }
  const base::Result<base::Ip> ip = base::Ip::parse(address);
  if (!ip.ok()) return std::nullopt;
  uint16_t number = 0;
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data() + 1, port.data() + port.size(), number);
    if (error != std::errc() || end != port.data() + port.size() || number == 0) return std::nullopt;
  }
  return std::pair(*ip, number);
}

bool believed(const std::vector<base::Cidr>& trusted, const base::Ip& address) { return trusted.empty() || contains_address(trusted, address); }

// It becomes a Host: what could mean something else there is nobody's name.
bool is_authority(std::string_view text) { return !text.empty() && text.find_first_of(" \t\"#%/<>?@\\^`{|},") == std::string_view::npos; }

}  // namespace

base::Ip last_untrusted(const std::vector<base::Cidr>& trusted, const base::Ip& peer, std::string_view chain, uint16_t* port) {
  base::Ip out = peer;
  while (believed(trusted, out)) {
    const size_t end = chain.find_last_not_of(kSeparators);
    if (end == std::string_view::npos) break;
    chain = chain.substr(0, end + 1);
    const size_t before = chain.find_last_of(kSeparators);
    const size_t begin = before == std::string_view::npos ? 0 : before + 1;
    const auto said = parse_address(chain.substr(begin));
    if (!said) break;
    out = said->first;
    *port = said->second;
    chain = chain.substr(0, begin);
  }
  return out;
}

std::unique_ptr<const RequestOrigin> find_origin(const Listener& listener, const RequestHead& request, const ClientInfo& client) {
  constexpr uint16_t kTlsPort = 443;
  const bool proxied_tls = listener.accept_proxy_protocol && client.proxied_port == kTlsPort;
  if (!listener.trust_forwarded && !listener.find_client && !proxied_tls) return nullptr;
  auto out = std::make_unique<RequestOrigin>();
  out->client = client;
  out->peer = client.address;
  // PROXY protocol's word is in the connection's address already, and is the only one that counts then.
  if (listener.find_client && !listener.accept_proxy_protocol) {
    const std::optional<std::string> chain = request.headers.joined(listener.forwarded_for_header);
    uint16_t port = client.port;
    if (chain) out->client.address = last_untrusted(listener.trusted_proxies, client.address, *chain, &port);
    out->client.port = port;
  }
  auto said = [&](const char* name, std::string otherwise) {
    const std::optional<std::string> value = listener.trust_forwarded ? request.headers.joined(name) : std::nullopt;
    return value && !value->empty() ? *value : std::move(otherwise);
  };
  out->scheme = said("x-forwarded-proto", client.tls ? "https" : "http");
  if (proxied_tls) out->scheme = "https";
  out->port = said("x-forwarded-port", std::to_string(listener.port != 0 ? listener.port : client.local_port));
  std::string host = said("x-forwarded-host", request.authority);
  host = base::lower(host.substr(0, host.find(',')));
  out->host = is_authority(host) ? std::move(host) : request.authority;
  out->forwarded_for = out->client.address.text();
  if (listener.append_forwarded_for && listener.trust_forwarded) {
    const std::optional<std::string> chain = request.headers.joined("x-forwarded-for");
    out->forwarded_for = (chain && !chain->empty() ? *chain + ", " : std::string()) + out->peer.text();
  }
  return out;
}

}  // namespace server::gateway
