// libFuzzer: any frames to either side of an HTTP/2 session. What reaches the handler cannot be mistaken for something else in
// HTTP/1.1, bodies stay within the window, every stream ends once, and nothing is left.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "server/gateway/http1/characters.h"
#include "server/gateway/http1/parser.h"
#include "server/gateway/http2/client_session.h"
#include "server/gateway/http2/server_session.h"

namespace {

using namespace server::gateway;
using http2::ClientSession;
using http2::ServerSession;

void require(bool holds) {
  if (!holds) abort();
}

constexpr uint32_t kWindow = 4096;

struct Carrier final : http2::Session::Carrier {
  bool later = false;
  void want_output() override {}
  void want_later() override { later = true; }
};

void check_headers(const Headers& headers) {
  for (size_t i = 0; i < headers.size(); ++i) {
    require(http1::is_token(headers[i].name));
    require(http1::all_of(headers[i].value, http1::kValueBytes));
    for (const char* hop : {"connection", "transfer-encoding", "content-length", "upgrade", "host"}) require(!equal_names(headers[i].name, hop));
  }
}

struct Request final : DownstreamEvents {
  Downstream* stream = nullptr;
  uint8_t habits = 0;
  uint64_t length = UINT64_MAX, got = 0;
  bool over = false, ended = false;

  void on_body(std::string_view data, bool end) override {
    require(!over && !ended);
    got += data.size();
    require(length == UINT64_MAX || got <= length);
    ended = end;
    if (end && length != UINT64_MAX) require(got == length);
    if ((habits & 8) != 0 && got > 2) return finish();
    if (end) answer();
  }
  void on_trailers(const Headers& trailers) override {
    check_headers(trailers);
    on_body({}, true);
  }
  void on_drained() override { require(!over); }
  void on_client_gone() override {
    require(!over);
    over = true;
  }
  void answer() {
    ResponseHead head;
    head.body = BodyKind::kStream;
    head.headers.add("X-A", "b");
    stream->send_head(head, false);
    stream->send_body("some text", (habits & 1) != 0);
    if ((habits & 1) == 0) stream->send_trailers(head.headers);
    finish();
  }
  void finish() {
    over = true;
    if ((habits & 2) != 0) stream->abort();
    else stream->close();
  }
};

struct Handler final : RequestHandler {
  std::vector<std::unique_ptr<Request>> requests;
  void on_request(Downstream& stream, RequestHead head) override {
    require(http1::is_token(head.method) && http1::is_authority(head.authority));
    require(!head.target.empty() && http1::all_of(head.target, http1::kTargetBytes) && (head.target[0] == '/' || head.target == "*"));
    check_headers(head.headers);
    auto request = std::make_unique<Request>();
    request->stream = &stream;
    request->habits = static_cast<uint8_t>(head.target.back());
    if (head.body == BodyKind::kLength) request->length = head.length;
    stream.set_events(request.get());
    Request* raw = request.get();
    requests.push_back(std::move(request));
    if (!head.has_body() && head.upgrade.empty()) raw->answer();
    else stream.read_body((raw->habits & 4) == 0);
  }
};

struct Answer final : UpstreamEvents {
  bool headed = false, ended = false;
  void on_informational(int status, const Headers& headers) override {
    require(!headed && status >= 100 && status < 200);
    check_headers(headers);
  }
  void on_head(ResponseHead head, bool end) override {
    require(!headed && !ended && head.status >= 200);
    headed = true;
    ended = end;
    check_headers(head.headers);
  }
  void on_body(std::string_view, bool end) override {
    require(headed && !ended);
    ended = end;
  }
  void on_trailers(const Headers& trailers) override {
    check_headers(trailers);
    on_body({}, true);
  }
  void on_drained() override { require(!ended); }
  void on_failure(Failure, std::string_view) override {
    require(!ended);
    ended = true;
  }
};

// The bytes in pieces; what it answers is looked at only for its size.
void run(http2::Session& session, Carrier& carrier, std::string_view bytes, size_t piece) {
  while (!bytes.empty() && !session.finished()) {
    Socket::Turn turn;
    size_t size = std::min(piece, bytes.size());
    session.feed(bytes.substr(0, size));
    bytes.remove_prefix(size);
    std::string out;
    if (piece % 3 != 0) session.take_output(&out, 1 << 20);
    require(out.size() <= (2u << 20));
    if (std::exchange(carrier.later, false)) session.run_later();
  }
  Socket::Turn turn;
  std::string out;
  session.take_output(&out, 1 << 20);
  session.fail_all(Failure::kReset, "the end");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  size_t piece = size_t{data[1]} + 1;
  http2::SessionOptions options;
  options.stream_window = kWindow;
  Carrier carrier;
  if (data[0] % 2 == 0) {
    ClientInfo client;
    Handler handler;
    http2::Refusals refusals;
    ServerSession session(options, carrier, client, handler, refusals);
    {
      Socket::Turn turn;
      session.feed(std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33));
    }
    run(session, carrier, bytes, piece);
    require(session.streams() == 0);
    for (auto& request : handler.requests) require(request->over);
    return 0;
  }
  ClientSession session(options, carrier, false);
  Answer answers[3];
  {
    Socket::Turn turn;
    for (Answer& answer : answers) {
      UpstreamStream* stream = session.open_stream(&answer);
      RequestHead head;
      head.method = &answer == answers ? "HEAD" : "POST";
      head.target = "/";
      head.authority = "a";
      bool whole = &answer == answers;
      if (!whole) head.body = BodyKind::kStream;
      stream->send_head(head, whole);
      if (!whole) stream->send_body("text", &answer == answers + 1);
    }
    std::string out;
    session.take_output(&out, 1 << 20);
  }
  run(session, carrier, bytes, piece);
  for (Answer& answer : answers) require(answer.ended);
  return 0;
}
