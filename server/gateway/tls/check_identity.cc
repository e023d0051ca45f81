#include "server/gateway/tls/check_identity.h"

#include <openssl/err.h>

#include <algorithm>

#include "server/gateway/message/headers.h"
#include "server/gateway/tls/certificates.h"
#include "store/base/ip.h"

namespace server::gateway {
namespace {

using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;

// Subject alternative names that are DNS names; without any, the CN, as clients of old took it.
std::vector<std::string> dns_names(X509* certificate) {
  std::vector<std::string> out;
  NamesPtr names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  ERR_clear_error();
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    out.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)), static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  std::string cn = common_name(X509_get_subject_name(certificate));
  if (out.empty() && !cn.empty()) out.push_back(std::move(cn));
  return out;
}

bool covers(X509* certificate, const std::vector<std::string>& names, std::string_view host) {
  std::string text(host);
  if (base::Ip::parse(text).ok()) return X509_check_ip_asc(certificate, text.c_str(), 0) == 1;
  // OpenSSL compares host names only, and a wildcard is none.
  if (host.starts_with("*.")) return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return equal_names(name, host); });
  return X509_check_host(certificate, text.data(), text.size(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 5;
  std::string out;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) out += (i > 0 ? ", " : "") + names[i];
  if (names.size() > kShown) out += " and " + std::to_string(names.size() - kShown) + " more";
  return out.empty() ? "no host name" : out;
}

base::WallTime wall_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

}  // namespace

base::Status check_identity(const Identity& identity, std::string_view host, base::WallTime now) {
  ParsedIdentityPtr parsed = TRY(parse_identity(identity.certificate_pem, identity.key_pem));
  X509* certificate = parsed->leaf.get();
  if (!host.empty()) {
    std::vector<std::string> names = dns_names(certificate);
    bool covered = covers(certificate, names, host);
    ERR_clear_error();
    if (!covered) return base::Error(base::Code::kForbidden, "the certificate is not valid for " + std::string(host) + ": it is for " + listed(names));
  }
  base::WallTime from = wall_of(X509_get0_notBefore(certificate)), to = wall_of(X509_get0_notAfter(certificate));
  if (now < from) return base::Error(base::Code::kExpired, "the certificate is not valid before " + base::render_rfc3339(from));
  if (now > to) return base::Error(base::Code::kExpired, "the certificate expired at " + base::render_rfc3339(to));
  return {};
}

base::Status check_trusted(const std::string& trusted_pem) {
  base::Result<Trusted> trusted = parse_trusted(trusted_pem);
  if (!trusted.ok()) return std::move(trusted).error();
  return {};
}

}  // namespace server::gateway
