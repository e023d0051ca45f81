// A server's and a client's session joined: requests, answers, tunnels.
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
      {"less than its length", frame(kHeaders, kEndHeaders, 1, block({{":status", "200"}, {"content-length", "5"}})) + frame(kData, kEndStream, 1, "abc"),
       Failure::kInvalid},
      {"refused", frame(kReset, 0, 1, std::string("\0\0\0\7", 4)), Failure::kUnprocessed},
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
