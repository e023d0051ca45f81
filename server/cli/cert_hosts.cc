#include "server/cli/cert_hosts.h"

#include <algorithm>
#include <string_view>

#include "store/base/ip.h"

namespace server {
namespace {

constexpr size_t kMaxName = 253;
constexpr size_t kMaxLabel = 63;

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// Letters, digits and '-' within; in host names '_' too, which RFC 1123 forbids and people use.
bool is_label(std::string_view label, bool underscores) {
  auto inner = [&](char c) { return is_alphanumeric(c) || c == '-' || (underscores && c == '_'); };
  auto outer = [&](char c) { return is_alphanumeric(c) || (underscores && c == '_'); };
  return !label.empty() && label.size() <= kMaxLabel && outer(label.front()) && outer(label.back()) && std::all_of(label.begin(), label.end(), inner);
}

bool is_dotted_name(std::string_view name, bool underscores) {
  if (name.empty() || name.size() > kMaxName) return false;
  while (true) {
    size_t dot = name.find('.');
    if (!is_label(name.substr(0, dot), underscores)) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

base::Error refuse(const std::string& word, const char* why) { return base::Error(base::Code::kInvalid, "cert \"" + word + "\": " + why); }

}  // namespace

base::Result<std::string> parse_cert_host(const std::string& word) {
  if (auto ip = base::Ip::parse(word); ip.ok()) return ip->text();
  std::string name = word;
  if (name.find("://") != std::string::npos) return refuse(word, "give the host alone, without scheme and path");
  for (char& c : name) {
    if (static_cast<unsigned char>(c) >= 0x80) return refuse(word, "write names beyond ASCII in their xn-- form");
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (name.size() > 1 && name.back() == '.') name.pop_back();
  std::string_view plain = name;
  if (plain.starts_with("*.")) plain.remove_prefix(2);
  if (plain.find('*') != std::string_view::npos) return refuse(word, "a wildcard is \"*.\" before a name, as in *.web.test");
  // "127.0.0.256" would pass as a name; no name ends in a number.
  bool number_last = !plain.empty() && std::all_of(plain.begin() + static_cast<std::ptrdiff_t>(plain.rfind('.') + 1), plain.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (number_last || !is_dotted_name(plain, true)) return refuse(word, "this is no host name, wildcard or address");
  return name;
}

std::string cert_file_stem(const std::string& host) { return host.starts_with("*.") ? "_wildcard" + host.substr(1) : host; }

std::string cert_secret_name(const std::string& host) {
  std::string out = (host.starts_with("*.") ? "wildcard" + host.substr(1) : host) + "-tls";
  for (char& c : out) {
    if (!is_alphanumeric(c)) c = '-';
  }
  return out.front() == '-' ? "host" + out : out;
}

base::Status check_object_name(const std::string& what, const std::string& name) {
  if (is_dotted_name(name, false)) return {};
  return base::Error(base::Code::kInvalid, what + " \"" + name + "\": use lower case letters, digits, '-' and '.', as in web-tls");
}

}  // namespace server
