// server/gateway/engine/exchange.h - one request's life: which route, may it, to which endpoint, once more if that failed, and
// the answer back. Works for any version of HTTP on either side (stream.h).
//
// It owns itself: begin() makes it, and it is buried when both sides are through. Loop thread only.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/gateway/engine/access_log.h"
#include "server/gateway/engine/deadlines.h"
#include "server/gateway/engine/lane.h"
#include "server/gateway/engine/stream.h"
#include "server/gateway/policy/limits.h"
#include "server/gateway/policy/request_origin.h"
#include "server/gateway/policy/template.h"
#include "server/gateway/table/matcher.h"

namespace server::gateway {

class MirrorRequest;
class AuthRequest;

// Sending one twice does no harm (by nginx's reading of the methods).
bool is_idempotent(std::string_view method);

class Exchange final : public Mortal {
 public:
  static void begin(LaneContext& lane, std::shared_ptr<const LiveListener> listener, std::shared_ptr<const LiveTable> table, Downstream& stream, RequestHead head);
  ~Exchange() override;

 private:
  // Two receivers, since both sides' events have the same names.
  struct ClientSide final : DownstreamEvents {
    explicit ClientSide(Exchange& e) : exchange(e) {}
    void on_body(std::string_view data, bool end) override { exchange.client_body(data, end, nullptr); }
    void on_trailers(const Headers& trailers) override { exchange.client_body({}, true, &trailers); }
    void on_drained() override { exchange.client_drained(); }
    void on_client_gone() override { exchange.client_gone(); }
    Exchange& exchange;
  };
  struct EndpointSide final : UpstreamEvents {
    explicit EndpointSide(Exchange& e) : exchange(e) {}
    void on_body(std::string_view data, bool end) override { exchange.endpoint_body(data, end); }
    void on_trailers(const Headers& trailers) override { exchange.endpoint_trailers(trailers); }
    void on_drained() override { exchange.endpoint_drained(); }
    void on_informational(int status, const Headers& headers) override { exchange.endpoint_informational(status, headers); }
    void on_head(ResponseHead head, bool end) override { exchange.endpoint_head(std::move(head), end); }
    void on_failure(Failure failure, std::string_view) override {
      exchange.upstream_ = nullptr;  // The stream is no more.
      exchange.attempt_failed(failure);
    }
    Exchange& exchange;
  };
  using Clock = std::chrono::steady_clock;

  Exchange(LaneContext& lane, std::shared_ptr<const LiveListener> listener, std::shared_ptr<const LiveTable> table, Downstream& stream, RequestHead head);

  // exchange.cc: the decision, and answers of our own.
  void decide();
  void act();
  void reply(int status);                                        // The page for that status.
  void reply(ResponseHead head, std::string_view body);
  void redirect(int status, std::string location);
  void finish();                                                 // Both sides are through.
  void end();
  void write_log();
  TemplateContext context() const;
  const ClientInfo& client() const { return origin_ ? origin_->client : stream_->client(); }  // With the address that is believed.

  // exchange_access.cc: who may. True: go on; false: answered, or waiting for another's answer.
  bool refuse(int status);                                       // Answers; false.
  bool check_client_certificate();
  bool check_redirect();
  bool check_limits();
  bool check_access();
  bool check_external();
  void external_answered(int status, const Headers& headers);
  friend class AuthRequest;
  void add_policy_headers(ResponseHead& head) const;

  // exchange_forward.cc: to the endpoint.
  void forward();
  void start_collecting();
  void choose_backend();
  void start_attempt();
  bool pick_endpoint();
  void build_request();
  void send_request();
  void start_mirrors();
  void client_body(std::string_view data, bool end, const Headers* trailers);
  void pass_body(std::string_view data, bool end, const Headers* trailers);
  void endpoint_drained();
  bool connecting() const { return connected_ && !connected_(); }
  void attempt_failed(Failure failure);
  void note_try(int status);
  bool can_be_sent_again() const;
  bool tries_left() const;
  bool may_retry(Failure failure) const;
  bool may_retry_status(int status) const;
  void retry(bool same_endpoint);
  void take_present_endpoints();
  UpstreamState& state_of_upstream() const { return (newer_ ? newer_ : table_)->state_of(*upstream_of_); }
  void give_up(int status);
  void attempt_deadline();
  void overall_deadline();
  void close_upstream();

  // exchange_answer.cc: and back.
  void endpoint_informational(int status, const Headers& headers);
  void endpoint_head(ResponseHead head, bool end);
  void edit_response(ResponseHead& head);
  bool intercept(int status);
  void ask_error_page(int status);
  void endpoint_body(std::string_view data, bool end);
  void endpoint_trailers(const Headers& trailers);
  void client_drained();
  void client_gone();
  void send_throttled();

  LaneContext& lane_;
  const std::shared_ptr<const LiveListener> listener_;
  const std::shared_ptr<const LiveTable> table_;
  Downstream* stream_;
  ClientSide client_side_{*this};
  EndpointSide endpoint_side_{*this};
  RequestHead request_;                 // As it came.
  const Clock::time_point began_;

  std::string path_;                    // Normalised.
  std::string request_id_;
  std::unique_ptr<const RequestOrigin> origin_;
  Matched matched_;
  const Policy* policy_ = nullptr;      // nullptr: no route.
  const Forward* forward_ = nullptr;    // Of the route, or of what counts without one.
  std::optional<ConnectionSlot> slot_;
  std::unique_ptr<AuthRequest> auth_;
  std::vector<HeaderChange> auth_headers_;                       // For the endpoint's request.
  std::vector<std::string> auth_cookies_;                        // For the answer.

  // The way out.
  const Backend* backend_ = nullptr;
  const Canary* canary_ = nullptr;
  UpstreamPtr upstream_of_;             // Where this attempt goes: the backend's, the fallback's or the error page's.
  std::shared_ptr<const LiveTable> newer_;  // The table that upstream_of_ is of, where it is not table_.
  Endpoint endpoint_;
  size_t endpoint_index_ = 0;
  std::vector<bool> tried_;
  RequestHead out_;                     // As the endpoint gets it.
  UpstreamStream* upstream_ = nullptr;
  std::function<bool()> connected_;
  bool reused_ = false;
  int attempts_ = 0, stale_ = 0;
  std::vector<EarlierTry> earlier_;     // For the log.
  bool trying_ = false;                 // What is sent to endpoint_ is not in there yet.
  bool retry_fresh_ = false;
  bool fell_back_ = false;              // The attempt goes to forward_->fallback.
  int error_status_ = 0;                // Not 0: the attempt fetches the page for it.
  std::string affinity_cookie_;         // To be set by the answer.

  std::string collected_;               // Body, while it may have to be sent again.
  Headers trailers_;
  bool collecting_ = false, collected_all_ = true, body_ended_ = false, continued_ = false;
  uint64_t body_size_ = 0;

  bool started_ = false;                // The answer's head is with the client.
  bool tunnel_ = false;
  bool over_ = false;
  int status_ = 0;
  uint64_t sent_ = 0;
  std::string throttled_;               // Waits for its time (bytes_per_second).
  bool throttled_end_ = false;
  Clock::time_point answer_began_, last_progress_, attempt_began_;

  Deadline attempt_deadline_, overall_deadline_, throttle_deadline_, try_deadline_;
  std::vector<MirrorRequest*> mirrors_;

 public:
  // The lane's list of live exchanges.
  Exchange* before = nullptr;
  Exchange* after = nullptr;
};

}  // namespace server::gateway
