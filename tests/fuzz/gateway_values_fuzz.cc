// libFuzzer: the small languages of the gateway, chosen by the first byte: PROXY protocol, paths, templates, regular expressions, the
// Authorization field, cookies, hashes of passwords.
#include <cstdint>
#include <cstdlib>

#include "server/gateway/l4/proxy_protocol.h"
#include "server/gateway/policy/affinity.h"
#include "server/gateway/policy/password.h"
#include "store/base/regex.h"
#include "server/gateway/policy/rewrite.h"
#include "server/gateway/policy/template.h"

namespace {

using namespace server::gateway;

void require(bool holds) {
  if (!holds) abort();
}

void try_proxy(std::string_view bytes) {
  ProxyHeader header;
  ProxyParse parsed = parse_proxy_header(bytes, &header);
  if (parsed.kind != ProxyParse::Kind::kDone) return;
  require(parsed.used > 0 && parsed.used <= bytes.size());
  for (size_t cut = 0; cut < parsed.used; ++cut) {
    ProxyHeader half;
    require(parse_proxy_header(bytes.substr(0, cut), &half).kind == ProxyParse::Kind::kNeedMore);
  }
  if (!header.has_addresses) return;
  std::string written = render_proxy_header(header);
  ProxyHeader again;
  ProxyParse second = parse_proxy_header(written, &again);
  require(second.kind == ProxyParse::Kind::kDone && second.used == written.size());
  require(again.source == header.source && again.destination == header.destination && again.source_port == header.source_port && again.destination_port == header.destination_port);
}

void try_path(std::string_view bytes) {
  base::Result<std::string> path = normalize_path(bytes);
  if (!path.ok()) return;
  if (is_normal_path(bytes)) require(*path == bytes);
  require(!path->empty() && (*path)[0] == '/');
  require(path->find('\0') == std::string::npos && path->find("//") == std::string::npos);
  require(path->find("/../") == std::string::npos && path->find("/./") == std::string::npos && !path->ends_with("/..") && !path->ends_with("/."));
}

RequestHead request_of(std::string_view name, std::string_view value) {
  RequestHead out;
  out.method = "GET";
  out.target = "/a?b=c";
  out.authority = "a.test";
  out.headers.add(name, value);
  return out;
}

void try_template(std::string_view bytes) {
  base::Result<TemplatePtr> parsed = Template::parse(bytes);
  if (!parsed.ok()) return;
  RequestHead request = request_of("X-A", "b");
  std::vector<std::string_view> captures = {"ab", "a"};
  TemplateContext context;
  context.request = &request;
  context.captures = &captures;
  std::string rendered = (*parsed)->render(context), path, query;
  (*parsed)->render_rewrite(context, true, &path, &query);
  if ((*parsed)->constant()) require(rendered == (*parsed)->render({}));
}

// Pattern, a line's end, subject.
void try_regex(std::string_view bytes) {
  size_t at = bytes.find('\n');
  if (at == std::string_view::npos) return;
  base::Result<RegexPtr> regex = Regex::compile(bytes.substr(0, at), (bytes.size() & 1) != 0, (bytes.size() & 2) != 0);
  if (!regex.ok()) return;
  std::string_view subject = bytes.substr(at + 1);
  std::vector<std::string_view> captures;
  if (!(*regex)->search(subject, &captures)) return;
  require(!captures.empty());
  for (std::string_view capture : captures) require(capture.empty() || (capture.data() >= subject.data() && capture.data() + capture.size() <= subject.data() + subject.size()));
}

void try_authorization(std::string_view bytes, bool digest) {
  PasswordAuth auth;
  auth.digest = digest;
  auth.realm = "r";
  auth.users = {{"u", "{PLAIN}p"}, {"v", "0123456789abcdef0123456789abcdef"}};
  std::optional<ResponseHead> refused = check_password(auth, request_of("Authorization", bytes), base::SystemClock().wall());
  if (refused) require(refused->status == 401 || refused->status == 400 || refused->status == 403);
}

// Hash, a line's end, password. The slow ones are left out: what they cost is their purpose.
void try_hash(std::string_view bytes) {
  size_t at = bytes.find('\n');
  if (at == std::string_view::npos || bytes.starts_with("$2") || bytes.find("rounds") != std::string_view::npos || bytes.starts_with("$y") || bytes.starts_with("$7") || bytes.starts_with("_")) return;
  if (bytes.starts_with("$gy") || bytes.starts_with("$sha1") || bytes.starts_with("$md5")) return;
  password_matches(std::string(bytes.substr(0, at)), std::string(bytes.substr(at + 1)));
}

void try_cookie(std::string_view bytes) {
  Headers headers = request_of("Cookie", bytes).headers;
  std::optional<std::string> value = find_cookie(headers, "route");
  if (value) require(bytes.find(*value) != std::string_view::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      try_proxy(bytes);
      break;
    case 1:
      try_path(bytes);
      break;
    case 2:
      try_template(bytes);
      break;
    case 3:
      try_regex(bytes);
      break;
    case 4:
      try_authorization(bytes, false);
      break;
    case 5:
      try_authorization(bytes, true);
      break;
    case 6:
      try_hash(bytes);
      break;
    default:
      try_cookie(bytes);
  }
  return 0;
}
