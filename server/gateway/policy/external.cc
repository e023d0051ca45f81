#include "server/gateway/policy/external.h"

#include <algorithm>

#include "server/gateway/policy/balance.h"
#include "server/gateway/policy/encoding.h"
#include "server/gateway/policy/request_origin.h"

namespace server::gateway {
namespace {

constexpr size_t kCacheShards = 16;
constexpr size_t kAnswersAShard = 512;
constexpr size_t kMaxKept = 32 * 1024;  // Bytes of headers; larger answers are asked for again.

// nginx's add_header without "always".
constexpr int kPlainStatuses[] = {200, 201, 204, 206, 301, 302, 303, 304, 307, 308};

struct Url {
  std::string_view authority, target;
};

Url split_url(std::string_view url) {
  size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  size_t end = std::min(url.find_first_of("/?"), url.size());
  Url out{url.substr(0, end), url.substr(end)};
  size_t user = out.authority.rfind('@');
  if (user != std::string_view::npos) out.authority.remove_prefix(user + 1);
  return out;
}

// Is `name` a parameter with a value in that URL's query?
bool has_parameter(std::string_view url, std::string_view name) {
  size_t mark = url.find('?');
  if (mark == std::string_view::npos) return false;
  for (std::string_view rest = url.substr(mark + 1); !rest.empty();) {
    size_t end = std::min(rest.find('&'), rest.size());
    std::string_view part = rest.substr(0, end);
    if (part.size() > name.size() + 1 && part.substr(0, name.size()) == name && part[name.size()] == '=') return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

// The page to sign in at, told where to come back to.
std::string signin_location(const ExternalAuth& auth, const TemplateContext& context) {
  static const TemplatePtr kOriginal = *Template::parse("$pass_access_scheme://$http_host$escaped_request_uri");
  const std::string parameter = auth.signin_redirect_param.empty() ? "rd" : auth.signin_redirect_param;
  std::string out;
  append_line_safe(auth.signin->render(context), &out);
  if (has_parameter(auth.signin->text(), parameter)) return out;
  size_t mark = out.find('?');
  bool has_query = mark != std::string::npos && mark + 1 < out.size();
  if (mark == std::string::npos) out.push_back('?');
  if (has_query) out.push_back('&');
  return out + parameter + "=" + kOriginal->render(context);
}

}  // namespace

RequestHead auth_request(const ExternalAuth& auth, const RequestHead& request, const TemplateContext& context) {
  static const TemplatePtr kOriginalUrl = *Template::parse("$scheme://$http_host$request_uri");
  std::string url = auth.url ? auth.url->render(context) : std::string();
  Url parts = split_url(url);
  RequestHead out;
  out.method = auth.method.empty() ? "GET" : auth.method;
  out.version = request.version;
  if (parts.target.empty() || parts.target[0] != '/') out.target = "/";
  append_line_safe(parts.target, &out.target);
  out.authority = parts.authority;
  out.headers = request.headers;
  Headers& headers = out.headers;
  headers.remove_if([](Headers::Field field) { return equal_names(field.name, "content-length") || equal_names(field.name, "x-forwarded-proto"); });
  auto set = [&headers](const char* name, std::string value) {
    make_header_safe(&value);
    if (value.empty()) headers.remove(name);
    else headers.set(name, value);
  };
  set("X-Request-ID", std::string(context.request_id));
  if (!auth.method.empty()) {
    set("X-Original-URI", request.target);
    set("X-Scheme", context.origin != nullptr ? context.origin->scheme : context.client != nullptr && context.client->tls ? "https" : "http");
  }
  set("X-Original-URL", kOriginalUrl->render(context));
  set("X-Original-Method", request.method);
  set("X-Sent-From", "nginx-ingress-controller");
  std::string address = context.client != nullptr ? context.client->address.text() : std::string();
  set("X-Real-IP", address);
  set("X-Forwarded-For", context.origin != nullptr ? context.origin->forwarded_for : address);
  set("X-Auth-Request-Redirect", auth.request_redirect ? auth.request_redirect->render(context) : request.target);
  for (const HeaderChange& change : auth.request_headers) {
    std::string value = change.value ? change.value->render(context) : std::string();
    set(change.name.c_str(), std::move(value));
  }
  return out;
}

AuthDecision decide_external(const ExternalAuth& auth, int status, const Headers& headers, const TemplateContext& context) {
  AuthDecision out;
  for (size_t i = 0; i < headers.size(); ++i) {
    if (equal_names(headers[i].name, "set-cookie")) out.cookies.emplace_back(headers[i].value);
  }
  if (status >= 200 && status < 300) {
    out.kind = AuthDecision::Kind::kAllow;
    out.status = status;
    for (const std::string& name : auth.response_headers) {
      std::optional<std::string> value = headers.joined(name);
      if (value && !value->empty()) out.request_headers.push_back({HeaderChange::Kind::kSet, name, Template::literal(*value)});
      else out.request_headers.push_back({HeaderChange::Kind::kRemove, name, nullptr});
    }
    return out;
  }
  if (status == 401 && auth.signin) {
    out.kind = AuthDecision::Kind::kSignIn;
    out.status = 302;
    out.location = signin_location(auth, context);
    return out;
  }
  out.kind = AuthDecision::Kind::kDeny;
  out.status = status == 401 || status == 403 ? status : 500;
  if (status != 401) return out;
  for (size_t i = 0; i < headers.size(); ++i) {
    if (equal_names(headers[i].name, "www-authenticate")) out.response_headers.add("WWW-Authenticate", headers[i].value);
  }
  return out;
}

bool cookie_goes_with(const ExternalAuth& auth, int status) {
  return auth.always_set_cookie || std::find(std::begin(kPlainStatuses), std::end(kPlainStatuses), status) != std::end(kPlainStatuses);
}

// ---- The cache ---------------------------------------------------------------------------------------------------

struct AuthCache::Shard {
  struct Kept {
    std::string key;
    Answer answer;
    base::MonoTime until;
  };
  std::mutex mutex;
  std::list<Kept> answers;  // Asked for last at the front.
  std::unordered_map<std::string_view, std::list<Kept>::iterator> by_key;

  void remove(std::list<Kept>::iterator it) {
    by_key.erase(it->key);
    answers.erase(it);
  }
};

AuthCache::AuthCache() : shards_(std::make_unique<Shard[]>(kCacheShards)) {}
AuthCache::~AuthCache() = default;

AuthCache::Shard& AuthCache::shard_of(std::string_view key) const { return shards_[hash_of(key) % kCacheShards]; }

std::optional<AuthCache::Answer> AuthCache::find(std::string_view key, base::MonoTime now) {
  Shard& shard = shard_of(key);
  std::lock_guard lock(shard.mutex);
  auto it = shard.by_key.find(key);
  if (it == shard.by_key.end()) return std::nullopt;
  auto kept = it->second;
  if (kept->until <= now) {
    shard.remove(kept);
    return std::nullopt;
  }
  shard.answers.splice(shard.answers.begin(), shard.answers, kept);
  return kept->answer;
}

void AuthCache::keep(const ExternalAuth& auth, std::string_view key, int status, const Headers& headers, base::MonoTime now) {
  if (status < 200 || status >= 500 || headers.block().size() > kMaxKept) return;
  const std::pair<int, milliseconds>* rule = nullptr;
  for (const auto& each : auth.cache) {
    if (each.first == status || (each.first == 0 && rule == nullptr)) rule = &each;
    if (each.first == status) break;
  }
  if (rule == nullptr || rule->second.count() <= 0) return;
  Shard& shard = shard_of(key);
  std::lock_guard lock(shard.mutex);
  if (auto it = shard.by_key.find(key); it != shard.by_key.end()) shard.remove(it->second);
  if (shard.answers.size() >= kAnswersAShard) shard.remove(std::prev(shard.answers.end()));
  shard.answers.push_front({std::string(key), {status, headers}, now + rule->second});
  shard.by_key.emplace(shard.answers.front().key, shard.answers.begin());
}

size_t AuthCache::size() const {
  size_t count = 0;
  for (size_t i = 0; i < kCacheShards; ++i) {
    std::lock_guard lock(shards_[i].mutex);
    count += shards_[i].answers.size();
  }
  return count;
}

}  // namespace server::gateway
