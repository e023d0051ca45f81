// server/gateway/engine/mirror_request.h - a copy of a request for somebody else, whose answer is read and thrown away. It
// owns itself, and must not slow the original down: what its endpoint does not take in time is given up.
//
// Loop thread only.
#pragma once

#include <string>
#include <string_view>

#include "server/gateway/engine/deadlines.h"
#include "server/gateway/engine/lane.h"
#include "server/gateway/engine/stream.h"
#include "server/gateway/policy/template.h"

namespace server::gateway {

class MirrorRequest final : public UpstreamEvents, public Mortal {
 public:
  // `head`: as the endpoint of the original gets it. nullptr: not this time (its share, or nowhere to go).
  static MirrorRequest* start(LaneContext& lane, const LiveTable& table, const Mirror& mirror, const RequestHead& head, const TemplateContext& context);

  void send_body(std::string_view data, bool end);
  // The original is over; nobody calls again. `whole`: its body was passed to the end.
  void forget_source(bool whole);

 private:
  MirrorRequest(LaneContext& lane, bool wants_body);
  void end();
  void on_informational(int, const Headers&) override {}
  void on_head(ResponseHead, bool last) override;
  void on_body(std::string_view, bool last) override;
  void on_trailers(const Headers&) override;
  void on_drained() override { full_ = 0; }
  void on_failure(Failure failure, std::string_view text) override;

  LaneContext& lane_;
  UpstreamPtr upstream_of_;
  UpstreamStream* upstream_ = nullptr;
  const bool wants_body_;
  bool source_gone_ = false, over_ = false, body_ended_ = false;
  size_t full_ = 0;      // Sent since the endpoint took no more.
  Deadline deadline_;
};

}  // namespace server::gateway
