// What HTTP probes say, and how they read replies that come in pieces.
#include "server/node_agent/http_reply.h"

#include <gtest/gtest.h>

namespace server {
namespace {

using State = HttpReply::State;

TEST(HttpReply, WholeAndInPieces) {
  struct Row {
    const char* name;
    std::string in;
    State want;       // After the peer closed.
    int status;
    std::string body;
  };
  const Row rows[] = {
      {"length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", State::kDone, 200, "hi"},
      {"until the end", "HTTP/1.0 404 Not Found\r\nServer: x\r\n\r\ngone", State::kDone, 404, "gone"},
      {"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", State::kDone, 200, "abcde"},
      {"no content", "HTTP/1.1 204 No Content\r\n\r\n", State::kDone, 204, ""},
      {"after 100", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", State::kDone, 201, ""},
      {"body cut off", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", State::kBroken, 200, "hi"},
      {"chunk cut off", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", State::kBroken, 200, ""},
      {"no number", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", State::kBroken, 200, ""},
      {"bad length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", State::kBroken, 200, ""},
      {"not HTTP", "SSH-2.0-x\r\n", State::kBroken, 0, ""},
      {"nothing", "", State::kBroken, 0, ""},
      {"long body", "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + std::string(20000, 'x'), State::kDone, 200, std::string(HttpReply::kMaxBody, 'x')},
  };
  for (const Row& row : rows) {
    for (size_t piece : {size_t{1}, size_t{7}, row.in.size() + 1}) {
      SCOPED_TRACE(std::string(row.name) + ", pieces of " + std::to_string(piece));
      HttpReply reply;
      for (size_t at = 0; at < row.in.size(); at += piece) reply.feed(row.in.substr(at, piece));
      reply.end();
      EXPECT_EQ(reply.state(), row.want) << reply.problem();
      EXPECT_EQ(reply.status(), row.status);
      EXPECT_EQ(reply.body(), row.body);
    }
  }
}

TEST(HttpReply, Redirects) {
  struct Row {
    const char* location;
    const char* want;
  };
  const Row rows[] = {{"/b", "http://10.0.0.1:80/b"},      {"c?x=1", "http://10.0.0.1:80/dir/c?x=1"}, {"../up", "http://10.0.0.1:80/up"},      {"//other:1/x", "http://other:1/x"},
                      {"https://10.0.0.1/s", "https://10.0.0.1/s"}, {"http://[fd00::1]:8/p#f", "http://[fd00::1]:8/p"}, {"HTTP://h", "http://h/"}, {"http://h?q", "http://h/?q"},
                      {"../../../..", "http://10.0.0.1:80/"}, {"?", "http://10.0.0.1:80/dir/?"}};
  ProbeUrl base{false, "10.0.0.1", 80, "/dir/page?y"};
  for (const Row& row : rows) EXPECT_EQ(resolve_location(base, row.location).text(), row.want) << row.location;
}

TEST(HttpReply, Requests) {
  Action action;
  action.port = 8080;
  action.path = "healthz?a=b c#part";
  ProbeUrl url = compile_probe_url(action, "fd00::5");
  EXPECT_EQ(url.text(), "http://[fd00::5]:8080/healthz?a=b%20c");
  EXPECT_EQ(render_probe_request(url, action, "kube-probe/1.36", true),
            "GET /healthz?a=b%20c HTTP/1.1\r\nHost: [fd00::5]:8080\r\nUser-Agent: kube-probe/1.36\r\nAccept: */*\r\nConnection: close\r\n\r\n");
  action.headers = {{"Host", "web.test"}, {"user-agent", "mine"}, {"Accept", ""}, {"X-A", "1"}, {"X-A", "2"}};
  EXPECT_EQ(render_probe_request(url, action, "kube-probe/1.36", true), "GET /healthz?a=b%20c HTTP/1.1\r\nHost: web.test\r\nUser-Agent: mine\r\nX-A: 1\r\nX-A: 2\r\nConnection: close\r\n\r\n");
  EXPECT_NE(render_probe_request(url, action, "kube-probe/1.36", false).find("Host: [fd00::5]:8080\r\n"), std::string::npos);
}

}  // namespace
}  // namespace server
