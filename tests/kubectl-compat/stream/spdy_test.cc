#include "kubectl-compat/stream/spdy.h"

#include <gtest/gtest.h>

#include "tests/kubectl-compat/stream/spdy_client.h"

namespace compat {
namespace {

using namespace std::string_literals;

std::string text_of(const base::Result<std::vector<SpdyEvent>>& result) {
  static const char* kNames[] = {"syn", "reply", "headers", "data", "reset", "ping", "goaway", "window", "settings"};
  if (!result.ok()) return "!" + result.error().message;
  std::string out;
  for (const SpdyEvent& event : *result) {
    out += std::string(kNames[static_cast<int>(event.kind)]) + " " + std::to_string(event.stream) + (event.fin ? " fin" : "");
    for (const auto& [name, value] : event.headers) out += " " + name + "=" + value;
    if (event.kind == SpdyEvent::Kind::kData) out += " '" + event.data + "'";
    if (event.status != 0) out += " status " + std::to_string(event.status);
    out += "; ";
  }
  return out;
}

TEST(Spdy, Dictionary) {
  const std::string& dictionary = spdy_dictionary();
  EXPECT_EQ(dictionary.size(), 1423u);
  EXPECT_EQ(adler32(1, reinterpret_cast<const Bytef*>(dictionary.data()), static_cast<uInt>(dictionary.size())), 0xe3c6a7c2u);
}

TEST(Spdy, SessionInAnyChunking) {
  SpdyClient client;
  std::string bytes = join({client.syn_stream(1, {{"streamtype", "error"}}), client.syn_stream(3, {{"Port", "80"}, {"streamtype", "data"}}, true),
                            SpdyClient::data(3, "hello"), SpdyClient::data(3, "", true), SpdyClient::reset(1), SpdyClient::ping(0x80000007u),
                            SpdyClient::control(4, 0, be32(0)), SpdyClient::control(9, 0, be32(1) + be32(65536)), SpdyClient::control(99, 0, "??"),
                            SpdyClient::go_away()});
  const std::string want =
      "syn 1 streamtype=error; syn 3 fin port=80 streamtype=data; data 3 'hello'; data 3 fin ''; reset 1 status 5; ping 2147483655; "
      "settings 0; window 1 status 65536; goaway 0; ";
  SpdySession whole;
  EXPECT_EQ(text_of(whole.feed(bytes)), want);
  for (size_t chunk : {1u, 2u, 7u, 30u}) {
    SpdySession session;
    std::string got;
    for (size_t at = 0; at < bytes.size(); at += chunk) got += text_of(session.feed(std::string_view(bytes).substr(at, chunk)));
    EXPECT_EQ(got, want) << chunk;
  }
}

TEST(Spdy, Refuses) {
  SpdyClient client;
  std::string good = client.syn_stream(1, {{"a", "b"}});
  std::string corrupt = good;
  corrupt[20] = static_cast<char>(corrupt[20] ^ 0x55);
  struct Row {
    const char* name;
    std::string bytes;
    const char* want;
  };
  const Row rows[] = {
      {"version 2", SpdyClient::frame(0x80020001u, 0, std::string(20, 'x')), "!spdy: unknown version"},
      {"short ping", SpdyClient::control(6, 0, "xx"), "!spdy: frame too short"},
      {"huge control frame", be32(0x80030001u) + be32(0x00ffffff), "!spdy: control frame too big"},
      {"corrupt block", corrupt, "!spdy: corrupt header block"},
      {"block that stops early", SpdyClient().control(1, 0, be32(1) + be32(0) + std::string(2, '\0') + SpdyClient().compress(be32(9))),
       "!spdy: header block too short"},
      {"header names twice", SpdyClient().control(1, 0, be32(1) + be32(0) + std::string(2, '\0') +
           SpdyClient().compress(be32(2) + be32(1) + "a" + be32(0) + be32(1) + "A" + be32(0))), "!spdy: duplicate header"},
      {"a bomb", SpdyClient().control(1, 0, be32(1) + be32(0) + std::string(2, '\0') + SpdyClient().compress(std::string(1 << 20, '\0'))),
       "!spdy: header block too big"},
  };
  for (const Row& row : rows) {
    SpdySession session;
    EXPECT_EQ(text_of(session.feed(row.bytes)), row.want) << row.name;
    EXPECT_EQ(text_of(session.feed("")), "!spdy: session is broken") << row.name;
  }
}

TEST(Spdy, Encodes) {
  SpdySession session;
  EXPECT_EQ(session.data(3, "hi", true), "\x00\x00\x00\x03\x01\x00\x00\x02hi"s);
  EXPECT_EQ(session.data(3, "", true), "\x00\x00\x00\x03\x01\x00\x00\x00"s);
  EXPECT_EQ(session.reset(5, 3), "\x80\x03\x00\x03\x00\x00\x00\x08\x00\x00\x00\x05\x00\x00\x00\x03"s);
  EXPECT_EQ(session.ping(7), "\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x07"s);
  EXPECT_EQ(session.go_away(9), "\x80\x03\x00\x07\x00\x00\x00\x08\x00\x00\x00\x09\x00\x00\x00\x00"s);
  // Our replies, read by a session: one zlib stream for all of them.
  SpdySession reader;
  EXPECT_EQ(text_of(reader.feed(join({session.syn_reply(1, false), session.syn_reply(3, true)}))), "reply 1; reply 3 fin; ");
}

TEST(Spdy, LongDataIsSplit) {
  SpdySession session;
  std::string payload((1 << 24) + 5, 'x');
  auto frames = SpdyClient::parse(session.data(1, payload, true));
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].flags, 0);
  EXPECT_EQ(frames[0].payload.size(), (1u << 24) - 1);
  EXPECT_EQ(frames[1].flags, 1);
  EXPECT_EQ(frames[0].payload.size() + frames[1].payload.size(), payload.size());
}

}  // namespace
}  // namespace compat
