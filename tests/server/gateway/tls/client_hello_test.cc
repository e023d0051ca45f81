#include "server/gateway/tls/client_hello.h"

#include <gtest/gtest.h>

#include "tests/server/gateway/tls/handshake.h"

namespace server::gateway {
namespace {

using Kind = PeekedHello::Kind;

struct HelloRow {
  const char* name;
  int version;
  const char* sni;
  std::string alpn;  // On the wire.
  Kind kind;
  const char* want_name;
  std::vector<std::string> want_alpn;
};

std::vector<HelloRow> rows() {
  return {
      {"1.3 with all", TLS1_3_VERSION, "Web.Example.COM", "\2h2\x8http/1.1", Kind::kFound, "web.example.com", {"h2", "http/1.1"}},
      {"1.2 with all", TLS1_2_VERSION, "web.example.com", "\2h2", Kind::kFound, "web.example.com", {"h2"}},
      {"1.3 without name", TLS1_3_VERSION, "", "\2h2", Kind::kNoName, "", {"h2"}},
      {"1.2 without either", TLS1_2_VERSION, "", "", Kind::kNoName, "", {}},
      {"dot at the end", TLS1_3_VERSION, "a.b.", "", Kind::kFound, "a.b", {}},
      {"underscore", TLS1_3_VERSION, "_x.y-z.9", "", Kind::kFound, "_x.y-z.9", {}},
      {"no host name", TLS1_3_VERSION, "a b", "", Kind::kNotTls, "", {}},
  };
}

// What OpenSSL sends first, as it is on the wire.
std::string real_hello(const HelloRow& row) {
  TestClient client(row.version);
  EndPtr session = client.session(row.sni);
  if (!row.alpn.empty()) SSL_set_alpn_protos(session.get(), reinterpret_cast<const unsigned char*>(row.alpn.data()), static_cast<unsigned>(row.alpn.size()));
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(session.get(), BIO_new(BIO_s_mem()), out);
  SSL_do_handshake(session.get());
  char* data = nullptr;
  long size = BIO_get_mem_data(out, &data);
  ERR_clear_error();
  return std::string(data, static_cast<size_t>(size));
}

std::string record(std::string_view fragment) {
  std::string out = "\x16\x03\x01";
  out += static_cast<char>(fragment.size() >> 8);
  out += static_cast<char>(fragment.size() & 255);
  return out.append(fragment);
}

// On the heap, in exactly as many bytes: a read beyond the end is one that a sanitizer sees.
PeekedHello peek_exact(std::string_view bytes) {
  std::vector<char> copy(bytes.begin(), bytes.end());
  return peek_client_hello({copy.data(), copy.size()});
}

TEST(PeekClientHello, RealOnes) {
  for (const HelloRow& row : rows()) {
    SCOPED_TRACE(row.name);
    std::string hello = real_hello(row);
    ASSERT_GT(hello.size(), 100u);
    for (const std::string& more : {std::string(), std::string("\x16\x03\x01"), std::string(20'000, 'x')}) {
      PeekedHello peeked = peek_exact(hello + more);
      EXPECT_EQ(peeked.kind, row.kind);
      EXPECT_EQ(peeked.server_name, row.want_name);
      EXPECT_EQ(peeked.alpn, row.want_alpn);
    }
  }
}

TEST(PeekClientHello, EveryBeginningNeedsMore) {
  for (const HelloRow& row : rows()) {
    SCOPED_TRACE(row.name);
    std::string hello = real_hello(row);
    for (size_t size = 0; size < hello.size(); ++size) {
      ASSERT_EQ(peek_exact(std::string_view(hello).substr(0, size)).kind, Kind::kNeedMore) << size << " of " << hello.size();
    }
  }
}

TEST(PeekClientHello, SplitOverRecords) {
  for (const HelloRow& row : rows()) {
    SCOPED_TRACE(row.name);
    std::string message = real_hello(row).substr(5);
    for (size_t at = 1; at < message.size(); ++at) {
      std::string two = record(message.substr(0, at)) + record(message.substr(at));
      ASSERT_EQ(peek_exact(two).kind, row.kind) << at;
      ASSERT_EQ(peek_exact(two).server_name, row.want_name) << at;
      ASSERT_EQ(peek_exact(two.substr(0, two.size() - 1)).kind, Kind::kNeedMore) << at;
    }
    std::string single;
    for (char c : message) single += record({&c, 1});
    ASSERT_LT(single.size(), kMaxPeekedHello);
    EXPECT_EQ(peek_exact(single).kind, row.kind);
    EXPECT_EQ(peek_exact(single).server_name, row.want_name);
  }
}

TEST(PeekClientHello, NotTls) {
  using std::string_literals::operator""s;
  struct Row {
    const char* name;
    std::string bytes;
  };
  const Row kRows[] = {
      {"HTTP", "GET / HTTP/1.1\r\n\r\n"},
      {"one byte of it", "G"},
      {"SSLv2", "\x80\x2e\x01\x03\x01"s},
      {"major version", "\x16\x02"s},
      {"alert", "\x15\x03\x01\x00\x02\x02\x28"s},
      {"empty record", "\x16\x03\x01\x00\x00"s},
      {"record too long", "\x16\x03\x01\x40\x01\x01"s},
      {"server hello", "\x16\x03\x01\x00\x04\x02\x00\x00\x00"s},
      {"message too long", "\x16\x03\x01\x00\x04\x01\x00\x40\x00"s},
      {"second record of another kind", record("\x01") + "\x17\x03\x03\x00\x01\x00"s},
      {"empty message", record("\x01\x00\x00\x00"s)},
  };
  for (const Row& row : kRows) EXPECT_EQ(peek_exact(row.bytes).kind, Kind::kNotTls) << row.name;
}

TEST(PeekClientHello, NoMoreThanTheLimit) {
  // A message that says to be just within, whose end never comes.
  std::string endless = record(std::string("\x01\x00\x3f\xfc", 4));
  while (endless.size() < kMaxPeekedHello) endless += record(std::string(1000, 'x'));
  EXPECT_EQ(peek_exact(std::string_view(endless).substr(0, kMaxPeekedHello - 1)).kind, Kind::kNeedMore);
  EXPECT_EQ(peek_exact(std::string_view(endless).substr(0, kMaxPeekedHello)).kind, Kind::kNotTls);
}

// Cuts the message short at every place, and says so in all lengths outside: never a name that is not there.
TEST(PeekClientHello, CutMessages) {
  for (const HelloRow& row : rows()) {
    SCOPED_TRACE(row.name);
    std::string message = real_hello(row).substr(5);
    for (size_t size = 4; size < message.size(); ++size) {
      std::string cut = message.substr(0, size);
      cut[1] = 0;
      cut[2] = static_cast<char>((size - 4) >> 8);
      cut[3] = static_cast<char>((size - 4) & 255);
      PeekedHello peeked = peek_exact(record(cut));
      // A cut before the extensions leaves a hello of TLS 1.2's kind.
      ASSERT_TRUE(peeked.kind == Kind::kNotTls || (peeked.kind == Kind::kNoName && peeked.alpn.empty())) << size;
    }
  }
}

TEST(PeekClientHello, EveryByteChanged) {
  HelloRow row = rows()[0];
  std::string hello = real_hello(row);
  size_t still_found = 0;
  for (size_t at = 0; at < hello.size(); ++at) {
    for (int flip : {1, 0x80, 0xff, 0x40}) {
      std::string changed = hello;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      PeekedHello peeked = peek_exact(changed);
      if (peeked.kind == Kind::kFound) ++still_found;
      if (peeked.kind == Kind::kFound) ASSERT_LE(peeked.server_name.size(), 255u);
      else ASSERT_TRUE(peeked.server_name.empty());
    }
  }
  // Random bytes, key shares and the like may be anything; lengths may not.
  EXPECT_GT(still_found, hello.size());
  EXPECT_LT(still_found, 4 * hello.size());
}

TEST(ParseServerName, Rows) {
  using std::string_literals::operator""s;
  struct Row {
    const char* name;
    std::string in;
    std::optional<std::string> want;
  };
  const Row kRows[] = {
      {"one", "\0\6\0\0\3a.b"s, "a.b"},
      {"other kinds are passed over", "\0\x0a\7\0\1x\0\0\3a.b"s, "a.b"},
      {"only other kinds", "\0\4\7\0\1x"s, ""},
      {"two host names", "\0\x0c\0\0\3a.b\0\0\3c.d"s, std::nullopt},
      {"empty list", "\0\0"s, std::nullopt},
      {"empty name", "\0\3\0\0\0"s, std::nullopt},
      {"empty", ""s, std::nullopt},
      {"list longer than there is", "\0\7\0\0\3a.b"s, std::nullopt},
      {"bytes after the list", "\0\6\0\0\3a.bx"s, std::nullopt},
      {"name longer than there is", "\0\6\0\0\4a.b"s, std::nullopt},
      {"zero in the name", "\0\6\0\0\3a\0b"s, std::nullopt},
      {"256 characters", "\1\3\0\1\0"s + std::string(256, 'a'), std::nullopt},
      {"255 characters", "\1\2\0\0\xff"s + std::string(255, 'a'), std::string(255, 'a')},
  };
  for (const Row& row : kRows) EXPECT_EQ(parse_server_name(row.in), row.want) << row.name;
}

}  // namespace
}  // namespace server::gateway
