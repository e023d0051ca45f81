#include "server/gateway/policy/password.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "server/gateway/policy/digest_auth.h"
#include "server/gateway/policy/encoding.h"
#include "server/gateway/policy/verified_passwords.h"
#include "store/base/text.h"

namespace server::gateway {
namespace {

constexpr size_t kMaxPassword = 1024;
// Each step of bcrypt's cost doubles the time; 15 is some 2 s. A secret that asks for more would stop the loop.
constexpr int kMaxBcryptCost = 15;
constexpr long kMaxRounds = 1'000'000;

bool equal_secrets(std::string_view a, std::string_view b) { return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

std::string digest(const EVP_MD* kind, std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), out, &size, kind, nullptr) != 1) return {};
  return {reinterpret_cast<const char*>(out), size};
}

// ---- apr1 --------------------------------------------------------------------------------------------------------

// Apache's variant of the MD5 password scheme: a thousand rounds of MD5 over password, salt and the last digest in varying order.
std::string apr1_digest(std::string_view password, std::string_view salt) {
  std::string inner = digest(EVP_md5(), std::string(password).append(salt).append(password));
  std::string text = std::string(password).append("$apr1$").append(salt);
  for (size_t left = password.size(); left > 0; left -= std::min<size_t>(left, 16)) text.append(inner, 0, std::min<size_t>(left, 16));
  for (size_t bits = password.size(); bits > 0; bits >>= 1) text.push_back((bits & 1) != 0 ? '\0' : password[0]);
  std::string last = digest(EVP_md5(), text);
  for (int round = 0; round < 1000; ++round) {
    text.clear();
    if (round % 2 != 0) text.append(password);
    else text.append(last);
    if (round % 3 != 0) text.append(salt);
    if (round % 7 != 0) text.append(password);
    if (round % 2 != 0) text.append(last);
    else text.append(password);
    last = digest(EVP_md5(), text);
  }
  return last;
}

// Its own base 64: digits first, least significant bits first, and the digest's bytes in an order of their own.
std::string apr1_text(const std::string& bytes) {
  static constexpr char kDigits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  static constexpr uint8_t kOrder[5][3] = {{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}};
  std::string out;
  auto add = [&out](uint32_t value, int digits) {
    for (; digits > 0; --digits, value >>= 6) out.push_back(kDigits[value & 63]);
  };
  auto byte = [&bytes](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])); };
  for (const auto& three : kOrder) add(byte(three[0]) << 16 | byte(three[1]) << 8 | byte(three[2]), 4);
  add(byte(11), 2);
  return out;
}

bool matches_apr1(std::string_view hash, std::string_view password) {
  hash.remove_prefix(6);  // "$apr1$"
  size_t end = hash.find('$');
  if (end == std::string_view::npos) return false;
  std::string_view salt = hash.substr(0, std::min<size_t>(end, 8));
  std::string got = apr1_digest(password, salt);
  return got.size() == 16 && equal_secrets(apr1_text(got), hash.substr(end + 1));
}

// ---- The others --------------------------------------------------------------------------------------------------

bool matches_sha1(std::string_view text, std::string_view password, bool salted) {
  std::optional<std::string> bytes = base::decode_base64(text);
  if (!bytes || bytes->size() < 20 || (!salted && bytes->size() != 20)) return false;
  std::string_view salt = std::string_view(*bytes).substr(20);
  return equal_secrets(digest(EVP_sha1(), std::string(password).append(salt)), std::string_view(*bytes).substr(0, 20));
}

bool starts_with(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }

bool is_des(std::string_view hash) {
  return hash.size() == 13 && std::all_of(hash.begin(), hash.end(), [](char c) { return c == '.' || c == '/' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); });
}

// crypt(3) knows more, some of which takes any time and memory that the hash asks for.
bool may_crypt(const std::string& hash) {
  if (starts_with(hash, "$1$") || is_des(hash)) return true;
  if (starts_with(hash, "$2a$") || starts_with(hash, "$2b$") || starts_with(hash, "$2y$")) return hash.size() == 60 && atoi(hash.c_str() + 4) <= kMaxBcryptCost;
  if (!starts_with(hash, "$5$") && !starts_with(hash, "$6$")) return false;
  return !starts_with(std::string_view(hash).substr(3), "rounds=") || strtol(hash.c_str() + 10, nullptr, 10) <= kMaxRounds;
}

bool matches_crypt(const std::string& hash, const std::string& password) {
  if (!may_crypt(hash) || password.find('\0') != std::string::npos) return false;
  auto scratch = std::make_unique<crypt_data>();  // 32 KiB
  // Not crypt_r(): the sanitizers wrap that one, and find nothing behind it in a static library.
  const char* got = crypt_rn(password.c_str(), hash.c_str(), scratch.get(), sizeof(crypt_data));
  return got != nullptr && got[0] != '*' && equal_secrets(got, hash);
}

bool is_slow(std::string_view hash) { return !hash.empty() && hash[0] != '{'; }

ResponseHead make_basic_refusal(const std::string& realm) {
  ResponseHead head;
  head.status = 401;
  std::string value = "Basic realm=\"" + quoted_text(realm) + "\"";
  head.headers.add("WWW-Authenticate", value);
  return head;
}

bool check_basic(const PasswordAuth& auth, const RequestHead& request) {
  std::optional<std::string_view> value = request.headers.find("authorization");
  if (!value || value->size() < 6 || !equal_names(value->substr(0, 6), "basic ")) return false;
  std::string_view coded = value->substr(6);
  while (!coded.empty() && coded[0] == ' ') coded.remove_prefix(1);
  std::optional<std::string> decoded = base::decode_base64(coded);
  size_t colon = decoded ? decoded->find(':') : std::string::npos;
  if (colon == std::string::npos || decoded->size() - colon > kMaxPassword) return false;
  auto user = auth.users.find(decoded->substr(0, colon));
  if (user == auth.users.end()) return false;
  std::string password = decoded->substr(colon + 1);
  if (!is_slow(user->second)) return password_matches(user->second, password);
  return VerifiedPasswords::instance().check(user->second, password, [&] { return password_matches(user->second, password); });
}

}  // namespace

bool password_matches(const std::string& hash, const std::string& password) {
  if (hash.empty() || password.size() > kMaxPassword) return false;
  std::string_view text = hash;
  if (starts_with(text, "$apr1$")) return matches_apr1(text, password);
  if (starts_with(text, "{PLAIN}")) return equal_secrets(text.substr(7), password);
  if (starts_with(text, "{SHA}")) return matches_sha1(text.substr(5), password, false);
  if (starts_with(text, "{SSHA}")) return matches_sha1(text.substr(6), password, true);
  return matches_crypt(hash, password);
}

std::optional<ResponseHead> check_password(const PasswordAuth& auth, const RequestHead& request, base::WallTime now) {
  if (auth.digest) return check_digest(auth, request, now);
  if (check_basic(auth, request)) return std::nullopt;
  return make_basic_refusal(auth.realm);
}

}  // namespace server::gateway
