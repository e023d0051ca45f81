// A server's and a client's session joined: who is slow, how many, and how it ends.
#include "tests/server/gateway/http2/rig.h"

namespace server::gateway::http2 {
namespace {

// ---- Backpressure ------------------------------------------------------------------------------------------------

TEST(Http2, a_body_that_is_not_read_stops_at_the_window) {
  SessionOptions options;
  Pair pair(options);
  Answer& a = pair.open();
  RequestHead head = request("POST", "/");
  head.body = BodyKind::kStream;
  a.stream->send_head(head, false);
  size_t sent = 0;
  bool full = false;
  std::string piece(10'000, 'x');
  auto send = [&](Answer& to) {
    full = false;
    while (!full && sent < 2'000'000) {
      full = to.stream->send_body(piece, false) == Flow::kFull;
      sent += piece.size();
    }
  };
  a.on_drain = send;
  send(a);
  EXPECT_TRUE(full);
  EXPECT_LE(sent, 64u * 1024 + piece.size());  // Nothing is on its way yet.
  pair.settle();
  Received& r = pair.server.handler.last();
  EXPECT_EQ(r.body, "");
  EXPECT_TRUE(full);
  EXPECT_LE(sent, options.stream_window + 64u * 1024 + piece.size());
  EXPECT_GE(sent, options.stream_window);
  // Another stream of the same connection is not held up by it.
  Answer& other = pair.get("/other");
  pair.server.handler.on_new = [](Received& got) { got.reply(200, "other"); };
  pair.settle();
  EXPECT_EQ(other.body, "other");
  // And now it is read.
  r.stream->read_body(true);
  pair.settle();
  EXPECT_EQ(sent, 2'000'000u);
  EXPECT_EQ(r.body.size(), sent);
  EXPECT_GT(a.drained, 0);
  // Stopped in the middle again: what comes afterwards is at most the window.
  r.stream->read_body(false);
  size_t before = r.body.size();
  sent = 0;
  send(a);
  pair.settle();
  EXPECT_EQ(r.body.size(), before);
  r.stream->read_body(true);
  pair.settle();
  EXPECT_EQ(r.body.size(), before + 2'000'000);
  r.close();
  a.close();
}

TEST(Http2, an_answer_that_is_not_read_stops_the_server) {
  Pair pair;
  size_t sent = 0;
  bool full = false;
  auto send = [&](Received& r) {
    full = false;
    while (!full && sent < 3'000'000) {
      full = r.stream->send_body(std::string(8'000, 'y'), false) == Flow::kFull;
      sent += 8'000;
    }
    if (full) return;
    r.stream->send_body({}, true);
    r.close();
  };
  pair.server.handler.on_new = [&](Received& r) {
    ResponseHead answer;
    answer.body = BodyKind::kStream;
    r.stream->send_head(answer, false);
    r.on_drain = send;
    send(r);
  };
  Answer& a = pair.get("/");
  a.stream->read_body(false);
  pair.settle();
  EXPECT_TRUE(a.headed);
  EXPECT_EQ(a.body, "");
  EXPECT_TRUE(full);
  EXPECT_LT(sent, 500'000u);
  a.stream->read_body(true);
  pair.settle();
  EXPECT_TRUE(a.ended);
  EXPECT_EQ(a.body.size(), 3'000'000u);
}

TEST(Http2, held_bodies_end_the_exchange_from_within) {
  Pair pair;
  pair.server.handler.on_new = [](Received& r) {
    r.on_data = [](Received& got) { got.reply(413, "no"); };  // While more is held.
  };
  Answer& a = pair.open();
  RequestHead head = request("POST", "/");
  head.body = BodyKind::kStream;
  a.stream->send_head(head, false);
  a.stream->send_body(std::string(200'000, 'x'), false);
  pair.settle();
  pair.server.handler.last().stream->read_body(true);
  pair.settle();
  EXPECT_EQ(a.head.status, 413);
  EXPECT_EQ(a.body, "no");
  EXPECT_TRUE(a.ended);
  a.close();
  pair.settle();
  EXPECT_EQ(pair.server.session.streams() + pair.client.streams(), 0u);
  EXPECT_EQ(pair.server.session.why(), "");
}

// A client that goes on sending after the answer is told to stop, and the connection's window does not shrink by it.
TEST(Http2, early_answers_leave_the_window_whole) {
  Pair pair;
  pair.server.handler.on_new = [](Received& r) { r.reply(401, "who"); };
  for (int i = 0; i < 200; ++i) {
    Answer& a = pair.open();
    RequestHead head = request("POST", "/");
    head.body = BodyKind::kStream;
    a.stream->send_head(head, false);
    a.stream->send_body(std::string(100'000, 'x'), false);
    pair.settle();
    ASSERT_EQ(a.body, "who") << i << a.failure;
    a.close();
  }
  EXPECT_EQ(pair.server.session.why(), "");
}

// It may send on for a while, so that it reads the answer first; then it is stopped.
TEST(Http2, after_the_answer_only_so_much_is_read) {
  Pair pair;
  pair.server.handler.on_new = [](Received& r) { r.reply(401, "who"); };
  Answer& a = pair.open();
  RequestHead head = request("POST", "/");
  head.body = BodyKind::kStream;
  a.stream->send_head(head, false);
  a.stream->send_body(std::string(300'000, 'x'), false);
  pair.settle();
  EXPECT_TRUE(a.ended);
  EXPECT_EQ(pair.server.session.streams(), 1u);
  a.stream->send_body(std::string(900'000, 'x'), false);
  pair.settle();
  EXPECT_EQ(pair.server.session.streams(), 0u);
  EXPECT_EQ(a.body, "who");
  EXPECT_EQ(a.failure, "");
  EXPECT_EQ(pair.server.session.why(), "");
}

TEST(Http2, after_a_good_answer_nothing_more_is_read) {
  Pair pair;
  pair.server.handler.on_new = [](Received& r) { r.reply(200, "done"); };
  Answer& a = pair.open();
  RequestHead head = request("POST", "/");
  head.body = BodyKind::kStream;
  a.stream->send_head(head, false);
  a.stream->send_body(std::string(1'000, 'x'), false);
  pair.settle();
  EXPECT_EQ(a.body, "done");
  EXPECT_TRUE(a.ended);
  EXPECT_EQ(pair.server.session.streams(), 0u);
}

// ---- Many --------------------------------------------------------------------------------------------------------

TEST(Http2, a_thousand_streams) {
  SessionOptions options;
  options.streams = 1000;
  Pair pair(options);
  std::deque<Received*> waiting;
  pair.server.handler.on_new = [&](Received& r) { waiting.push_back(&r); };
  pair.get("/first");
  pair.settle();
  for (int i = 1; i < 1000; ++i) {
    ASSERT_TRUE(pair.client.has_room()) << i;
    pair.get("/" + std::to_string(i));
  }
  EXPECT_FALSE(pair.client.has_room());
  pair.settle();
  ASSERT_EQ(waiting.size(), 1000u);
  while (!waiting.empty()) {  // Backwards.
    waiting.back()->reply(200, waiting.back()->head.target);
    waiting.pop_back();
  }
  pair.settle();
  for (int i = 1; i < 1000; ++i) {
    EXPECT_EQ(pair.answers[static_cast<size_t>(i)]->body, "/" + std::to_string(i));
    pair.answers[static_cast<size_t>(i)]->close();
  }
  EXPECT_TRUE(pair.client.has_room());
}

TEST(Http2, the_limit_of_streams_is_the_servers) {
  SessionOptions options;
  options.streams = 2;
  Pair pair(options);
  pair.get("/0");
  pair.settle();
  EXPECT_TRUE(pair.client.has_room());
  pair.get("/1");
  EXPECT_FALSE(pair.client.has_room());
  Answer& waits = pair.get("/2");
  pair.settle();
  EXPECT_EQ(pair.server.handler.requests.size(), 2u);
  pair.server.handler.requests[0]->reply(200);
  pair.settle();
  EXPECT_EQ(pair.server.handler.requests.size(), 3u);
  EXPECT_EQ(waits.failure, "");
  // One that waits can be given up without the server's ever seeing it.
  Answer& never = pair.get("/3");
  never.close();
  pair.server.handler.requests[1]->reply(200);
  pair.settle();
  EXPECT_EQ(pair.server.handler.requests.size(), 3u);
}

// ---- Ends --------------------------------------------------------------------------------------------------------

TEST(Http2, a_client_that_goes_is_told_of) {
  Pair pair;
  Answer& a = pair.get("/");
  pair.settle();
  a.close();
  pair.settle();
  EXPECT_TRUE(pair.server.handler.last().gone);
  EXPECT_EQ(pair.server.session.streams(), 0u);
}

TEST(Http2, an_answer_that_is_cut_does_not_look_whole) {
  Pair pair;
  pair.server.handler.on_new = [](Received& r) {
    ResponseHead answer;
    answer.body = BodyKind::kStream;
    r.stream->send_head(answer, false);
    r.stream->send_body("half", false);
  };
  Answer& a = pair.get("/");
  pair.settle();
  EXPECT_EQ(a.body, "half");
  std::exchange(pair.server.handler.last().stream, nullptr)->abort();
  pair.settle();
  EXPECT_FALSE(a.ended);
  EXPECT_EQ(a.kind, Failure::kReset);
  EXPECT_NE(a.failure, "");
  EXPECT_EQ(pair.client.streams() + pair.server.session.streams(), 0u);
  EXPECT_TRUE(pair.client.has_room());
}

TEST(Http2, goodbye_lets_the_running_ones_finish) {
  Pair pair;
  Answer& running = pair.get("/running");
  pair.settle();
  {
    Socket::Turn turn;
    pair.server.session.shut_down();
  }
  Answer& crossing = pair.get("/crossing");  // Sent before the client could know.
  pair.settle();
  EXPECT_FALSE(pair.client.has_room());
  EXPECT_EQ(pair.server.handler.requests.size(), 2u);
  EXPECT_FALSE(pair.server.session.finished());
  for (auto& r : pair.server.handler.requests) r->reply(200, "done");
  pair.settle();
  EXPECT_EQ(running.body, "done");
  EXPECT_EQ(crossing.body, "done");
  EXPECT_TRUE(pair.server.session.finished());
  EXPECT_TRUE(pair.client.finished());
}

TEST(Http2, streams_above_the_last_one_are_safe_to_send_again) {
  Pair pair;
  Answer& running = pair.get("/running");
  pair.settle();
  Answer& late = pair.get("/late");
  {
    Socket::Turn turn;
    pair.server.session.force_shut_down();
    std::string bytes;
    pair.server.session.take_output(&bytes, 1 << 20);
    pair.client.feed(bytes);  // Before the late one has been sent.
  }
  Answer& later = pair.get("/later");
  pair.settle();
  EXPECT_EQ(late.kind, Failure::kUnprocessed);
  EXPECT_NE(late.failure, "");
  EXPECT_EQ(later.kind, Failure::kUnprocessed);
  EXPECT_NE(later.failure, "");
  EXPECT_EQ(running.failure, "");
  EXPECT_EQ(pair.server.handler.requests.size(), 1u);
  pair.server.handler.last().reply(200, "done");
  pair.settle();
  EXPECT_EQ(running.body, "done");
}

TEST(Http2, refused_streams_are_safe_to_send_again) {
  SessionOptions few;
  few.streams = 1;
  Pair pair(few);
  pair.get("/0");
  Answer& second = pair.get("/1");  // The server's limit is not known yet.
  pair.settle();
  EXPECT_EQ(second.kind, Failure::kUnprocessed);
  EXPECT_NE(second.failure, "");
}

TEST(Http2, a_connection_that_breaks_fails_all) {
  Pair pair;
  Answer& first = pair.get("/0");
  Answer& second = pair.get("/1");
  Answer& third = pair.get("/2");
  pair.server.handler.on_new = [](Received& r) {
    if (r.head.target == "/2") r.stream->send_head(ResponseHead(), false);
  };
  pair.settle();
  Socket::Turn turn;
  pair.client.fail_all(Failure::kReset, "gone");
  pair.server.session.fail_all(Failure::kReset, "gone");
  EXPECT_EQ(first.kind, Failure::kReset);   // The connection was new.
  EXPECT_EQ(second.kind, Failure::kStale);  // It was not, and no byte of an answer had come.
  EXPECT_EQ(third.kind, Failure::kReset);
  for (auto& r : pair.server.handler.requests) EXPECT_TRUE(r->gone);
  EXPECT_EQ(pair.client.streams() + pair.server.session.streams(), 0u);
}

// The endpoint has answered and gone; whoever waits for the answer takes it slowly.
TEST(Http2, whole_answers_outlive_their_connection) {
  Pair pair;
  pair.server.handler.on_new = [](Received& r) { r.reply(200, std::string(100'000, 'x')); };
  Answer& slow = pair.get("/");
  slow.stream->read_body(false);
  pair.settle();
  EXPECT_EQ(slow.body, "");
  pair.server.handler.on_new = [](Received&) {};
  Answer& other = pair.get("/other");
  pair.settle();
  {
    Socket::Turn turn;
    pair.client.fail_all(Failure::kReset, "gone");
  }
  EXPECT_NE(other.failure, "");
  EXPECT_EQ(slow.failure, "");
  pair.client_carried.later = false;
  Socket::Turn turn;
  slow.stream->read_body(true);
  EXPECT_TRUE(std::exchange(pair.client_carried.later, false));
  pair.client.run_later();
  EXPECT_EQ(slow.body.size(), 100'000u);
  EXPECT_TRUE(slow.ended);
  EXPECT_FALSE(pair.client_carried.later);
  slow.close();
  EXPECT_TRUE(pair.client_carried.later);  // The owner can go too.
  EXPECT_EQ(pair.client.streams(), 0u);
}

}  // namespace
}  // namespace server::gateway::http2
