// What the small HTTP programs and agnhost answer, without sockets; then how they end on the wire.
#include <gtest/gtest.h>

#include <regex>

#include "server/images/agnhost.h"
#include "server/images/simple_apps.h"

namespace {

using namespace server::images;

AppRequest request_for(const std::string& line, const std::string& headers = "", const std::string& body = "") {
  ParsedHead head = parse_head(line + " HTTP/1.1\r\nHost: Web.example:81\r\n" + headers + "\r\n");
  EXPECT_EQ(head.state, ParsedHead::State::kDone) << line;
  return make_app_request(head.request, body, "10.244.1.5:40312");
}

// "status [header: value...]|body"
std::string shown(const AppResponse& response) {
  std::string out = std::to_string(response.status);
  for (const auto& [name, value] : response.headers) out += " [" + name + ": " + value + "]";
  std::string body = response.body;
  while (response.make && body.size() < response.size) body += response.make(body.size(), 7);
  return out + "|" + body;
}

struct Row {
  const char* name;
  AppRequest in;
  std::string want;
};
template <size_t N>
void expect_rows(const AppHandler& handler, const Row (&rows)[N]) {
  for (const Row& row : rows) EXPECT_EQ(shown(handler(row.in)), row.want) << row.name;
}

TEST(Apps, http_echo) {
  const std::string own = " [X-App-Name: http-echo] [X-App-Version: 1.0.0]|";
  AppHandler plain = http_echo_handler({"hello", 200, false});
  const Row rows[] = {
      {"any path", request_for("GET /any/path?x"), "200" + own + "hello\n"},
      {"any method", request_for("DELETE /"), "200" + own + "hello\n"},
      {"health", request_for("GET /health"), "200" + own + "{\"status\":\"ok\"}\n"},
  };
  expect_rows(plain, rows);
  const Row other[] = {{"status", request_for("GET /"), "503" + own + "x\n"}, {"health is always well", request_for("GET /health"), "200" + own + "{\"status\":\"ok\"}\n"}};
  expect_rows(http_echo_handler({"x", 503, false}), other);
}

TEST(Apps, whoami) {
  WhoamiOptions options;
  options.hostname = "web-0";
  options.addresses = {"127.0.0.1", "10.244.1.9"};
  options.environment = {{"A", "b"}};
  const std::string who = "200|Hostname: web-0\nIP: 127.0.0.1\nIP: 10.244.1.9\nRemoteAddr: 10.244.1.5:40312\n";
  const std::string json = "200 [Access-Control-Allow-Methods: *] [Access-Control-Allow-Origin: *] [Content-Type: application/json]|";
  const Row rows[] = {
      {"plain", request_for("GET /a%20b?c", "accept: */*\r\nuser-agent: curl\r\n"), who + "GET /a%20b?c HTTP/1.1\r\nHost: Web.example:81\r\nUser-Agent: curl\r\nAccept: */*\r\n\r\n"},
      {"sorted, repeated", request_for("GET /", "X-B: 1\r\nX-A: 2\r\nX-B: 3\r\n"),
       who + "GET / HTTP/1.1\r\nHost: Web.example:81\r\nUser-Agent: Go-http-client/1.1\r\nX-A: 2\r\nX-B: 1\r\nX-B: 3\r\n\r\n"},
      {"body", request_for("POST /", "User-Agent: c\r\nContent-Length: 3\r\n", "abc"), who + "POST / HTTP/1.1\r\nHost: Web.example:81\r\nUser-Agent: c\r\nContent-Length: 3\r\n\r\nabc"},
      {"close", request_for("GET /", "User-Agent: c\r\nConnection: close\r\n"), who + "GET / HTTP/1.1\r\nHost: Web.example:81\r\nUser-Agent: c\r\nConnection: close\r\n\r\n"},
      {"environment", request_for("GET /?env=true", "User-Agent: c\r\n"), who + "GET /?env=true HTTP/1.1\r\nHost: Web.example:81\r\nUser-Agent: c\r\n\r\nA=b\n"},
      {"api", request_for("GET /api?x=<", "User-Agent: c\r\n"),
       json + "{\"hostname\":\"web-0\",\"ip\":[\"127.0.0.1\",\"10.244.1.9\"],\"headers\":{\"User-Agent\":[\"c\"]},\"url\":\"/api?x=\\u003c\",\"host\":\"Web.example:81\",\"method\":\"GET\","
              "\"remoteAddr\":\"10.244.1.5:40312\"}\n"},
      {"bench", request_for("GET /bench"), "200 [Connection: keep-alive] [Content-Type: text/plain]|1"},
      {"data", request_for("GET /data?size=10"), "200|" "|ABCDEFGH|"},
      {"data, long", request_for("GET /data?size=30"), "200|" "|ABCDEFGHIJKLMNOPQRSTUVWXYZ-A|"},
      {"data, none", request_for("GET /data"), "200|"},
      {"health", request_for("GET /health"), "200|"},
      {"health set", request_for("POST /health", "Content-Length: 4\r\n", "503\n"), "200|"},
      {"health after", request_for("GET /health"), "503|"},
      {"health set badly", request_for("POST /health", "Content-Length: 1\r\n", "x"),
       "400 [Content-Type: text/plain; charset=utf-8] [X-Content-Type-Options: nosniff]|json: cannot unmarshal \"x\" into Go value of type int\n"},
  };
  expect_rows(whoami_handler(options), rows);
  EXPECT_EQ(whoami_handler(options)(request_for("GET /data?size=3&unit=MB")).body_size(), 3u << 20);
  options.name = "n";
  EXPECT_EQ(whoami_handler(options)(request_for("GET /")).body.substr(0, 23), "Name: n\nHostname: web-0");
}

TEST(Apps, hello) {
  const Row rows[] = {{"any", request_for("GET /x"), "200|Hello, world!\nVersion: 2.0.0\nHostname: web-0\n"}};
  expect_rows(hello_handler({"2.0.0", "web-0"}), rows);
}

std::shared_ptr<NetexecState> netexec_state() {
  auto state = std::make_shared<NetexecState>();
  state->hostname = "web-0";
  return state;
}

TEST(Agnhost, netexec) {
  auto state = netexec_state();
  const std::string plain = "400 [Content-Type: text/plain; charset=utf-8] [X-Content-Type-Options: nosniff]|";
  const Row rows[] = {
      {"hostname", request_for("GET /hostname"), "200|web-0"},
      {"hostName", request_for("GET /hostName"), "200|web-0"},
      {"clientip", request_for("GET /clientip"), "200|10.244.1.5:40312"},
      {"echo", request_for("GET /echo?msg=a+b%26c"), "200|a b&c"},
      {"echo with a code", request_for("GET /echo?msg=x&code=418"), "418|x"},
      {"echo with no code", request_for("GET /echo?msg=x&code=y"), "200|argument 'code' must be an integer or empty, got \"y\"\n"},
      {"echo, form", request_for("POST /echo", "Content-Type: application/x-www-form-urlencoded\r\n", "msg=f"), "200|f"},
      {"header", request_for("GET /header?key=x-a", "X-A: 1\r\n"), "200|1"},
      {"header that is not there", request_for("GET /header?key=x-b"), "200|"},
      {"headers", request_for("GET /header", "X-B: 2\r\nX-A: 1\r\nX-B: 3\r\n"), "200|{\"X-A\":[\"1\"],\"X-B\":[\"2\",\"3\"]}"},
      {"healthz, no UDP server", request_for("GET /healthz"), "412|"},
      {"readyz, no UDP server", request_for("GET /readyz"), "412|"},
      {"redirect", request_for("GET /redirect?location=/echo%3Fmsg%3Dx"), "302 [Location: /echo?msg=x] [Content-Type: text/html; charset=utf-8]|<a href=\"/echo?msg=x\">Found</a>.\n\n"},
      {"redirect with a code", request_for("POST /redirect?location=http://x/&code=307"), "307 [Location: http://x/]|"},
      {"shell", request_for("GET /shell?cmd=echo%20hi"), "200|{\"output\":\"hi\\n\"}"},
      {"shell that fails", request_for("GET /shell?shellCommand=echo%20a;echo%20b%3E%262;exit%203"), "200|{\"error\":\"exit status 3\",\"output\":\"a\\nb\\n\"}"},
      {"shell that is killed", request_for("GET /shell?cmd=kill%20-9%20%24%24"), "200|{\"error\":\"signal: killed\"}"},
      {"dial without request", request_for("GET /dial?host=127.0.0.1&port=1"), plain + "request parameter not specified. <nil>\n"},
      {"dial, protocol", request_for("GET /dial?host=127.0.0.1&port=1&request=x&protocol=quic"), plain + "unsupported protocol. quic\n"},
      {"dial, tries", request_for("GET /dial?host=127.0.0.1&port=1&request=x&tries=x"), plain + "tries parameter is invalid. strconv.Atoi: parsing \"x\": invalid syntax\n"},
      {"dial, refused", request_for("GET /dial?host=127.0.0.1&port=1&request=x&tries=2"),
       "200|{\"errors\":[\"Get \\\"http://127.0.0.1:1/x\\\": dial tcp 127.0.0.1:1: connect: connection refused\",\"Get \\\"http://127.0.0.1:1/x\\\": dial tcp 127.0.0.1:1: connect: connection refused\"]}"},
      {"upload of nothing", request_for("POST /upload"), "200|{\"error\":\"Unable to upload file.\"}"},
  };
  AppHandler handler = netexec_handler(state, "");
  expect_rows(handler, rows);
  state->ready = true;
  EXPECT_EQ(shown(handler(request_for("GET /healthz"))), "200|");
  EXPECT_EQ(shown(handler(request_for("GET /readyz"))), "200|ok");
  state->shutting_down = true;
  EXPECT_EQ(shown(handler(request_for("GET /readyz"))), "503|shutting down");
  EXPECT_TRUE(std::regex_match(handler(request_for("GET /")).body, std::regex("NOW: \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{9} .* m=\\+\\d+\\.\\d{9}")));
  EXPECT_EQ(shown(netexec_handler(state, "/echo?code=404&msg=gone")(request_for("POST /hostname"))), "404|gone");
}

TEST(Agnhost, netexec_exit) {
  auto state = netexec_state();
  std::string got;
  state->exit = [&](int code, std::chrono::nanoseconds wait, std::chrono::nanoseconds timeout) {
    got = std::to_string(code) + " " + std::to_string(wait.count()) + " " + std::to_string(timeout.count());
  };
  AppHandler handler = netexec_handler(state, "");
  const Row rows[] = {
      {"code", request_for("GET /exit?code=3&wait=1s&timeout=2s"), "3 1000000000 2000000000"},
      {"nothing", request_for("GET /exit"), "0 0 0"},
      {"shutdown", request_for("GET /shutdown"), "0 0 0"},
      {"no code", request_for("GET /exit?code=x"), ""},
      {"no duration", request_for("GET /exit?timeout=1"), ""},
  };
  for (const Row& row : rows) {
    got.clear();
    handler(row.in);
    EXPECT_EQ(got, row.want) << row.name;
  }
}

TEST(Agnhost, netexec_messages) {
  MessageHandler handler = netexec_messages(netexec_state(), "UDP");
  const std::pair<const char*, const char*> rows[] = {{"hostname", "web-0"}, {"hostName\n", "web-0"}, {"echo Some Text ", "some text"}, {"clientip", "1.2.3.4:5"},
                                                      {"other", "(none)"}, {"", "(none)"}, {"echo", "(none)"}};
  for (const auto& [in, want] : rows) EXPECT_EQ(handler(in, "1.2.3.4:5").value_or("(none)"), want) << in;
}

TEST(Apps, heads) {
  struct HeadRow {
    const char* name;
    AppRequest request;
    AppResponse response;
    bool keep_alive;
    const char* want;
  };
  const std::string date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  AppResponse typed = text_response("{}", 201);
  typed.headers = {{"X-Z", "1"}, {"Content-Type", "application/json"}};
  AppResponse split = text_response("");
  split.headers = {{"Location", "/a\r\nSet-Cookie: x"}};
  const HeadRow rows[] = {
      {"text", request_for("GET /"), text_response("hi"), true, "HTTP/1.1 200 OK\r\nD\nContent-Length: 2\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"},
      {"closing", request_for("GET /"), text_response("hi"), false, "HTTP/1.1 200 OK\r\nD\nContent-Length: 2\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"},
      {"empty", request_for("GET /"), text_response(""), true, "HTTP/1.1 200 OK\r\nD\nContent-Length: 0\r\n\r\n"},
      {"own headers by name", request_for("GET /"), typed, true, "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nX-Z: 1\r\nD\nContent-Length: 2\r\n\r\n"},
      {"no content", request_for("GET /"), text_response("", 204), true, "HTTP/1.1 204 No Content\r\nD\n\r\n"},
      {"unknown status", request_for("GET /"), text_response("", 599), true, "HTTP/1.1 599 status code 599\r\nD\nContent-Length: 0\r\n\r\n"},
      {"a line break does not make a header", request_for("GET /"), split, true, "HTTP/1.1 200 OK\r\nLocation: /a  Set-Cookie: x\r\nD\nContent-Length: 0\r\n\r\n"},
  };
  for (const HeadRow& row : rows) {
    std::string want = row.want;
    want.replace(want.find("D\n"), 2, date);
    EXPECT_EQ(render_app_head(row.request, row.response, row.keep_alive, 784111777), want) << row.name;
  }
}

TEST(Agnhost, split_host_port) {
  const std::pair<const char*, const char*> rows[] = {{"a:80", "a 80"}, {"[::1]:80", "::1 80"}, {":80", " 80"}, {"a", "address a: missing port in address"},
                                                      {"::1", "address ::1: too many colons in address"}, {"[::1]", "address [::1]: missing port in address"},
                                                      {"[::1", "address [::1: missing ']' in address"}, {"", "address : missing port in address"}};
  for (const auto& [in, want] : rows) {
    auto got = split_host_port(in);
    EXPECT_EQ(got.ok() ? got->first + " " + got->second : got.error().message, want) << in;
  }
}

}  // namespace
