#include "server/gateway/http1/parser.h"

#include <gtest/gtest.h>

#include <random>

namespace server::gateway::http1 {
namespace {

// "200 GET /x host=a body=none keep [A: b]" or "400 why".
std::string read_request(std::string_view bytes) {
  RequestHead head;
  Parsed parsed = parse_request_head(bytes, HeadLimits(), &head);
  if (parsed.kind == Parsed::Kind::kNeedMore) return "more";
  if (parsed.kind == Parsed::Kind::kRefused) return std::to_string(parsed.status);
  std::string out = head.method + " " + head.target + " host=" + head.authority;
  if (head.body == BodyKind::kLength) out += " length=" + std::to_string(head.length);
  if (head.body == BodyKind::kStream) out += " chunked";
  if (!parsed.keep_alive) out += " close";
  if (!head.upgrade.empty()) out += " upgrade=" + head.upgrade;
  if (head.expects_continue) out += " continue";
  if (head.accepts_trailers) out += " trailers";
  for (size_t i = 0; i < head.headers.size(); ++i) out += " [" + std::string(head.headers[i].name) + ": " + std::string(head.headers[i].value) + "]";
  if (parsed.used != bytes.size()) out += " +" + std::to_string(bytes.size() - parsed.used);
  return out;
}

struct Row {
  const char* in;
  const char* want;
};

TEST(RequestHead, rows) {
  const Row rows[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / host=a"},
      {"GET / HTTP/1.1\nHost: a\n\n", "GET / host=a"},
      {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET", "GET / host=a +3"},
      {"GET /p?q=1 HTTP/1.0\r\n\r\n", "GET /p?q=1 host= close"},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / host="},
      {"GET / HTTP/1.1\r\nHost: A.Example:80\r\nConnection: close\r\n\r\n", "GET / host=a.example:80 close"},
      {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / host=[::1]:80"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX:  two words \t\r\nEmpty:\r\n\r\n", "GET / host=a [X: two words] [Empty: ]"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "POST / host=a length=5 +5"},
      {"POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked\r\n\r\n", "POST / host=a chunked"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n", "POST / host=a length=5 continue"},
      {"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n", "GET /chat host=a upgrade=websocket"},
      {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n", "GET / host=a"},
      {"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers, deflate\r\nConnection: TE\r\n\r\n", "GET / host=a trailers"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX-Hop: 1\r\nX-Stay: 2\r\nConnection: x-hop\r\n\r\n", "GET / host=a [X-Stay: 2]"},
      {"GET http://B.example/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x?y host=b.example"},
      {"GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", "GET / host=b"},
      {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * host=a"},
      {"GET / HTTP/1.1\r\nHost: a\r\n", "more"},
      {"GET / HT", "more"},
      {"", "more"},
      // Refused.
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", "400"},
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET / \r\nHost: a\r\n\r\n", "400"},
      {"GET /\r\nHost: a\r\n\r\n", "400"},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
      {"GET / http/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET x HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "405"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", "400"},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: tea\r\n\r\n", "417"},
      {"\x16\x03\x01\x02", "400"},
  };
  for (const Row& row : rows) EXPECT_EQ(read_request(row.in), row.want) << row.in;
}

TEST(RequestHead, control_bytes_are_refused) {
  for (int c : {0, 1, 7, 8, 11, 12, 13, 27, 127}) {
    std::string in = "GET / HTTP/1.1\r\nHost: a\r\nX: a" + std::string(1, static_cast<char>(c)) + "b\r\n\r\n";
    EXPECT_EQ(read_request(in), "400") << c;
  }
}

TEST(RequestHead, limits) {
  EXPECT_EQ(read_request("GET /" + std::string(9000, 'a')), "414");
  EXPECT_EQ(read_request("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(9000, 'a')), "431");
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 200; ++i) many += "X: 1\r\n";
  EXPECT_EQ(read_request(many + "\r\n"), "431");
}

// However a head is cut, what is made of it is the same.
TEST(RequestHead, no_prefix_is_understood) {
  std::string whole = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX: y\r\n\r\n";
  for (size_t n = 0; n < whole.size(); ++n) EXPECT_EQ(read_request(std::string_view(whole).substr(0, n)), "more") << n;
  EXPECT_EQ(read_request(whole), "POST /x host=a length=3 [X: y]");
}

std::string read_response(std::string_view bytes, std::string_view method = "GET") {
  ResponseHead head;
  Parsed parsed = parse_response_head(bytes, method, HeadLimits(), &head);
  if (parsed.kind == Parsed::Kind::kNeedMore) return "more";
  if (parsed.kind == Parsed::Kind::kRefused) return "refused";
  std::string out = std::to_string(head.status) + " " + head.reason;
  switch (head.body) {
    case BodyKind::kNone:
      break;
    case BodyKind::kLength:
      out += " length=" + std::to_string(head.length);
      break;
    case BodyKind::kStream:
      out += " chunked";
      break;
    case BodyKind::kUntilEnd:
      out += " until-end";
      break;
  }
  if (!parsed.keep_alive) out += " close";
  if (head.upgrade) out += " upgrade=" + head.upgrade_protocol;
  return out;
}

TEST(ResponseHead, rows) {
  EXPECT_EQ(read_response("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), "200 OK length=2");
  EXPECT_EQ(read_response("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n"), "200  chunked");
  EXPECT_EQ(read_response("HTTP/1.1 200 OK\r\n\r\n"), "200 OK until-end close");
  EXPECT_EQ(read_response("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n"), "200 OK length=2 close");
  EXPECT_EQ(read_response("HTTP/1.1 200 OK\r\n\r\n", "HEAD"), "200 OK");
  EXPECT_EQ(read_response("HTTP/1.1 204 No Content\r\n\r\n"), "204 No Content");
  EXPECT_EQ(read_response("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), "304 Not Modified");
  EXPECT_EQ(read_response("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), "101 Switching Protocols upgrade=websocket");
  EXPECT_EQ(read_response("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"), "refused");
  EXPECT_EQ(read_response("HTTP/1.1 20 OK\r\n\r\n"), "refused");
  EXPECT_EQ(read_response("<html>"), "refused");
  EXPECT_EQ(read_response("HTTP/1.1 200 OK\r\n"), "more");
}

// "data|data|" then "end[trailers]" or "broken", fed in pieces of that many bytes.
std::string read_chunks(const std::string& bytes, size_t piece, size_t* left = nullptr) {
  ChunkedReader reader;
  std::string held, out;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    held += bytes.substr(at, piece);
    for (;;) {
      ChunkedReader::Step step = reader.next(held);
      out += step.data;
      held.erase(0, step.used);
      if (step.kind == ChunkedReader::Step::Kind::kBroken) return out + "|broken";
      if (step.kind == ChunkedReader::Step::Kind::kEnd) {
        if (left != nullptr) *left = held.size() + (bytes.size() - std::min(bytes.size(), at + piece));
        for (size_t i = 0; i < reader.trailers().size(); ++i) out += "|" + std::string(reader.trailers()[i].name) + "=" + std::string(reader.trailers()[i].value);
        return out + "|end";
      }
      if (step.kind == ChunkedReader::Step::Kind::kNeedMore) break;
    }
  }
  return out + "|more";
}

// In one piece as in many.
TEST(ResponseHead, the_status_line_has_the_limit_of_lines) {
  HeadLimits limits;
  limits.line = 64;
  ResponseHead head;
  const std::string line = "HTTP/1.1 200 " + std::string(60, 'x');
  EXPECT_EQ(parse_response_head(line, "GET", limits, &head).kind, Parsed::Kind::kRefused);
  EXPECT_EQ(parse_response_head(line + "\r\n\r\n", "GET", limits, &head).kind, Parsed::Kind::kRefused);
  const std::string longest = "HTTP/1.1 200 " + std::string(51, 'x') + "\r";
  EXPECT_EQ(parse_response_head(longest, "GET", limits, &head).kind, Parsed::Kind::kNeedMore);
  EXPECT_EQ(parse_response_head(longest + "\n\r\n", "GET", limits, &head).kind, Parsed::Kind::kDone);
}

TEST(Chunks, rows_in_pieces_of_any_size) {
  const Row rows[] = {
      {"5\r\nhello\r\n0\r\n\r\n", "hello|end"},
      {"5;x=y\r\nhello\r\n1 ; \"a\"\r\n!\r\n000\r\n\r\n", "hello!|end"},
      {"A\r\n0123456789\r\n0\r\nX-Sum: 5 \r\nHost: evil\r\nContent-Length: 7\r\n\r\n", "0123456789|X-Sum=5|end"},
      {"5\r\nhello\r\n", "hello|more"},
      {"5\r\nhello!\r\n0\r\n\r\n", "hello|broken"},
      {"5\nhello\r\n0\r\n\r\n", "|broken"},
      {"0x5\r\nhello\r\n0\r\n\r\n", "|broken"},
      {"+5\r\nhello\r\n0\r\n\r\n", "|broken"},
      {"-5\r\nhello\r\n0\r\n\r\n", "|broken"},
      {" 5\r\nhello\r\n0\r\n\r\n", "|broken"},
      {"5 5\r\nhello\r\n0\r\n\r\n", "|broken"},
      {"5_\r\nhello\r\n0\r\n\r\n", "|broken"},
      {"FFFFFFFFFFFFFFFFF\r\n", "|broken"},
      {"\r\n", "|broken"},
      {"0\r\nX\r\n\r\n", "|broken"},
      {"0\r\nX : y\r\n\r\n", "|broken"},
      {"0\r\n\n", "|broken"},
  };
  for (const Row& row : rows) {
    for (size_t piece : {1, 2, 3, 7, 1000}) EXPECT_EQ(read_chunks(row.in, piece), row.want) << row.in << " by " << piece;
  }
}

TEST(Chunks, what_follows_is_left) {
  size_t left = 0;
  EXPECT_EQ(read_chunks("1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1", 1000, &left), "x|end");
  EXPECT_EQ(left, 14u);
}

TEST(Chunks, written_ones_are_read) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::string want, bytes;
    for (int i = 0; i < 5; ++i) {
      std::string piece(1 + random() % 5000, static_cast<char>('a' + i));
      want += piece;
      append_chunk(piece, &bytes);
    }
    append_last_chunk(nullptr, &bytes);
    EXPECT_EQ(read_chunks(bytes, 1 + random() % 999), want + "|end");
  }
}

TEST(Authority, rows) {
  for (const char* good : {"a", "a.b", "a:80", "1.2.3.4:8080", "[::1]", "[::1]:80", "a_b.c", "xn--a", "a:"}) EXPECT_TRUE(is_authority(good)) << good;
  for (const char* bad : {"", "a b", "a/b", "a@b", "[::1", "[x]", "a:b", "a:123456", ":80", "a\"", "[::1]x"}) EXPECT_FALSE(is_authority(bad)) << bad;
}

}  // namespace
}  // namespace server::gateway::http1
