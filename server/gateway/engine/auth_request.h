// server/gateway/engine/auth_request.h - asks another service whether a request may go on (auth-url), or remembers what it said.
//
// Belongs to its exchange; tells it once. Loop thread only.
#pragma once

#include <string>
#include <string_view>

#include "server/gateway/engine/deadlines.h"
#include "server/gateway/engine/lane.h"
#include "server/gateway/engine/stream.h"
#include "server/gateway/policy/external.h"

namespace server::gateway {

class Exchange;

class AuthRequest final : public UpstreamEvents, public Mortal {
 public:
  AuthRequest(Exchange& exchange, LaneContext& lane, const ExternalAuth& rules, UpstreamState& state);
  ~AuthRequest() override;
  // True: it may go on at once. False: the exchange is told, now or later.
  bool begin(const TemplateContext& context);

 private:
  void answer(int status, const Headers& headers);
  void on_informational(int, const Headers&) override {}
  void on_head(ResponseHead head, bool end) override;
  void on_body(std::string_view, bool) override {}
  void on_trailers(const Headers&) override {}
  void on_drained() override {}
  void on_failure(Failure failure, std::string_view text) override;

  Exchange& exchange_;
  LaneContext& lane_;
  const ExternalAuth& rules_;
  UpstreamState& state_;
  UpstreamStream* upstream_ = nullptr;
  std::string cache_key_;
  Deadline deadline_;
};

}  // namespace server::gateway
