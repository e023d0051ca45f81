#include "server/http/http_head.h"

#include <gtest/gtest.h>

namespace server {
namespace {

TEST(HttpHead, Rejects) {
  struct Row {
    const char* name;
    std::string in;
    std::string want;
  };
  const Row rows[] = {
      {"no version", "GET /\r\nHost: a\r\n\r\n", "malformed request line"},
      {"old version", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", "unsupported HTTP version"},
      {"bad method", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed method"},
      {"no slash", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"},
      {"blank in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"},
      {"bad escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request path"},
      {"zero byte", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request path"},
      {"bad query", "GET /?a=%1 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed query"},
      {"no host", "GET / HTTP/1.1\r\n\r\n", "missing required Host header"},
      {"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "repeated Content-Length"},
      {"length and chunks", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "both Content-Length and Transfer-Encoding"},
      {"gzip coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "unsupported transfer encoding"},
      {"negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "malformed Content-Length"},
      {"folded", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "malformed header line"},
      {"blank before colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "malformed header line"},
      {"bare CR", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "control character in the head"},
  };
  for (const Row& row : rows) {
    auto head = parse_head(row.in);
    ASSERT_FALSE(head.ok()) << row.name;
    EXPECT_EQ(head.error().message, row.want) << row.name;
  }
}

TEST(HttpHead, ReadsPathQueryAndFraming) {
  auto head = parse_head(
      "POST /api/v1/pods%2Fx?command=sh&command=-c&x=a+b%3D&empty HTTP/1.1\r\nHOST: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: SPDY/3.1\r\n"
      "X-Stream-Protocol-Version: v4\r\nX-Stream-Protocol-Version: v3\r\nContent-Length: 7\r\n\r\n");
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->request.path, "/api/v1/pods/x");
  ASSERT_EQ(head->request.query.size(), 4u);
  EXPECT_EQ(head->request.query[1].second, "-c");
  EXPECT_EQ(head->request.param("x"), "a b=");
  EXPECT_EQ(head->request.param("empty"), "");
  EXPECT_EQ(head->request.param("none"), std::nullopt);
  EXPECT_EQ(head->request.headers.count("x-stream-protocol-version"), 2u);
  EXPECT_TRUE(head->upgrade);
  EXPECT_TRUE(head->keep_alive);
  EXPECT_EQ(head->content_length, 7u);
}

TEST(HttpHead, FindsTheEmptyLine) {
  EXPECT_EQ(find_head_end("GET / HTTP/1.1\r\nHost: a\r\n"), std::string_view::npos);
  EXPECT_EQ(find_head_end("a\r\n\r\nbody"), 5u);
  EXPECT_EQ(find_head_end("a\n\nbody"), 3u);
}

}  // namespace
}  // namespace server
