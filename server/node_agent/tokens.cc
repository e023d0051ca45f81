// Tokens of service accounts in pods' volumes: made when the files are, renewed at four fifths of their life or after a
// day, whichever comes first, as the kubelet does.
#include <algorithm>

#include "server/node_agent/agent.h"

namespace server {
namespace {

constexpr auto kLongest = std::chrono::hours(24);
constexpr auto kRetry = std::chrono::seconds(60);

}  // namespace

base::Result<std::string> Agent::token_for(PodRun& run, const std::string& audience, int64_t seconds) {
  PodToken& known = run.tokens[{audience, seconds}];
  const base::MonoTime now = loop_.clock().mono();
  if (!known.text.empty() && now < known.renew_at) return known.text;
  TokenWish wish;
  wish.ns = run.key.ns;
  wish.account = run.spec.service_account;
  if (!audience.empty()) wish.audiences = {audience};
  wish.seconds = seconds;
  wish.bound_version = "v1";
  wish.bound_kind = "Pod";
  wish.bound_name = run.key.name;
  wish.bound_uid = run.spec.meta.uid;
  IssuedToken issued = TRY(loop_.client().issue_token(wish));
  known = {std::move(issued.token), now + std::min<std::chrono::seconds>(std::chrono::seconds(seconds * 4 / 5), kLongest)};
  return known.text;
}

// At most one look is planned; an earlier one than that which is due already is not needed, because lifetimes do not change.
void Agent::plan_token_refresh(PodRun& run) {
  if (run.tokens.empty() || run.refresh_at != base::MonoTime::max()) return;
  for (const auto& [key, token] : run.tokens) run.refresh_at = std::min(run.refresh_at, token.renew_at);
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(run.refresh_at - loop_.clock().mono());
  later(std::max(wait, std::chrono::milliseconds(0)) + std::chrono::milliseconds(1), run, [this](PodRun& due) { refresh_tokens(due); });
}

void Agent::refresh_tokens(PodRun& run) {
  run.refresh_at = base::MonoTime::max();
  if (run.stage != PodStage::kInit && run.stage != PodStage::kRunning) return;
  if (prepare(run).ok()) return;  // Plans the next.
  run.refresh_at = loop_.clock().mono() + kRetry;
  later(kRetry, run, [this](PodRun& due) { refresh_tokens(due); });
}

}  // namespace server
