#include "server/gateway/policy/canary.h"

#include <algorithm>

#include "server/gateway/policy/affinity.h"
#include "server/gateway/policy/encoding.h"
#include "store/base/regex.h"

namespace server::gateway {
namespace {

enum class Verdict : uint8_t { kTake, kLeave, kOpen };

Verdict judge_word(std::string_view word) { return word == "always" ? Verdict::kTake : word == "never" ? Verdict::kLeave : Verdict::kOpen; }

// With a value or a pattern set, "always" and "never" are words like any other.
Verdict judge_header(const Canary& canary, const RequestHead& request) {
  if (canary.header.empty()) return Verdict::kOpen;
  std::optional<std::string_view> value = request.headers.find(canary.header);
  if (!value) return Verdict::kOpen;
  if (!canary.header_value.empty()) return canary.header_value == *value ? Verdict::kTake : Verdict::kOpen;
  if (canary.header_pattern) return canary.header_pattern->search(*value) ? Verdict::kTake : Verdict::kOpen;
  return judge_word(*value);
}

Verdict judge_cookie(const Canary& canary, const RequestHead& request) {
  if (canary.cookie.empty()) return Verdict::kOpen;
  std::optional<std::string_view> value = find_cookie_view(request.headers, canary.cookie);
  return value ? judge_word(*value) : Verdict::kOpen;
}

// One without endpoints is as if it were not there: ingress-nginx has no balancer for it.
bool is_usable(const Canary& canary) { return canary.backend.upstream != nullptr && !canary.backend.upstream->endpoints.empty(); }

}  // namespace

const Canary* choose_canary(const Forward& forward, const RequestHead& request, std::optional<std::string_view> affinity_cookie, WeightedTurns* turns) {
  if (affinity_cookie && !affinity_cookie->empty()) {
    for (const Backend& backend : forward.backends) {
      if (backend.upstream && cookie_is_of(*affinity_cookie, *backend.upstream)) return nullptr;
    }
    for (const Canary& canary : forward.canaries) {
      if (canary.sticky && is_usable(canary) && cookie_is_of(*affinity_cookie, *canary.backend.upstream)) return &canary;
    }
  }
  static thread_local WeightedTurns own_turns;
  std::optional<uint64_t> turn;
  uint64_t before = 0;  // What earlier canaries take of the same hundred.
  for (const Canary& canary : forward.canaries) {
    if (!is_usable(canary)) continue;
    Verdict verdict = judge_header(canary, request);
    if (verdict == Verdict::kOpen) verdict = judge_cookie(canary, request);
    if (verdict == Verdict::kTake) return &canary;
    if (verdict == Verdict::kLeave) continue;
    if (canary.weight == 0) continue;
    if (!turn) turn = (turns != nullptr ? *turns : own_turns).next();
    uint64_t total = std::max<uint64_t>(canary.weight_total, 100);
    uint64_t place = place_of_turn(*turn, total);
    if (place >= before && place - before < canary.weight) return &canary;
    before += canary.weight;
  }
  return nullptr;
}

}  // namespace server::gateway
