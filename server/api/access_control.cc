#include "server/api/access_control.h"

#include <nlohmann/json.hpp>

#include "server/api/status.h"
#include "store/base/log.h"
#include "store/base/text.h"
#include "store/schema/validate.h"

namespace server {
namespace {

using store::shown;

constexpr std::string_view kExtra = "impersonate-extra-";

base::Error unauthorized() { return base::Error(base::Code::kUnauthorized, "Unauthorized"); }


// Upstream's answers may be shown in a browser.
std::string sanitized(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return out;
}

std::string describe(const auth::User& user, const auth::Attributes& what) {
  if (!what.is_resource) return "User " + shown(user.name) + " cannot " + what.verb + " path " + shown(what.path);
  const std::string resource = what.resource + (what.subresource.empty() ? "" : "/" + what.subresource);
  return "User " + shown(user.name) + " cannot " + what.verb + " resource " + shown(resource) + " in API group " + shown(what.group) +
         (what.ns.empty() ? " at the cluster scope" : " in the namespace " + shown(what.ns));
}

base::Error forbidden_to(const auth::User& user, const auth::Attributes& what, const std::string& reason) {
  std::string message = sanitized(describe(user, what)) + (reason.empty() ? "" : ": " + reason);
  if (!what.is_resource) return base::Error(base::Code::kForbidden, "forbidden: " + message);
  const std::string qualified = what.resource + (what.group.empty() ? "" : "." + what.group);
  base::Error e(base::Code::kForbidden, qualified + (what.name.empty() ? "" : " \"" + what.name + "\"") + " is forbidden: " + message);
  e.group = what.group;
  e.kind = what.resource;
  e.name = what.name;
  return e;
}

std::string bearer_of(const HttpRequest& request) {
  const std::string header = request.header("authorization");
  const size_t space = header.find(' ');
  if (space == std::string::npos || base::lower(std::string_view(header).substr(0, space)) != "bearer") return "";
  const size_t start = header.find_first_not_of(' ', space);
  return start == std::string::npos ? "" : header.substr(start, header.find(' ', start) - start);
}

std::string unescape(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? base::hex_digit(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : base::hex_digit(text[i + 2]);
    if (low < 0) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::vector<std::string> all_values(const HttpRequest& request, const std::string& name) {
  std::vector<std::string> out;
  for (auto [at, end] = request.headers.equal_range(name); at != end; ++at) out.push_back(at->second);
  return out;
}

void add_group(auth::User& user, const std::string& group) {
  if (!user.in_group(group)) user.groups.push_back(group);
}

// NS and NAME of "system:serviceaccount:NS:NAME".
bool split_account(const std::string& name, std::string& ns, std::string& account) {
  const std::string prefix = auth::kAccountPrefix;
  const size_t colon = name.starts_with(prefix) ? name.find(':', prefix.size()) : std::string::npos;
  if (colon == std::string::npos || name.find(':', colon + 1) != std::string::npos) return false;
  ns = name.substr(prefix.size(), colon - prefix.size());
  account = name.substr(colon + 1);
  return !ns.empty() && !account.empty();
}

// The name that a field selector restricts a collection to, if it does.
std::string selected_name(const HttpRequest& request) {
  for (const std::string& term : base::split_by_comma(request.param("fieldSelector").value_or(""))) {
    for (std::string_view start : {"metadata.name==", "metadata.name="}) {
      if (term.starts_with(start)) return term.substr(start.size());
    }
  }
  return "";
}

std::string access_verb(const HttpRequest& request, const RequestInfo& info) {
  if (info.verb != Verb::kNone) return verb_name(info.verb);
  if (request.method == "POST") return "create";
  if (request.method == "PUT") return "update";
  if (request.method == "PATCH") return "patch";
  return "";
}

}  // namespace

auth::Attributes attributes_of(const HttpRequest& request, const RequestInfo& info) {
  auth::Attributes out;
  out.is_resource = info.is_resource;
  out.path = request.path;
  if (!info.is_resource) {
    out.verb = base::lower(request.method);
    return out;
  }
  out.verb = access_verb(request, info);
  out.group = info.group;
  out.version = info.version;
  out.resource = info.plural;
  out.subresource = info.subresource;
  out.ns = info.ns;
  out.name = info.name;
  if (info.group.empty() && info.plural == "namespaces") out.ns = info.name;  // A namespace is in itself.
  const bool collection = info.verb == Verb::kList || info.verb == Verb::kWatch || info.verb == Verb::kDeleteCollection;
  if (collection && out.name.empty()) out.name = selected_name(request);
  return out;
}

AccessControl::AccessControl(const store::Store& store, const base::Clock& clock, const std::string& token_key_pem, const std::string& issuer)
    : store_(store), tokens_(store, clock, token_key_pem, issuer) {}

base::Result<auth::User> AccessControl::authenticate(const HttpRequest& request) const {
  auth::User user;
  if (!request.user.empty()) {
    user.name = request.user;
    user.groups = request.groups;
    if (!request.credential.empty()) user.extra["authentication.kubernetes.io/credential-id"] = {request.credential};
    add_group(user, auth::kAuthenticated);
    return user;
  }
  if (std::string token = bearer_of(request); !token.empty()) {
    auto owner = tokens_.check(token, {});
    if (!owner.ok()) return unauthorized();
    return std::move(owner->user);
  }
  if (request.certificate_refused) return unauthorized();
  user.name = auth::kAnonymous;
  user.groups = {auth::kUnauthenticated};
  return user;
}

base::Result<auth::User> AccessControl::identify(const HttpRequest& request) const {
  auto user = authenticate(request);
  if (!user.ok()) return user;
  auto header = request.headers.lower_bound("impersonate-");
  if (header == request.headers.end() || !header->first.starts_with("impersonate-")) return user;
  return impersonate(request, *user);
}

base::Result<auth::User> AccessControl::impersonate(const HttpRequest& request, const auth::User& user) const {
  auth::User as;
  as.name = request.header("impersonate-user");
  as.uid = request.header("impersonate-uid");
  as.groups = all_values(request, "impersonate-group");
  for (auto at = request.headers.lower_bound(std::string(kExtra)); at != request.headers.end() && at->first.starts_with(kExtra); ++at) {
    as.extra[base::lower(unescape(at->first.substr(kExtra.size())))].push_back(at->second);
  }
  if (as.name.empty() && as.uid.empty() && as.groups.empty() && as.extra.empty()) return user;
  if (as.name.empty()) return base::Error(base::Code::kInternal, "Internal Server Error: " + shown(request.path) + ": requested impersonation without impersonating a user");
  auth::Attributes what;
  what.verb = "impersonate";
  what.version = "v1";
  std::string ns, account;
  const bool is_account = split_account(as.name, ns, account);
  what.resource = is_account ? "serviceaccounts" : "users";
  what.ns = ns;
  what.name = is_account ? account : as.name;
  TRY_STATUS(check(user, what));
  what.ns = "";
  what.resource = "groups";
  for (const std::string& group : as.groups) {
    what.name = group;
    TRY_STATUS(check(user, what));
  }
  what.group = "authentication.k8s.io";
  if (!as.uid.empty()) {
    what.resource = "uids";
    what.name = as.uid;
    TRY_STATUS(check(user, what));
  }
  what.resource = "userextras";
  for (const auto& [key, values] : as.extra) {
    what.subresource = key;
    for (const std::string& value : values) {
      what.name = value;
      TRY_STATUS(check(user, what));
    }
  }
  if (is_account && as.groups.empty()) as.groups = {auth::kAccountsGroup, auth::kAccountsGroup + (":" + ns)};
  add_group(as, as.name == auth::kAnonymous ? auth::kUnauthenticated : auth::kAuthenticated);
  return as;
}

auth::Decision AccessControl::decide(const auth::User& user, const auth::Attributes& what) const {
  if (user.in_group(auth::kMasters)) return {true, ""};
  return index()->authorize(user, what);
}

base::Status AccessControl::check(const auth::User& user, const auth::Attributes& what) const {
  auth::Decision decision = decide(user, what);
  if (decision.allowed) return {};
  return forbidden_to(user, what, decision.reason);
}

void AccessControl::changed(const store::Key& key) {
  if (key.resource.ends_with(".rbac.authorization.k8s.io")) version_.fetch_add(1);
}

std::shared_ptr<const auth::RbacIndex> AccessControl::index() const {
  if (built_.load() == version_.load()) return index_.load();
  std::lock_guard lock(mutex_);
  // Read before the objects: a change while they are read means another index.
  const uint64_t version = version_.load();
  if (built_.load() == version) return index_.load();
  auto list = [&](const char* resource) {
    store::ListQuery query;
    query.resource = std::string(resource) + ".rbac.authorization.k8s.io";
    auto page = store_.list(query);
    if (!page.ok()) base::log::error("api: reading {}: {}", query.resource, page.error().message);
    return page.ok() ? std::move(page->items) : std::vector<store::Object>();
  };
  const auto roles = list("roles"), cluster_roles = list("clusterroles"), bindings = list("rolebindings"), cluster_bindings = list("clusterrolebindings");
  index_.store(auth::RbacIndex::compile({roles, cluster_roles, bindings, cluster_bindings}, roles_));
  built_.store(version);
  return index_.load();
}

}  // namespace server
