#include "server/publish/spec.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace server::publish {
namespace {

constexpr size_t kMaxText = 1024;
constexpr char kForm[] = "the form is [HOST-IP:]HOSTPORT:TARGET[/udp], as in 8080:svc/web:80, 8080:node-1:30080 or 8080:lb/web:80";

base::Error invalid(std::string_view text, const std::string& what) {
  std::string message = "published port \"" + std::string(text.substr(0, 200)) + "\": " + what;
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  }
  return base::Error(base::Code::kInvalid, std::move(message));
}

bool is_digits(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// 0 to 65535, without sign or leading zeros (which some read as octal).
std::optional<uint16_t> parse_port(std::string_view s) {
  if (!is_digits(s) || s.size() > 5 || (s.size() > 1 && s[0] == '0')) return std::nullopt;
  unsigned value = 0;
  std::from_chars(s.data(), s.data() + s.size(), value);
  if (value > 65535) return std::nullopt;
  return static_cast<uint16_t>(value);
}

bool is_name(std::string_view s, size_t limit) {
  auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (s.empty() || s.size() > limit || !alphanumeric(s.front()) || !alphanumeric(s.back())) return false;
  return std::all_of(s.begin(), s.end(), [&](char c) { return alphanumeric(c) || c == '-' || c == '.'; });
}

bool is_loopback(const base::Ip& ip) {
  if (ip.is_v4()) return ip.bytes()[0] == 127;
  return ip == base::Ip::parse("::1").value();
}

std::string bracketed(const base::Ip& ip) { return ip.is_v4() ? ip.text() : "[" + ip.text() + "]"; }

const char* protocol_suffix(model::Protocol protocol) { return protocol == model::Protocol::kUdp ? "/udp" : ""; }

struct Reader {
  std::string_view whole;
  std::string_view rest;

  base::Error error(const std::string& what) const { return invalid(whole, what); }

  // Takes "[ADDRESS]" from the front; nothing when there is none.
  base::Result<std::optional<base::Ip>> take_bracketed() {
    if (rest.empty() || rest[0] != '[') return std::optional<base::Ip>();
    const size_t end = rest.find(']');
    if (end == std::string_view::npos) return error("no ] after [");
    base::Result<base::Ip> ip = base::Ip::parse(rest.substr(1, end - 1));
    if (!ip.ok() || ip->is_v4()) return error("[" + std::string(rest.substr(1, end - 1)) + "] is not an IPv6 address");
    rest.remove_prefix(end + 1);
    return std::optional<base::Ip>(*ip);
  }

  std::string_view take_until_colon() {
    const size_t colon = std::min(rest.find(':'), rest.size());
    std::string_view word = rest.substr(0, colon);
    rest.remove_prefix(std::min(colon + 1, rest.size()));
    return word;
  }

  // "/udp" or "/tcp" at the very end, where what stands before it is the port.
  base::Result<model::Protocol> take_protocol() {
    const size_t colon = rest.rfind(':');
    const size_t slash = rest.rfind('/');
    const bool service = rest.starts_with("svc/") || rest.starts_with("lb/");
    if (slash == std::string_view::npos || (colon != std::string_view::npos && slash < colon)) return model::Protocol::kTcp;
    if (colon == std::string_view::npos && service) return error("it does not say which port: add :PORT");
    const std::string_view word = rest.substr(slash + 1);
    if (word != "tcp" && word != "udp") return error("protocol \"" + std::string(word) + "\": use tcp or udp");
    rest = rest.substr(0, slash);
    return word == "udp" ? model::Protocol::kUdp : model::Protocol::kTcp;
  }
};

base::Status check_host(const Reader& in, const base::Ip& ip) {
  if (is_loopback(ip)) return {};
  return in.error(ip.text() + " is not a loopback address: ports are published on 127.0.0.0/8 and [::1] only");
}

base::Result<HostPort> take_host_port(Reader& in) {
  HostPort out;
  std::optional<base::Ip> v6 = TRY(in.take_bracketed());
  std::string_view word;
  if (v6) {
    if (in.rest.empty() || in.rest[0] != ':') return in.error(kForm);
    in.rest.remove_prefix(1);
    out.ip = *v6;
    word = in.take_until_colon();
  } else {
    word = in.take_until_colon();
    base::Result<base::Ip> v4 = base::Ip::parse(word);
    if (v4.ok() && v4->is_v4()) out.ip = *v4;
    if (v4.ok() || word == "localhost") word = in.take_until_colon();
  }
  TRY_STATUS(check_host(in, out.ip));
  const std::optional<uint16_t> port = parse_port(word);
  if (!port) return in.error(word.empty() ? kForm : "host port \"" + std::string(word.substr(0, 64)) + "\": use 0 (any) to 65535; " + kForm);
  out.port = *port;
  return out;
}

base::Status check_number(const Reader& in, std::string_view port) {
  const std::optional<uint16_t> number = parse_port(port);
  if (number && *number != 0) return {};
  return in.error("port \"" + std::string(port.substr(0, 64)) + "\" of the target: use 1 to 65535");
}

// "svc/" or "lb/" is taken already.
base::Result<Target> take_service(Reader& in, TargetKind kind) {
  Target out;
  out.kind = kind;
  const size_t colon = in.rest.rfind(':');
  if (colon == std::string_view::npos) return in.error("it does not say which port: add :PORT");
  std::string_view name = in.rest.substr(0, colon), port = in.rest.substr(colon + 1), ns = "default";
  if (const size_t slash = name.find('/'); slash != std::string_view::npos) {
    ns = name.substr(0, slash);
    name = name.substr(slash + 1);
  }
  if (!is_name(ns, 63)) return in.error("\"" + std::string(ns.substr(0, 64)) + "\" is not the name of a namespace");
  if (!is_name(name, 253)) return in.error("\"" + std::string(name.substr(0, 64)) + "\" is not the name of a Service");
  if (is_digits(port)) TRY_STATUS(check_number(in, port));
  else if (!is_name(port, 15)) return in.error("\"" + std::string(port.substr(0, 64)) + "\" is neither the number nor the name of a port");
  out.ns = std::string(ns);
  out.name = std::string(name);
  out.port = std::string(port);
  return out;
}

base::Result<Target> take_target(Reader& in) {
  if (in.rest.starts_with("svc/")) {
    in.rest.remove_prefix(4);
    return take_service(in, TargetKind::kService);
  }
  if (in.rest.starts_with("lb/")) {
    in.rest.remove_prefix(3);
    return take_service(in, TargetKind::kLoadBalancer);
  }
  Target out;
  std::optional<base::Ip> v6 = TRY(in.take_bracketed());
  const size_t colon = in.rest.rfind(':');
  const std::string_view before = colon == std::string_view::npos ? std::string_view() : in.rest.substr(0, colon);
  out.port = std::string(colon == std::string_view::npos ? in.rest : in.rest.substr(colon + 1));
  if (v6) {
    if (colon != 0) return in.error("it does not say which port: add :PORT after ]");
    out.kind = TargetKind::kAddress;
    out.address = *v6;
  } else if (base::Result<base::Ip> ip = base::Ip::parse(before); ip.ok()) {
    if (!ip->is_v4()) return in.error("write an IPv6 address in brackets: [" + ip->text() + "]:PORT");
    out.kind = TargetKind::kAddress;
    out.address = *ip;
  } else if (before.find('/') != std::string_view::npos) {
    return take_service(in, TargetKind::kService);
  } else if (!before.empty()) {
    if (!is_name(before, 253)) return in.error("\"" + std::string(before.substr(0, 64)) + "\" is neither a name nor an address");
    if (!is_digits(out.port)) return take_service(in, TargetKind::kService);  // Node ports have no names.
    out.kind = TargetKind::kName;
    out.ns = "default";
    out.name = std::string(before);
  } else if (is_name(out.port, 253) && !is_digits(out.port)) {
    return in.error("it does not say which port: add :PORT");
  }
  TRY_STATUS(check_number(in, out.port));
  return out;
}

}  // namespace

std::string HostPort::text() const { return bracketed(ip) + ":" + std::to_string(port) + protocol_suffix(protocol); }

base::Result<Spec> parse_spec(std::string_view text) {
  if (text.empty() || text.size() > kMaxText) return invalid(text, kForm);
  Reader in{text, text};
  Spec out;
  out.host = TRY(take_host_port(in));
  if (in.rest.empty()) return in.error(std::string("it has no target: ") + kForm);
  out.host.protocol = TRY(in.take_protocol());
  out.target = TRY(take_target(in));
  return out;
}

base::Result<HostPort> parse_host_port(std::string_view text) {
  if (text.empty() || text.size() > kMaxText) return invalid(text, "the form is [HOST-IP:]HOSTPORT[/udp]");
  Reader in{text, text};
  const size_t slash = text.rfind('/');
  model::Protocol protocol = model::Protocol::kTcp;
  if (slash != std::string_view::npos) {
    const std::string_view word = text.substr(slash + 1);
    if (word != "tcp" && word != "udp") return in.error("protocol \"" + std::string(word.substr(0, 64)) + "\": use tcp or udp");
    if (word == "udp") protocol = model::Protocol::kUdp;
    in.rest = text.substr(0, slash);
  }
  HostPort out = TRY(take_host_port(in));
  if (!in.rest.empty()) return in.error("the form is [HOST-IP:]HOSTPORT[/udp]");
  out.protocol = protocol;
  return out;
}

std::string render_target(const Spec& spec) {
  const Target& t = spec.target;
  std::string place;
  switch (t.kind) {
    case TargetKind::kNodePort:
    case TargetKind::kName:
      place = t.name;
      break;
    case TargetKind::kService:
      place = "svc/" + t.ns + "/" + t.name;
      break;
    case TargetKind::kLoadBalancer:
      place = "lb/" + t.ns + "/" + t.name;
      break;
    case TargetKind::kAddress:
      place = bracketed(t.address);
      break;
  }
  return place + ":" + t.port + protocol_suffix(spec.host.protocol);
}

std::string render_spec(const Spec& spec) {
  HostPort host = spec.host;
  host.protocol = model::Protocol::kTcp;  // Said once, at the end.
  return host.text() + ":" + render_target(spec);
}

}  // namespace server::publish
