// A server's and a client's session joined: requests, answers, backpressure, ends.
#include "tests/server/gateway/http2/rig.h"

namespace server::gateway::http2 {
namespace {

TEST(Http2, request_and_answer) {
  Pair pair;
  pair.server.handler.on_new = [](Received& r) {
    ResponseHead answer;
    answer.status = 201;
    answer.headers.add("X-Answer", "Yes");
    answer.headers.add("Connection", "x-hop");
    answer.headers.add("Keep-Alive", "1");
    answer.body = BodyKind::kLength;
    answer.length = 5;
    r.stream->send_head(answer, false);
    EXPECT_EQ(r.stream->send_body("hello", true), Flow::kOpen);
    r.close();
  };
  Answer& a = pair.open();
  RequestHead head = request("GET", "/path?q=1");
  head.authority = "Example.ORG:8080";
  head.headers.add("X-Mixed-Case", "Value");
  head.headers.add("Cookie", "a=1; b=2");
  head.accepts_trailers = true;
  a.stream->send_head(head, true);
  pair.settle();

  ASSERT_EQ(pair.server.handler.requests.size(), 1u);
  const RequestHead& got = pair.server.handler.last().head;
  EXPECT_EQ(got.method, "GET");
  EXPECT_EQ(got.target, "/path?q=1");
  EXPECT_EQ(got.authority, "example.org:8080");
  EXPECT_EQ(got.version, Version::kHttp2);
  EXPECT_EQ(got.body, BodyKind::kNone);
  EXPECT_TRUE(got.accepts_trailers);
  EXPECT_EQ(text_of(got.headers), " [x-mixed-case: Value] [cookie: a=1; b=2]");
  EXPECT_EQ(a.head.status, 201);
  EXPECT_TRUE(a.head.headers.has("date"));
  a.head.headers.remove("date");
  EXPECT_EQ(text_of(a.head.headers), " [x-answer: Yes]");
  EXPECT_EQ(a.head.body, BodyKind::kLength);
  EXPECT_EQ(a.head.length, 5u);
  EXPECT_EQ(a.body, "hello");
  EXPECT_TRUE(a.ended);
  EXPECT_EQ(pair.server.session.streams(), 0u);
  EXPECT_EQ(pair.client.streams(), 1u);  // Ours until it is closed.
  a.close();
  EXPECT_EQ(pair.client.streams(), 0u);
}

struct BodyRow {
  const char* name;
  const char* method;
  int status;
  BodyKind kind;
  uint64_t length;
  bool end;
  std::string want;
};

TEST(Http2, answers_without_body) {
  const BodyRow rows[] = {
      {"HEAD", "HEAD", 200, BodyKind::kLength, 17, false, "200 length=17 ended"},
      {"HEAD of a stream", "HEAD", 200, BodyKind::kStream, 0, false, "200 ended"},
      {"204", "GET", 204, BodyKind::kNone, 0, true, "204 ended"},
      {"304 with a length", "GET", 304, BodyKind::kLength, 9, true, "304 length=9 ended"},
      {"empty", "GET", 200, BodyKind::kLength, 0, true, "200 length=0 ended"},
      {"nothing said", "GET", 404, BodyKind::kNone, 0, true, "404 length=0 ended"},
  };
  for (const BodyRow& row : rows) {
    SCOPED_TRACE(row.name);
    Pair pair;
    pair.server.handler.on_new = [&row](Received& r) {
      ResponseHead answer;
      answer.status = row.status;
      answer.body = row.kind;
      answer.length = row.length;
      r.stream->send_head(answer, row.end);
      if (!row.end) r.stream->send_body("must not be sent", true);
      r.close();
    };
    Answer& a = pair.open();
    a.stream->send_head(request(row.method, "/"), true);
    pair.settle();
    std::string got = std::to_string(a.head.status);
    if (a.head.body == BodyKind::kLength) got += " length=" + std::to_string(a.head.length);
    if (a.ended) got += " ended";
    EXPECT_EQ(got, row.want);
    EXPECT_EQ(a.body, "");
    EXPECT_EQ(a.failure, "");
    a.close();
  }
}

TEST(Http2, bodies_and_trailers_both_ways) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    Pair pair({}, {}, seed);
    std::string up(300'000, 'u'), down(400'000, 'd');
    for (size_t i = 0; i < up.size(); ++i) up[i] = static_cast<char>('a' + i % 23);
    pair.server.handler.on_new = [&](Received& r) {
      r.stream->read_body(true);
      r.on_end = [&](Received& done) {
        ResponseHead answer;
        answer.body = BodyKind::kStream;
        done.stream->send_head(answer, false);
        done.stream->send_body(down, false);
        Headers trailers;
        trailers.add("Grpc-Status", "0");
        done.stream->send_trailers(trailers);
        done.close();
      };
    };
    Answer& a = pair.open();
    RequestHead head = request("POST", "/");
    head.body = BodyKind::kStream;
    head.accepts_trailers = true;
    a.stream->send_head(head, false);
    a.stream->send_body(up, false);
    Headers trailers;
    trailers.add("X-Sum", "7");
    a.stream->send_trailers(trailers);
    pair.settle();
    Received& r = pair.server.handler.last();
    EXPECT_EQ(r.head.body, BodyKind::kStream);
    EXPECT_TRUE(r.body == up);
    EXPECT_EQ(r.trailers, " [x-sum: 7]");
    EXPECT_TRUE(a.body == down);
    EXPECT_EQ(a.trailers, " [grpc-status: 0]");
    EXPECT_TRUE(a.ended);
    a.close();
    EXPECT_EQ(pair.server.session.streams() + pair.client.streams(), 0u);
  }
}

// gRPC: both directions interleaved on one stream.
TEST(Http2, messages_go_to_and_fro) {
  Pair pair;
  pair.server.handler.on_new = [](Received& r) {
    r.stream->read_body(true);
    ResponseHead answer;
    answer.body = BodyKind::kStream;
    r.stream->send_head(answer, false);
    r.on_data = [](Received& got) { got.stream->send_body("<" + std::exchange(got.body, "") + ">", false); };
    r.on_end = [](Received& done) {
      done.stream->send_body({}, true);
      done.close();
    };
  };
  Answer& a = pair.open();
  RequestHead head = request("POST", "/");
  head.body = BodyKind::kStream;
  a.stream->send_head(head, false);
  pair.cut = false;
  for (const char* message : {"one", "two", "three"}) {
    a.stream->send_body(message, false);
    pair.settle();
  }
  EXPECT_EQ(a.body, "<one><two><three>");
  EXPECT_FALSE(a.ended);
  a.stream->send_body({}, true);
  pair.settle();
  EXPECT_TRUE(a.ended);
}

TEST(Http2, informational_answers) {
  Pair pair;
  pair.server.handler.on_new = [](Received& r) {
    EXPECT_TRUE(r.head.expects_continue);
    r.stream->send_informational(100, Headers());
    Headers hints;
    hints.add("Link", "</a.css>");
    r.stream->send_informational(103, hints);
    r.stream->read_body(true);
    r.on_end = [](Received& done) { done.reply(200, "ok"); };
  };
  Answer& a = pair.open();
  RequestHead head = request("POST", "/");
  head.body = BodyKind::kLength;
  head.length = 3;
  head.headers.add("Expect", "100-continue");
  a.stream->send_head(head, false);
  pair.settle();
  EXPECT_EQ(a.informational, "100;103 [link: </a.css>];");
  EXPECT_FALSE(a.headed);
  a.stream->send_body("abc", true);
  pair.settle();
  EXPECT_EQ(pair.server.handler.last().body, "abc");
  EXPECT_EQ(pair.server.handler.last().head.length, 3u);
  EXPECT_EQ(a.body, "ok");
}

// What an endpoint answers, by hand.
TEST(Http2, answers_that_are_none) {
  struct Row {
    const char* name;
    std::string frames;
    Failure want;
  };
  std::string ok = frame(kHeaders, kEndHeaders, 1, block({{":status", "200"}}));
  const Row rows[] = {
      {"a status below 100", frame(kHeaders, kEndHeaders, 1, block({{":status", "055"}})), Failure::kInvalid},
      {"101", frame(kHeaders, kEndHeaders, 1, block({{":status", "101"}})), Failure::kInvalid},
      {"no status", frame(kHeaders, kEndHeaders, 1, block({{"x", "1"}})), Failure::kInvalid},
      {"a head of another connection's kind", frame(kHeaders, kEndHeaders, 1, block({{":status", "200"}, {"connection", "close"}})), Failure::kInvalid},
      {"data before the head", frame(kData, 0, 1, "x"), Failure::kInvalid},
      {"too large", frame(kHeaders, kEndHeaders, 1, block({{":status", "200"}, {"x", std::string(5000, 'x')}})), Failure::kTooLarge},
      {"less than its length", frame(kHeaders, kEndHeaders, 1, block({{":status", "200"}, {"content-length", "5"}})) + frame(kData, kEndStream, 1, "abc"), Failure::kInvalid},
      {"refused", frame(kReset, 0, 1, std::string("\0\0\0\7", 4)), Failure::kStale},
      {"refused in the middle", ok + frame(kReset, 0, 1, std::string("\0\0\0\7", 4)), Failure::kReset},
      {"given up", ok + frame(kData, 0, 1, "x") + frame(kReset, 0, 1, std::string("\0\0\0\2", 4)), Failure::kReset},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Carried carried;
    SessionOptions options;
    options.header_list = 4000;
    ClientSession session(options, carried, false);
    Answer a;
    Socket::Turn turn;
    a.stream = session.open_stream(&a);
    a.stream->send_head(request("GET", "/"), true);
    std::string out;
    session.take_output(&out, 1 << 20);
    session.feed(frame(kSettings, 0, 0, "") + row.frames);
    session.take_output(&out, 1 << 20);
    if (session.finished()) session.fail_all(session.why().empty() ? Failure::kReset : Failure::kInvalid, "ended");  // As Http2Client does.
    EXPECT_NE(a.failure, "");
    EXPECT_EQ(static_cast<int>(a.kind), static_cast<int>(row.want)) << a.failure;
    EXPECT_FALSE(a.ended);
    EXPECT_EQ(session.streams(), 0u);
  }
}

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
  EXPECT_EQ(late.kind, Failure::kStale);
  EXPECT_NE(late.failure, "");
  EXPECT_EQ(later.kind, Failure::kStale);
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
  EXPECT_EQ(second.kind, Failure::kStale);
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

// ---- Tunnels -----------------------------------------------------------------------------------------------------

TEST(Http2, websockets) {
  Pair pair;
  pair.get("/warm");
  pair.settle();  // Its SETTINGS have come.
  pair.server.handler.on_new = [](Received& r) {
    EXPECT_EQ(r.head.method, "GET");
    EXPECT_EQ(r.head.upgrade, "websocket");
    EXPECT_EQ(r.head.headers.find("sec-websocket-key").value_or("").size(), 24u);
    ResponseHead answer;
    answer.status = 101;
    answer.upgrade = true;
    answer.upgrade_protocol = "websocket";
    answer.headers.add("Sec-WebSocket-Accept", "for HTTP/1.1 only");
    answer.headers.add("Sec-WebSocket-Protocol", "chat");
    r.stream->send_head(answer, false);
    r.stream->read_body(true);
    r.on_data = [](Received& got) { got.stream->send_body(std::exchange(got.body, ""), false); };
    r.on_end = [](Received& done) {
      done.stream->send_body({}, true);
      done.close();
    };
  };
  Answer& a = pair.open();
  RequestHead head = request("GET", "/chat");
  head.upgrade = "websocket";
  head.headers.add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
  head.headers.add("Sec-WebSocket-Version", "13");
  a.stream->send_head(head, true);
  a.stream->send_body("ping", false);
  pair.settle();
  EXPECT_EQ(a.head.status, 101);
  EXPECT_TRUE(a.head.upgrade);
  EXPECT_EQ(a.head.headers.find("sec-websocket-accept").value_or(""), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(a.head.headers.find("sec-websocket-protocol").value_or(""), "chat");
  EXPECT_EQ(a.body, "ping");
  EXPECT_FALSE(a.ended);
  a.stream->send_body({}, true);
  pair.settle();
  EXPECT_TRUE(a.ended);
}

}  // namespace
}  // namespace server::gateway::http2
