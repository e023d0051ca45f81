#include "tests/tools/gateway_description.h"

#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>

#include "store/base/regex.h"
#include "server/gateway/policy/template.h"
#include "store/base/fd.h"

namespace gateway_test {
namespace {

using nlohmann::json;
using namespace server::gateway;

base::Error bad(const std::string& what) { return base::Error(base::Code::kInvalid, "gateway description: " + what); }

base::Status check_keys(const json& object, std::initializer_list<const char*> known, const char* what) {
  if (!object.is_object()) return bad(std::string(what) + " is not an object");
  for (const auto& [key, value] : object.items()) {
    bool found = false;
    for (const char* name : known) found = found || key == name;
    if (!found) return bad(std::string(what) + " has an unknown key \"" + key + "\"");
  }
  return {};
}

// A key's value, or what stands for it. json's own exceptions (a wrong type) end in parse_description().
template <class T>
T get(const json& object, const char* key, T otherwise) {
  auto it = object.find(key);
  return it == object.end() ? otherwise : it->template get<T>();
}

class Reader {
 public:
  base::Result<TablePtr> read(const json& all) {
    TRY_STATUS(check_keys(all, {"upstreams", "listeners"}, "the description"));
    const json upstreams = all.value("upstreams", json::object());
    for (const auto& [name, value] : upstreams.items()) TRY_STATUS(read_upstream(name, value));
    auto table = std::make_shared<Table>();
    for (const json& one : all.at("listeners")) table->listeners.push_back(TRY(read_listener(one)));
    return TablePtr(table);
  }

 private:
  base::Status read_upstream(const std::string& name, const json& in) {
    TRY_STATUS(check_keys(in, {"endpoints", "protocol"}, "an upstream"));
    auto out = std::make_shared<Upstream>();
    out->name = name;
    out->protocol = get<std::string>(in, "protocol", "http1") == "http2" ? UpstreamProtocol::kHttp2 : UpstreamProtocol::kHttp1;
    for (const std::string& text : get<std::vector<std::string>>(in, "endpoints", {})) {
      size_t colon = text.rfind(':');
      if (colon == std::string::npos) return bad("endpoint \"" + text + "\" has no port");
      base::Ip address = TRY(base::Ip::parse(text.substr(0, colon)));
      out->endpoints.push_back({address, static_cast<uint16_t>(std::stoi(text.substr(colon + 1))), text});
    }
    upstreams_[name] = out;
    return {};
  }

  base::Result<UpstreamPtr> find_upstream(const std::string& name) const {
    auto it = upstreams_.find(name);
    if (it == upstreams_.end()) return bad("no upstream \"" + name + "\"");
    return it->second;
  }

  base::Result<IdentityPtr> read_identity(const json& in) {
    if (!in.contains("certificate")) return IdentityPtr();
    auto out = std::make_shared<Identity>();
    out->certificate_pem = TRY(base::read_file(in.at("certificate")));
    out->key_pem = TRY(base::read_file(in.at("key")));
    return IdentityPtr(out);
  }

  base::Result<std::shared_ptr<const Listener>> read_listener(const json& in) {
    TRY_STATUS(check_keys(in, {"name", "port", "protocol", "certificate", "key", "hosts", "to"}, "a listener"));
    auto out = std::make_shared<Listener>();
    out->name = in.at("name");
    out->port = get<uint16_t>(in, "port", 0);
    std::string protocol = get<std::string>(in, "protocol", "http");
    out->protocol = protocol == "https" ? Listener::Protocol::kHttps : protocol == "tcp" ? Listener::Protocol::kTcp : Listener::Protocol::kHttp;
    out->identity = TRY(read_identity(in));
    if (in.contains("to")) {
      Backend backend;
      backend.upstream = TRY(find_upstream(in.at("to")));
      out->backends.push_back(std::move(backend));
    }
    for (const json& host : in.value("hosts", json::array())) out->hosts.push_back(TRY(read_host(host)));
    return std::shared_ptr<const Listener>(out);
  }

  base::Result<VirtualHost> read_host(const json& in) {
    TRY_STATUS(check_keys(in, {"name", "order", "aliases", "certificate", "key", "routes"}, "a host"));
    VirtualHost out;
    out.name = in.at("name");
    out.aliases = get<std::vector<std::string>>(in, "aliases", {});
    out.order = get<std::string>(in, "order", "specific") == "listed" ? VirtualHost::Order::kInOrder : VirtualHost::Order::kMostSpecific;
    out.identity = TRY(read_identity(in));
    for (const json& route : in.at("routes")) out.routes.push_back(TRY(read_route(route)));
    return out;
  }

  base::Result<Route> read_route(const json& in) {
    TRY_STATUS(check_keys(in, {"path", "kind", "to", "redirect", "reply", "before", "policy", "rewrite", "request_headers", "response_headers", "timeouts",
                               "upstream_host", "buffer_request", "tries"}, "a route"));
    static const std::map<std::string, PathKind> kKinds = {{"exact", PathKind::kExact}, {"prefix", PathKind::kPrefix}, {"text", PathKind::kText}, {"regex", PathKind::kRegex}};
    Route out;
    auto kind = kKinds.find(get<std::string>(in, "kind", "prefix"));
    if (kind == kKinds.end()) return bad("an unknown kind of path");
    out.match.path = {kind->second, in.at("path"), nullptr};
    if (kind->second == PathKind::kRegex) out.match.path.regex = TRY(Regex::compile(out.match.path.value, true, true));
    out.location_path = out.match.path.value;
    out.policy = TRY(read_policy(in.value("policy", json::object())));
    if (in.contains("before")) out.redirect = TRY(read_redirect(in.at("before")));
    out.action = TRY(read_action(in));
    return out;
  }

  base::Result<Action> read_action(const json& in) {
    if (in.contains("redirect")) return Action(TRY(read_redirect(in.at("redirect"))));
    if (in.contains("reply")) {
      const json& reply = in.at("reply");
      TRY_STATUS(check_keys(reply, {"status", "type", "body"}, "a reply"));
      return Action(Reply{reply.at("status"), get<std::string>(reply, "type", "text/html"), get<std::string>(reply, "body", "")});
    }
    Forward out;
    Backend backend;
    backend.upstream = TRY(find_upstream(in.at("to")));
    out.backends.push_back(std::move(backend));
    if (in.contains("rewrite")) {
      const json& rewrite = in.at("rewrite");
      TRY_STATUS(check_keys(rewrite, {"regex", "target"}, "a rewrite"));
      out.rewrite = Rewrite{Rewrite::Kind::kRegex, TRY(Regex::compile(rewrite.at("regex").get<std::string>(), true, false)), TRY(Template::parse(rewrite.at("target").get<std::string>())), ""};
    }
    out.request_headers = TRY(read_changes(in.value("request_headers", json::object())));
    out.response_headers = TRY(read_changes(in.value("response_headers", json::object())));
    if (in.contains("upstream_host")) out.upstream_host = TRY(Template::parse(in.at("upstream_host").get<std::string>()));
    out.buffer_request = get(in, "buffer_request", true);
    out.retry.tries = get(in, "tries", 3);
    const json timeouts = in.value("timeouts", json::object());
    TRY_STATUS(check_keys(timeouts, {"connect_ms", "read_ms", "send_ms"}, "timeouts"));
    out.timeouts.connect = milliseconds(get(timeouts, "connect_ms", 5'000));
    out.timeouts.read = milliseconds(get(timeouts, "read_ms", 60'000));
    out.timeouts.send = milliseconds(get(timeouts, "send_ms", 60'000));
    return Action(std::move(out));
  }

  base::Result<Redirect> read_redirect(const json& in) {
    TRY_STATUS(check_keys(in, {"status", "location", "to_tls"}, "a redirect"));
    Redirect out;
    out.status = in.at("status");
    out.location = TRY(Template::parse(in.at("location").get<std::string>()));
    out.to_tls = get(in, "to_tls", false);
    return out;
  }

  // {"X-Name": "value with $variables" | null (removed)}
  base::Result<std::vector<HeaderChange>> read_changes(const json& in) {
    std::vector<HeaderChange> out;
    for (const auto& [name, value] : in.items()) {
      if (value.is_null()) out.push_back({HeaderChange::Kind::kRemove, name, nullptr});
      else out.push_back({HeaderChange::Kind::kSet, name, TRY(Template::parse(value.get<std::string>()))});
    }
    return out;
  }

  base::Result<std::vector<base::Cidr>> read_cidrs(const json& in, const char* key) {
    std::vector<base::Cidr> out;
    for (const std::string& text : get<std::vector<std::string>>(in, key, {})) out.push_back(TRY(base::Cidr::parse(text)));
    return out;
  }

  base::Result<std::shared_ptr<const Policy>> read_policy(const json& in) {
    TRY_STATUS(check_keys(in, {"max_body", "allow", "deny", "basic", "satisfy_any", "cors", "hsts"}, "a policy"));
    auto out = std::make_shared<Policy>();
    out->max_body = get<uint64_t>(in, "max_body", 1024 * 1024);
    out->allow = TRY(read_cidrs(in, "allow"));
    out->deny = TRY(read_cidrs(in, "deny"));
    out->satisfy_any = get(in, "satisfy_any", false);
    out->hsts = get(in, "hsts", true);
    out->access_log = false;
    if (in.contains("basic")) {
      const json& basic = in.at("basic");
      TRY_STATUS(check_keys(basic, {"realm", "users"}, "basic"));
      auto auth = std::make_shared<PasswordAuth>();
      auth->realm = basic.at("realm");
      auth->users = basic.at("users").get<std::map<std::string, std::string>>();
      out->password = auth;
    }
    if (in.contains("cors")) out->cors = TRY(read_cors(in.at("cors")));
    return std::shared_ptr<const Policy>(out);
  }

  base::Result<Cors> read_cors(const json& in) {
    TRY_STATUS(check_keys(in, {"origins", "methods", "headers", "credentials", "max_age", "expose"}, "cors"));
    Cors out;
    std::vector<std::string> origins = get<std::vector<std::string>>(in, "origins", {});
    out.any_origin = origins.empty();
    for (const std::string& pattern : origins) out.origins.push_back(TRY(Regex::compile(pattern, true, true)));
    out.methods = get(in, "methods", out.methods);
    out.headers = get(in, "headers", out.headers);
    out.expose = get(in, "expose", out.expose);
    out.credentials = get(in, "credentials", true);
    out.max_age_s = get(in, "max_age", out.max_age_s);
    return out;
  }

  std::map<std::string, UpstreamPtr> upstreams_;
};

}  // namespace

base::Result<TablePtr> parse_description(const std::string& text) {
  try {
    return Reader().read(json::parse(text));
  } catch (const std::exception& e) {  // json's, and stoi's.
    return bad(e.what());
  }
}

}  // namespace gateway_test
