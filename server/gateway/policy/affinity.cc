#include "server/gateway/policy/affinity.h"

#include <unistd.h>

#include <atomic>

namespace server::gateway {
namespace {

std::string address_text(const Endpoint& endpoint) {
  std::string address = endpoint.address.is_v4() ? endpoint.address.text() : "[" + endpoint.address.text() + "]";
  return address + ":" + std::to_string(endpoint.port);
}

// Salted, so that a client does not read an address of the cluster from it.
std::string persistent_key(const Upstream& upstream, const Endpoint& endpoint) { return md5_hex(upstream.name + address_text(endpoint)); }

std::string_view key_of(std::string_view cookie) { return cookie.substr(0, cookie.find('|')); }

// A key that consistent hashing leads to `endpoint`: keys are tried until one does, about as many as there are endpoints.
std::string balanced_key(const Upstream& upstream, size_t endpoint, base::WallTime now) {
  static std::atomic<uint64_t> count{0};
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  std::string start = std::to_string(ms / 1000) + "." + std::to_string(1000 + ms % 1000).substr(1) + "." + std::to_string(getpid()) + ".";
  std::string key;
  for (size_t i = 0; i < 32 * upstream.endpoints.size(); ++i) {
    key = start + std::to_string(count.fetch_add(1, std::memory_order_relaxed) % 1'000'000);
    if (endpoint_by_hash(upstream.endpoints, hash_of(key)) == endpoint) break;
  }
  return key;
}

// Browsers that take SameSite=None for something else and drop the cookie, as ingress-nginx knows them.
bool mistakes_same_site_none(std::string_view agent) {
  auto has = [agent](std::string_view part) { return agent.find(part) != std::string_view::npos; };
  if (has("Chrome/4") || has("Chrome/5") || has("Chrome/6")) return true;
  if (has("CPU iPhone OS 12") || has("iPad; CPU OS 12")) return true;
  return has("Macintosh") && has("Intel Mac OS X 10_14") && has("Safari") && !has("Chrome");
}

}  // namespace

std::string backend_key(const Upstream& upstream) { return md5_hex(md5_hex(upstream.name) + upstream.name); }

bool cookie_is_of(std::string_view cookie, const Upstream& upstream) {
  size_t bar = cookie.find('|');
  if (bar == std::string_view::npos) return false;
  std::string_view rest = cookie.substr(bar + 1);
  return rest.substr(0, rest.find('|')) == backend_key(upstream);
}

std::optional<size_t> endpoint_of_cookie(const Affinity& affinity, const Upstream& upstream, std::string_view cookie) {
  std::string_view key = key_of(cookie);
  if (key.empty() || upstream.endpoints.empty()) return std::nullopt;
  if (!affinity.persistent) return endpoint_by_hash(upstream.endpoints, hash_of(key));
  for (size_t i = 0; i < upstream.endpoints.size(); ++i) {
    if (persistent_key(upstream, upstream.endpoints[i]) == key) return i;
  }
  return std::nullopt;
}

std::string affinity_set_cookie(const Affinity& affinity, const Upstream& upstream, size_t endpoint, const RequestHead& request, const ClientInfo& client,
                                std::string_view location_path, base::WallTime now) {
  if (endpoint >= upstream.endpoints.size()) return {};
  std::string out = affinity.cookie + "=";
  out += affinity.persistent ? persistent_key(upstream, upstream.endpoints[endpoint]) : balanced_key(upstream, endpoint, now);
  out += "|" + backend_key(upstream);
  if (affinity.expires_s) out += "; Expires=" + base::render_http_date(now + std::chrono::seconds(*affinity.expires_s));
  if (affinity.max_age_s) out += "; Max-Age=" + std::to_string(*affinity.max_age_s);
  if (!affinity.domain.empty()) out += "; Domain=" + affinity.domain;
  std::string_view path = affinity.path.empty() ? location_path : std::string_view(affinity.path);
  if (!path.empty()) out.append("; Path=").append(path);
  if (affinity.secure.value_or(client.tls)) out += "; Secure";
  out += "; HttpOnly";
  bool leave_out = affinity.conditional_same_site_none && affinity.same_site == "None" && mistakes_same_site_none(request.headers.find("user-agent").value_or(""));
  if (!affinity.same_site.empty() && !leave_out) out += "; SameSite=" + affinity.same_site;
  make_header_safe(&out);
  return out;
}

}  // namespace server::gateway
