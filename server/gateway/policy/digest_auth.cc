#include "server/gateway/policy/digest_auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <cstdlib>
#include <list>
#include <map>
#include <mutex>
#include <unordered_map>

#include "server/gateway/policy/encoding.h"
#include "store/base/text.h"

namespace server::gateway {
namespace {

constexpr std::chrono::seconds kNonceLife{300};
constexpr size_t kMaxNonces = 8192;
constexpr size_t kNonceTextSize = 16 + 16 + 32;  // Time, random bytes, signature; in hex.

enum class Algorithm : uint8_t { kMd5, kSha256 };

std::string hex_digest(Algorithm algorithm, const std::string& text) {
  if (algorithm == Algorithm::kMd5) return md5_hex(text);
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), out, &size, EVP_sha256(), nullptr) != 1) return {};
  return to_hex({reinterpret_cast<const char*>(out), size});
}

// ---- Nonces ------------------------------------------------------------------------------------------------------

class Nonces {
 public:
  enum class Verdict : uint8_t { kGood, kStale, kForged };

  static Nonces& instance() {
    static Nonces one;
    return one;
  }

  std::string make(base::WallTime now) {
    unsigned char random[8];
    RAND_bytes(random, sizeof random);
    auto seconds = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
    std::string text;
    for (int shift = 56; shift >= 0; shift -= 8) text.push_back(static_cast<char>(seconds >> shift & 255));
    text = to_hex(text.append(reinterpret_cast<const char*>(random), sizeof random));
    return text + sign(text);
  }

  Verdict check(std::string_view nonce, base::WallTime now) const {
    if (nonce.size() != kNonceTextSize) return Verdict::kForged;
    std::string_view text = nonce.substr(0, 32), signature = nonce.substr(32);
    std::string expected = sign(text);
    if (CRYPTO_memcmp(expected.data(), signature.data(), signature.size()) != 0) return Verdict::kForged;
    base::WallTime made{std::chrono::seconds(strtoll(std::string(text.substr(0, 16)).c_str(), nullptr, 16))};
    return now - made > kNonceLife || made - now > kNonceLife ? Verdict::kStale : Verdict::kGood;
  }

  // Notes that a nonce's count was used. False: it was before, is too old to tell, or the nonce is not remembered any more.
  // Counts may come out of order, since a browser uses several connections.
  bool use(std::string_view nonce, uint64_t count) {
    std::lock_guard lock(mutex_);
    auto it = by_nonce_.find(std::string(nonce));
    if (it == by_nonce_.end()) {
      if (count != 1) return false;
      if (used_.size() >= kMaxNonces) {
        by_nonce_.erase(used_.back().nonce);
        used_.pop_back();
      }
      used_.push_front({std::string(nonce), 1, 1});
      by_nonce_.emplace(nonce, used_.begin());
      return true;
    }
    Used& used = *it->second;
    if (count > used.highest) {
      uint64_t by = count - used.highest;
      used.seen = by >= 64 ? 0 : used.seen << by;
      used.seen |= 1;
      used.highest = count;
      return true;
    }
    uint64_t back = used.highest - count;
    if (back >= 64 || (used.seen >> back & 1) != 0) return false;
    used.seen |= uint64_t{1} << back;
    return true;
  }

 private:
  struct Used {
    std::string nonce;
    uint64_t highest;
    uint64_t seen;  // Bit i: highest - i.
  };

  Nonces() { RAND_bytes(secret_.data(), static_cast<int>(secret_.size())); }

  std::string sign(std::string_view text) const {
    unsigned char out[EVP_MAX_MD_SIZE] = {};
    unsigned int size = 0;
    HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &size);
    return to_hex({reinterpret_cast<const char*>(out), 16});
  }

  std::array<unsigned char, 32> secret_;
  std::mutex mutex_;
  std::list<Used> used_;  // Begun last at the front.
  std::unordered_map<std::string, std::list<Used>::iterator> by_nonce_;
};

// ---- The header --------------------------------------------------------------------------------------------------

using Parameters = std::map<std::string, std::string>;

bool is_token_char(char c) { return c > ' ' && c != ',' && c != '=' && c != '"' && c != 0x7f; }

// name=token or name="quoted", by commas. Nothing: not of that form, or a name twice.
std::optional<Parameters> parse_parameters(std::string_view text) {
  Parameters out;
  auto skip = [&text](std::string_view what) {
    while (!text.empty() && what.find(text[0]) != std::string_view::npos) text.remove_prefix(1);
  };
  for (skip(" \t,"); !text.empty(); skip(" \t,")) {
    std::string name, value;
    for (; !text.empty() && is_token_char(text[0]); text.remove_prefix(1)) name.push_back(text[0] >= 'A' && text[0] <= 'Z' ? static_cast<char>(text[0] + 32) : text[0]);
    skip(" \t");
    if (name.empty() || text.empty() || text[0] != '=') return std::nullopt;
    text.remove_prefix(1);
    skip(" \t");
    if (!text.empty() && text[0] == '"') {
      for (text.remove_prefix(1); !text.empty() && text[0] != '"'; text.remove_prefix(1)) {
        if (text[0] == '\\' && text.size() > 1) text.remove_prefix(1);
        value.push_back(text[0]);
      }
      if (text.empty()) return std::nullopt;
      text.remove_prefix(1);
    } else {
      for (; !text.empty() && is_token_char(text[0]); text.remove_prefix(1)) value.push_back(text[0]);
    }
    if (!out.emplace(std::move(name), std::move(value)).second) return std::nullopt;
  }
  return out;
}

std::optional<uint64_t> parse_count(const std::string& text) {
  if (text.size() != 8) return std::nullopt;
  uint64_t value = 0;
  for (char c : text) {
    int digit = base::hex_digit(c);
    if (digit < 0) return std::nullopt;
    value = value << 4 | static_cast<uint64_t>(digit);
  }
  return value == 0 ? std::nullopt : std::optional<uint64_t>(value);
}

// The user's stored digest, which also says by which algorithm; empty: not usable.
std::string secret_of(const PasswordAuth& auth, const std::string& name) {
  auto user = auth.users.find(name);
  if (user == auth.users.end()) return {};
  std::string secret = user->second;
  if (size_t colon = secret.rfind(':'); colon != std::string::npos) {
    if (secret.substr(0, colon) != auth.realm) return {};
    secret.erase(0, colon + 1);
  }
  if (secret.size() != 32 && secret.size() != 64) return {};
  for (char& c : secret) {
    if (base::hex_digit(c) < 0) return {};
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c + 32);
  }
  return secret;
}

enum class Outcome : uint8_t { kAllowed, kRefused, kStale };

Outcome judge(const PasswordAuth& auth, const RequestHead& request, base::WallTime now) {
  std::optional<std::string_view> value = request.headers.find("authorization");
  if (!value || value->size() < 7 || !equal_names(value->substr(0, 7), "digest ")) return Outcome::kRefused;
  std::optional<Parameters> parsed = parse_parameters(value->substr(7));
  if (!parsed) return Outcome::kRefused;
  Parameters& p = *parsed;
  std::string secret = secret_of(auth, p["username"]);
  std::optional<uint64_t> count = parse_count(p["nc"]);
  if (secret.empty() || !count || p["realm"] != auth.realm || p["qop"] != "auth" || p["cnonce"].empty() || p["uri"] != request.target) return Outcome::kRefused;
  Algorithm algorithm = secret.size() == 64 ? Algorithm::kSha256 : Algorithm::kMd5;
  const std::string& named = p["algorithm"];
  if (algorithm == Algorithm::kMd5 ? !(named.empty() || equal_names(named, "MD5")) : !equal_names(named, "SHA-256")) return Outcome::kRefused;
  Nonces::Verdict nonce = Nonces::instance().check(p["nonce"], now);
  if (nonce == Nonces::Verdict::kForged) return Outcome::kRefused;
  std::string what = hex_digest(algorithm, request.method + ":" + p["uri"]);
  std::string expected = hex_digest(algorithm, secret + ":" + p["nonce"] + ":" + p["nc"] + ":" + p["cnonce"] + ":auth:" + what);
  const std::string& got = p["response"];
  if (expected.empty() || got.size() != expected.size() || CRYPTO_memcmp(got.data(), expected.data(), got.size()) != 0) return Outcome::kRefused;
  // The password is right; whoever sent this may try once more with a new nonce.
  if (nonce == Nonces::Verdict::kStale || !Nonces::instance().use(p["nonce"], *count)) return Outcome::kStale;
  return Outcome::kAllowed;
}

ResponseHead make_refusal(const PasswordAuth& auth, bool stale, base::WallTime now) {
  bool md5 = false, sha256 = false;
  for (const auto& [name, unused] : auth.users) {
    size_t size = secret_of(auth, name).size();
    md5 = md5 || size == 32;
    sha256 = sha256 || size == 64;
  }
  ResponseHead head;
  head.status = 401;
  std::string nonce = Nonces::instance().make(now);
  auto add = [&](const char* algorithm) {
    head.headers.add("WWW-Authenticate", "Digest algorithm=" + std::string(algorithm) + ", qop=\"auth\", realm=\"" + quoted_text(auth.realm) + "\", nonce=\"" + nonce + "\"" + (stale ? ", stale=true" : ""));
  };
  // The better one first: a client takes the first that it knows.
  if (sha256) add("SHA-256");
  if (md5 || !sha256) add("MD5");
  return head;
}

}  // namespace

std::string quoted_text(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  make_header_safe(&out);
  return out;
}

std::optional<ResponseHead> check_digest(const PasswordAuth& auth, const RequestHead& request, base::WallTime now) {
  Outcome outcome = judge(auth, request, now);
  if (outcome == Outcome::kAllowed) return std::nullopt;
  return make_refusal(auth, outcome == Outcome::kStale, now);
}

}  // namespace server::gateway
