// What a client must not send, byte by byte: broken frames, requests that are none, floods.
#include "tests/server/gateway/http2/rig.h"

namespace server::gateway::http2 {
namespace {

// "GET /x host=a length=3 [n: v]", or how it was refused.
std::string ask(const Fields& fields, bool end = true, const SessionOptions& options = {}) {
  Raw raw(options);
  std::string frames = raw.feed(kPreface + frame(kHeaders, static_cast<uint8_t>(kEndHeaders | (end ? kEndStream : 0)), 1, block(fields)));
  if (raw.handler.requests.empty()) return frames;
  const RequestHead& head = raw.handler.last().head;
  std::string out = head.method + " " + head.target + " host=" + head.authority;
  if (head.body == BodyKind::kLength) out += " length=" + std::to_string(head.length);
  if (head.body == BodyKind::kStream) out += " stream";
  if (!head.upgrade.empty()) out += " upgrade=" + head.upgrade;
  if (head.expects_continue) out += " continue";
  if (head.accepts_trailers) out += " trailers";
  Headers headers = head.headers;
  headers.remove("sec-websocket-key");
  return out + text_of(headers) + (frames.empty() ? "" : " " + frames);
}

struct Row {
  const char* name;
  Fields fields;
  bool end;
  const char* want;
};

const Fields kConnect = {{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "http"}, {":path", "/chat"}, {":authority", "a"}};
const Fields kPost = {{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};
Fields to_path(const char* path, const char* method = "GET") { return {{":method", method}, {":scheme", "http"}, {":path", path}, {":authority", "a"}}; }
Fields to_host(const char* authority) { return {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", authority}}; }

TEST(Http2Requests, rows) {
  const Fields no_authority = {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}};
  const Row rows[] = {
      {"plain", kGet, true, "GET / host=a"},
      {"fields", with(kGet, {{"x", "1"}, {"y", ""}}), true, "GET / host=a [x: 1] [y: ]"},
      {"authority is lower-case", to_host("EXAMPLE.org:8443"), true, "GET / host=example.org:8443"},
      {"an address", to_host("[::1]:80"), true, "GET / host=[::1]:80"},
      {"host instead", with(no_authority, {{"host", "B"}}), true, "GET / host=b"},
      {"both the same", with(kGet, {{"host", "A"}}), true, "GET / host=a"},
      {"both and different", with(kGet, {{"host", "b"}}), true, "HEADERS1 400."},
      {"neither", no_authority, true, "RST1=1"},
      {"crumbs", with(kGet, {{"cookie", "a=1"}, {"x", "1"}, {"cookie", "b=2"}}), true, "GET / host=a [x: 1] [cookie: a=1; b=2]"},
      {"te", with(kGet, {{"te", "trailers"}}), true, "GET / host=a trailers"},
      {"te gzip", with(kGet, {{"te", "gzip"}}), true, "RST1=1"},
      {"a body", kPost, false, "POST / host=a stream"},
      {"a body of a length", with(kPost, {{"content-length", "3"}}), false, "POST / host=a length=3"},
      {"an empty one", with(kPost, {{"content-length", "0"}}), true, "POST / host=a length=0"},
      {"expects", with(kPost, {{"content-length", "3"}, {"expect", "100-continue"}}), false, "POST / host=a length=3 continue"},
      {"options *", to_path("*", "OPTIONS"), true, "OPTIONS * host=a"},
      {"websocket", kConnect, false, "GET /chat host=a upgrade=websocket"},
      // Refused.
      {"connect", {{":method", "CONNECT"}, {":authority", "a:80"}}, false, "HEADERS1 501."},
      {"another protocol", {{":method", "CONNECT"}, {":protocol", "connect-udp"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}}, false,
       "HEADERS1 501."},
      {"a length and no body", with(kPost, {{"content-length", "3"}}), true, "RST1=1"},
      {"two lengths", with(kPost, {{"content-length", "3"}, {"content-length", "3"}}), false, "RST1=1"},
      {"a length that is none", with(kPost, {{"content-length", "+3"}}), false, "RST1=1"},
      {"get *", to_path("*"), true, "RST1=1"},
      {"no slash", to_path("x"), true, "RST1=1"},
      {"an empty path", to_path(""), true, "RST1=1"},
      {"a space in the path", to_path("/a b"), true, "RST1=1"},
      {"a line in the path", to_path("/a\r\nX: y"), true, "RST1=1"},
      {"a fragment", to_path("/a#b"), true, "HEADERS1 400."},
      {"a method with a space", to_path("/", "GET /x"), true, "RST1=1"},
      {"userinfo", to_host("u@a"), true, "HEADERS1 400."},
      {"a path in the authority", to_host("a/b"), true, "RST1=1"},
      {"connection", with(kGet, {{"connection", "close"}}), true, "RST1=1"},
      {"transfer-encoding", with(kPost, {{"transfer-encoding", "chunked"}}), false, "RST1=1"},
      {"upgrade", with(kGet, {{"upgrade", "h2c"}}), true, "RST1=1"},
      {"keep-alive", with(kGet, {{"keep-alive", "1"}}), true, "RST1=1"},
      {"proxy-connection", with(kGet, {{"proxy-connection", "x"}}), true, "RST1=1"},
      {"upper case", with(kGet, {{"X-Upper", "1"}}), true, "RST1=1"},
      {"a line in a value", with(kGet, {{"x", "1\r\ny: 2"}}), true, "RST1=1"},
      {"a NUL in a value", with(kGet, {{"x", std::string("1\0", 2)}}), true, "RST1=1"},
      {"a colon in a name", with(kGet, {{"x:y", "1"}}), true, "RST1=1"},
      {"an unknown pseudo-header", with(kGet, {{":x", "1"}}), true, "RST1=1"},
      {"twice the same", with(kGet, {{":path", "/b"}}), true, "RST1=1"},
      {"pseudo after a field", {{":method", "GET"}, {":scheme", "http"}, {"x", "1"}, {":path", "/"}, {":authority", "a"}}, true, "RST1=1"},
      {"a status", with(kGet, {{":status", "200"}}), true, "RST1=1"},
      {"no method", {{":scheme", "http"}, {":path", "/"}, {":authority", "a"}}, true, "RST1=1"},
  };
  for (const Row& row : rows) EXPECT_EQ(ask(row.fields, row.end), row.want) << row.name;
}

TEST(Http2Requests, large_heads) {
  auto sized = [](size_t size) { return with(kGet, {{"x", std::string(size, 'x')}}); };
  // 4 pseudo-headers: 42 + 43 + 38 + 43 bytes as the limit counts; and 33 for the name.
  EXPECT_EQ(ask(sized(200), true, {.header_list = 400}).substr(0, 4), "GET ");
  EXPECT_EQ(ask(sized(400), true, {.header_list = 400}), "HEADERS1 431.");
  EXPECT_EQ(ask(sized(4000), true, {.header_list = 400}), "GOAWAY0=11");
  // Many small ones.
  Fields many = kGet;
  for (int i = 0; i < 100; ++i) many.push_back({"a", ""});
  EXPECT_EQ(ask(many, true, {.header_list = 1000}), "HEADERS1 431.");
  // A small index entry that stands for a lot: counted as what it becomes.
  Raw raw;
  std::string bomb = block(kGet);
  bomb += std::string("\x40\x01", 2) + "x";  // Into the table.
  bomb += "\x7f" + std::string("\xa1\x1e", 2) + std::string(4000, 'y');
  for (int i = 0; i < 1000; ++i) bomb += "\xbe";
  EXPECT_EQ(raw.feed(kPreface + frame(kHeaders, kEndStream | kEndHeaders, 1, bomb)), "GOAWAY0=11");
  EXPECT_NE(raw.session.why(), "");
  EXPECT_TRUE(raw.session.finished());
}

TEST(Http2Requests, the_connection_goes_on_after_a_refused_one) {
  Raw raw({.header_list = 1000});
  raw.handler.on_new = [](Received& r) { r.reply(204); };
  Fields large = with(kGet, {{"x", std::string(2000, 'x')}});
  EXPECT_EQ(raw.feed(kPreface + frame(kHeaders, kEndStream | kEndHeaders, 1, block(large))), "HEADERS1 431.");
  EXPECT_EQ(raw.feed(frame(kHeaders, kEndStream | kEndHeaders, 3, block(with(kGet, {{"Bad", ""}})))), "RST3=1");
  EXPECT_EQ(raw.feed(frame(kHeaders, kEndStream | kEndHeaders, 5, block(kGet))), "HEADERS5.");
  EXPECT_EQ(raw.session.streams(), 0u);
}

struct Broken {
  const char* name;
  std::string bytes;
  const char* want;  // A part.
};

TEST(Http2Frames, broken_ones_end_the_connection) {
  std::string head = frame(kHeaders, kEndHeaders, 1, block(kGet));
  const Broken rows[] = {
      {"DATA on stream 0", frame(kData, 0, 0, "x"), "GOAWAY0=1"},
      {"DATA on a stream that is not", frame(kData, 0, 1, "x"), "GOAWAY0=1"},
      {"an even stream", frame(kHeaders, kEndHeaders | kEndStream, 2, block(kGet)), "GOAWAY0=1"},
      {"HEADERS on stream 0", frame(kHeaders, kEndHeaders, 0, block(kGet)), "GOAWAY0=1"},
      {"broken HPACK", frame(kHeaders, kEndHeaders, 1, "\xff\xff\xff\xff\xff\xff"), "GOAWAY0=9"},
      {"CONTINUATION alone", frame(kContinuation, kEndHeaders, 1, block(kGet)), "GOAWAY0=1"},
      {"something between a block's pieces", frame(kHeaders, 0, 1, block(kGet)) + frame(kPing, 0, 0, "12345678"), "GOAWAY0=1"},
      {"a short SETTINGS", frame(kSettings, 0, 0, "123"), "GOAWAY0=6"},
      {"a SETTINGS of a stream", frame(kSettings, 0, 1, ""), "GOAWAY0=1"},
      {"a bad initial window", frame(kSettings, 0, 0, std::string("\0\4\xff\xff\xff\xff", 6)), "GOAWAY0=3"},
      {"a short PING", frame(kPing, 0, 0, "1"), "GOAWAY0=6"},
      {"an empty WINDOW_UPDATE", frame(kWindow, 0, 0, std::string(4, '\0')), "GOAWAY0=1"},
      {"too much window", frame(kWindow, 0, 0, "\x7f\xff\xff\xff"), "GOAWAY0=3"},
      {"a frame that is too large", frame(kData, 0, 1, std::string(20'000, 'x')), "GOAWAY0=6"},
      {"a push from the client", frame(5, kEndHeaders, 1, std::string(4, '\2')), "GOAWAY0=1"},
      {"padding above the payload", head + frame(kData, kPadded, 1, "\x09x"), "GOAWAY0=1"},
      {"RST of a stream that is not", frame(kReset, 0, 5, std::string(4, '\0')), "GOAWAY0=1"},
      {"more than the stream's window", head + frame(kData, 0, 1, std::string(16'000, 'x')) + frame(kData, 0, 1, std::string(16'000, 'x')), "3"},
  };
  SessionOptions small;
  small.stream_window = 20'000;
  for (const Broken& row : rows) {
    Raw raw(small);
    Socket::Turn turn;
    raw.feed(kPreface + frame(kSettings, kAck, 0, ""));
    std::string got = raw.feed(row.bytes);
    EXPECT_NE(got.find(row.want), std::string::npos) << row.name << ": " << got;
    if (got.find("GOAWAY") != std::string::npos) {
      EXPECT_TRUE(raw.session.finished() || !raw.handler.requests.empty()) << row.name;
    }
    raw.session.fail_all(Failure::kReset, "test");
  }
}

TEST(Http2Frames, not_http2_at_all) {
  Raw raw;
  EXPECT_EQ(raw.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "");
  EXPECT_TRUE(raw.session.finished());
}

TEST(Http2Frames, more_body_than_its_length) {
  for (const char* body : {"four", "no"}) {
    Raw raw;
    raw.handler.on_new = [](Received& r) { r.stream->read_body(true); };
    raw.feed(kPreface + frame(kHeaders, kEndHeaders, 1, block(with(kPost, {{"content-length", "3"}}))));
    EXPECT_EQ(raw.feed(frame(kData, kEndStream, 1, body)), "RST1=1") << body;
    EXPECT_TRUE(raw.handler.last().gone);
    EXPECT_FALSE(raw.handler.last().ended);
  }
}

TEST(Http2Frames, unknown_frames_are_ignored) {
  Raw raw;
  EXPECT_EQ(raw.feed(kPreface + frame(0x77, 0xff, 1, "whatever") + frame(kHeaders, kEndStream | kEndHeaders, 1, block(kGet))), "");
  EXPECT_EQ(raw.handler.requests.size(), 1u);
}

TEST(Http2Frames, trailers_that_are_none) {
  // Pseudo-headers in them, or no end with them.
  for (bool end : {true, false}) {
    Raw raw;
    raw.handler.on_new = [](Received& r) { r.stream->read_body(true); };
    raw.feed(kPreface + frame(kHeaders, kEndHeaders, 1, block(kPost)) + frame(kData, 0, 1, "x"));
    Fields fields = end ? Fields{{":path", "/"}} : Fields{{"x", "1"}};
    std::string got = raw.feed(frame(kHeaders, static_cast<uint8_t>(kEndHeaders | (end ? kEndStream : 0)), 1, block(fields)));
    EXPECT_NE(got.find("1=1"), std::string::npos) << got;
    EXPECT_FALSE(raw.handler.last().ended);
    Socket::Turn turn;
    raw.session.fail_all(Failure::kReset, "test");
  }
}

// ---- Floods ------------------------------------------------------------------------------------------------------

// How many of `make(i)` were taken before the client was asked to calm down; -1: never.
int taken(Raw& raw, int most, const std::function<std::string(int)>& make) {
  for (int i = 0; i < most; ++i) {
    std::string got = raw.feed(make(i));
    if (got.find("GOAWAY") == std::string::npos && !raw.session.finished()) continue;
    EXPECT_NE(got.find("=11"), std::string::npos) << got;  // ENHANCE_YOUR_CALM
    EXPECT_NE(raw.session.why(), "");
    EXPECT_TRUE(raw.session.finished());
    return i;
  }
  return -1;
}

TEST(Http2Floods, rapid_resets) {
  Raw raw;
  raw.feed(kPreface);
  auto reset = [](int i) {
    auto id = static_cast<uint32_t>(2 * i + 1);
    return frame(kHeaders, kEndStream | kEndHeaders, id, block(kGet)) + frame(kReset, 0, id, std::string("\0\0\0\x08", 4));
  };
  int n = taken(raw, 2000, reset);
  EXPECT_GE(n, 190);
  EXPECT_LT(n, 400);  // Some time passes meanwhile, on a slow machine.
}

TEST(Http2Floods, resets_that_the_server_is_made_to_send) {
  Raw raw;
  raw.feed(kPreface);
  auto broken = [](int i) {
    auto id = static_cast<uint32_t>(2 * i + 1);
    return frame(kHeaders, kEndStream | kEndHeaders, id, block(kGet)) + frame(kWindow, 0, id, "\x7f\xff\xff\xff");
  };
  int n = taken(raw, 2000, broken);
  EXPECT_GE(n, 190);
  EXPECT_LT(n, 400);
}

TEST(Http2Floods, who_finishes_may_reset_now_and_then) {
  Raw raw;
  raw.feed(kPreface);
  raw.handler.on_new = [](Received& r) {
    if (r.head.headers.has("answer")) r.reply(204);
  };
  auto half = [](int i) {
    auto id = static_cast<uint32_t>(4 * i + 1);
    return frame(kHeaders, kEndStream | kEndHeaders, id, block(kGet)) + frame(kReset, 0, id, std::string("\0\0\0\x08", 4)) +
           frame(kHeaders, kEndStream | kEndHeaders, id + 2, block(with(kGet, {{"answer", "1"}})));
  };
  // nghttp2 itself, where it has been mended, ends it at 1000 whatever was finished.
  EXPECT_EQ(taken(raw, 900, half), -1);
}

struct Flood {
  const char* name;
  std::string bytes;
};

TEST(Http2Floods, frames_that_do_nothing) {
  std::string setting("\0\3\0\0\0\x64", 6);
  const Flood rows[] = {
      {"PING", frame(kPing, 0, 0, "12345678")},
      {"PING ACK", frame(kPing, kAck, 0, "12345678")},
      {"SETTINGS", frame(kSettings, 0, 0, setting)},
      {"PRIORITY", frame(kPriority, 0, 1, std::string("\0\0\0\0\x10", 5))},
      {"empty DATA", frame(kData, 0, 1, "")},
      {"DATA that is all padding", frame(kData, kPadded, 1, std::string("\x02\0\0", 3))},
      {"window updates", frame(kWindow, 0, 1, std::string("\0\0\0\1", 4))},
  };
  for (const Flood& row : rows) {
    SCOPED_TRACE(row.name);
    Raw raw;
    raw.feed(kPreface + frame(kHeaders, kEndHeaders, 1, block(kPost)));
    std::string ten;
    for (int i = 0; i < 10; ++i) ten += row.bytes;
    int n = -1;
    for (int i = 0; i < 5000 && n < 0; ++i) {
      raw.feed(ten);
      if (!raw.session.why().empty()) n = i;
    }
    EXPECT_GE(n, 150);
    EXPECT_LT(n, 1000);
    Socket::Turn turn;
    raw.session.fail_all(Failure::kReset, "test");
  }
}

TEST(Http2Floods, a_block_in_ever_more_pieces) {
  for (const char* piece : {"", "\x82"}) {  // Nothing; a field of the static table.
    Raw raw;
    raw.feed(kPreface + frame(kHeaders, 0, 1, block(kGet)));
    EXPECT_TRUE(raw.session.in_block());
    int pieces = 0;
    while (raw.session.why().empty() && pieces < 1000) {
      raw.feed(frame(kContinuation, 0, 1, piece));
      ++pieces;
    }
    EXPECT_LT(pieces, 20);
    EXPECT_TRUE(raw.session.finished());
  }
}

// Answers that nobody fetches: PINGs are answered, and their answers are not taken.
TEST(Http2Floods, acknowledgements_do_not_pile_up) {
  ServerEnd end({.control_frames = 1'000'000});
  Socket::Turn turn;
  end.session.feed(kPreface);
  int pings = 0;
  while (!end.session.finished() && pings < 100'000) {
    end.session.feed(frame(kPing, 0, 0, "12345678"));
    ++pings;
  }
  EXPECT_LT(pings, 2000);
}

TEST(Http2Floods, streams_above_the_limit) {
  Raw raw({.streams = 10});
  raw.feed(kPreface + frame(kSettings, kAck, 0, ""));
  std::string all;
  for (uint32_t i = 0; i < 20; ++i) all += frame(kHeaders, kEndStream | kEndHeaders, 2 * i + 1, block(kGet));
  raw.feed(all);
  EXPECT_LE(raw.handler.requests.size(), 10u);
  Socket::Turn turn;
  raw.session.fail_all(Failure::kReset, "test");
}

// ---- Any bytes ---------------------------------------------------------------------------------------------------

// Good conversations with bytes changed: nothing but an orderly end may come of it, and every request ends once.
TEST(Http2Fuzz, changed_bytes) {
  std::mt19937 random(7);
  std::string good = kPreface;
  for (uint32_t id = 1; id < 20; id += 2) {
    good += frame(kHeaders, kEndHeaders, id, block(with(kPost, {{"x", "1"}, {"cookie", "a"}})));
    good += frame(kData, 0, id, "hello") + frame(kPing, 0, 0, "12345678") + frame(kData, id % 4 == 1 ? kEndStream : 0, id, "world");
    if (id % 4 == 3) good += frame(kHeaders, kEndHeaders | kEndStream, id, block({{"t", "1"}}));
    if (id % 8 == 5) good += frame(kReset, 0, id, std::string("\0\0\0\x08", 4));
  }
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = good;
    for (uint32_t changes = random() % 4; changes > 0; --changes) bytes[24 + random() % (bytes.size() - 24)] = static_cast<char>(random());
    Raw raw;
    raw.handler.on_new = [&](Received& r) {
      r.stream->read_body(random() % 4 != 0);
      if (random() % 8 == 0) return r.reply(204);
      r.on_end = [&](Received& done) {
        if (random() % 4 == 0) return std::exchange(done.stream, nullptr)->abort();
        done.reply(200, done.body);
      };
    };
    for (size_t at = 0; at < bytes.size();) {
      size_t size = 1 + random() % 200;
      raw.feed(std::string_view(bytes).substr(at, size));
      at += size;
    }
    Socket::Turn turn;
    raw.session.fail_all(Failure::kReset, "test");
    EXPECT_EQ(raw.session.streams(), 0u);
    for (auto& r : raw.handler.requests) EXPECT_TRUE(r->gone || r->stream == nullptr);
  }
}

}  // namespace
}  // namespace server::gateway::http2
