// Probes over the network against servers on 127.0.0.1: what each answer, refusal and silence comes to.
#include "server/node_agent/net_action.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <future>
#include <thread>

namespace server {
namespace {

using Result = Outcome::Result;
using std::chrono::milliseconds;

// One connection after another, each handled by `serve`; ends with the object.
class Server {
 public:
  using Serve = std::function<void(int fd)>;
  explicit Server(Serve serve) : serve_(std::move(serve)) {
    listener_ = base::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_.get(), 64) != 0) abort();
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Server() {
    stop_ = true;
    thread_.join();
  }
  int port() const { return port_; }
  bool stopping() const { return stop_; }

 private:
  void run() {
    while (!stop_) {
      pollfd wait{listener_.get(), POLLIN, 0};
      if (::poll(&wait, 1, 10) != 1) continue;
      base::Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (fd) serve_(fd.get());
    }
  }
  Serve serve_;
  base::Fd listener_;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

std::string read_head(int fd) {
  std::string in;
  char buffer[4096];
  while (in.find("\r\n\r\n") == std::string::npos) {
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    in.append(buffer, static_cast<size_t>(n));
  }
  return in;
}
void say(int fd, const std::string& text) { base::ignore(base::write_all(fd, text.data(), text.size()), "the probe may be gone"); }
std::string reply(const std::string& status, const std::string& headers = "", const std::string& body = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
}
// Holds a connection until its other end is gone.
void hold(int fd) {
  char buffer[256];
  while (::read(fd, buffer, sizeof buffer) > 0) {
  }
}

struct NetActionTest : testing::Test {
  Outcome run(const Action& action, milliseconds timeout = milliseconds(5000), bool patient = false, bool hook = false) {
    std::promise<Outcome> got;
    NetAction what{action, "127.0.0.1", timeout, patient, hook};
    run_net_action(io, [](base::Family family, auto done) { done(make_probe_socket(family)); }, what, [&got](Outcome outcome) { got.set_value(std::move(outcome)); });
    return got.get_future().get();
  }
  static Action http(int port, const std::string& path) {
    Action action;
    action.kind = Action::Kind::kHttp;
    action.port = port;
    action.path = path;
    return action;
  }
  static Action of(Action::Kind kind, int port, const std::string& service = "") {
    Action action;
    action.kind = kind;
    action.port = port;
    action.service = service;
    return action;
  }
  static int closed_port() { return Server([](int) {}).port(); }
  base::Loop io{"io"};
};

TEST_F(NetActionTest, HttpAnswers) {
  std::string seen;
  Server server([&](int fd) {
    std::string head = read_head(fd);
    std::string path = head.substr(4, head.find(' ', 4) - 4);
    seen = head;
    if (path == "/ok") say(fd, reply("200 OK", "", "fine"));
    if (path == "/no") say(fd, reply("500 Oops"));
    if (path == "/here") say(fd, reply("302 Found", "Location: /ok\r\n"));
    if (path == "/away") say(fd, reply("301 Moved", "Location: http://elsewhere.test/\r\n", "gone there"));
    if (path == "/round") say(fd, reply("302 Found", "Location: /round\r\n"));
    if (path == "/nowhere") say(fd, reply("304 Not Modified"));
    if (path == "/ssh") say(fd, "SSH-2.0-x\r\n");
    if (path == "/short") say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi");
  });
  const std::string at = "Get \"http://127.0.0.1:" + std::to_string(server.port());
  struct Row {
    const char* path;
    Result want;
    std::string text;
  };
  const Row rows[] = {
      {"/ok", Result::kSuccess, "fine"},
      {"/no", Result::kFailure, "HTTP probe failed with statuscode: 500"},
      {"/here", Result::kSuccess, "fine"},
      {"/away", Result::kWarning, "Probe terminated redirects, Response body: gone there"},
      {"/round", Result::kFailure, at + "/round\": stopped after 10 redirects"},
      {"/nowhere", Result::kWarning, "Probe terminated redirects, Response body: "},
      {"/ssh", Result::kFailure, at + "/ssh\": net/http: HTTP/1.x transport connection broken: malformed HTTP response \"SSH-2.0-x\""},
      {"/empty", Result::kFailure, at + "/empty\": EOF"},
      {"/short", Result::kError, "unexpected EOF"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.path);
    Outcome got = run(http(server.port(), row.path));
    EXPECT_EQ(got.result, row.want);
    EXPECT_EQ(got.text, row.text);
  }
  EXPECT_EQ(run(http(server.port(), "/no"), milliseconds(5000), false, true).result, Result::kSuccess) << "a hook asks for no status";
  EXPECT_NE(seen.find("User-Agent: kube-lifecycle/1.36\r\n"), std::string::npos);
  Action tls = http(server.port(), "/ok");
  tls.https = true;
  Server plain([](int fd) { say(fd, reply("400 Bad Request")); });
  tls.port = plain.port();
  EXPECT_EQ(run(tls).text, "Get \"https://127.0.0.1:" + std::to_string(plain.port()) + "/ok\": http: server gave HTTP response to HTTPS client");
}

TEST_F(NetActionTest, RefusalsAndSilence) {
  int closed = closed_port();
  const std::string to = "127.0.0.1:" + std::to_string(closed);
  EXPECT_EQ(run(of(Action::Kind::kTcp, closed)).text, "dial tcp " + to + ": connect: connection refused");
  EXPECT_EQ(run(http(closed, "/x")).text, "Get \"http://" + to + "/x\": dial tcp " + to + ": connect: connection refused");
  EXPECT_EQ(run(of(Action::Kind::kTcp, closed), milliseconds(50), true).text, "dial tcp " + to + ": connect: connection refused") << "patience ends, too";
  EXPECT_EQ(run(of(Action::Kind::kGrpc, closed), milliseconds(1000)).text, "timeout: failed to connect service \"" + to + "\" within 1s: context deadline exceeded");
  Server silent([](int fd) { hold(fd); });
  EXPECT_EQ(run(http(silent.port(), "/x"), milliseconds(50)).text,
            "Get \"http://127.0.0.1:" + std::to_string(silent.port()) + "/x\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
  EXPECT_EQ(run(of(Action::Kind::kTcp, silent.port())).result, Result::kSuccess);
  Action named = of(Action::Kind::kTcp, 1);
  named.host = "some.name";
  EXPECT_EQ(run(named).text, "dial tcp: lookup some.name: no such host");
  Action nowhere = of(Action::Kind::kTcp, 0);
  nowhere.port_problem = "invalid port number: 0";
  EXPECT_EQ(run(nowhere).result, Result::kError);
}

TEST_F(NetActionTest, ManySilentOnesDelayNobody) {
  Server silent([](int fd) { hold(fd); });
  Server good([](int fd) {
    read_head(fd);
    say(fd, reply("200 OK"));
  });
  std::atomic<int> silent_done{0};
  std::vector<std::function<void()>> cancels;
  auto make = [](base::Family family, auto done) { done(make_probe_socket(family)); };
  for (int i = 0; i < 50; ++i) cancels.push_back(run_net_action(io, make, {http(silent.port(), "/"), "127.0.0.1", milliseconds(60000), false, false}, [&](Outcome) { ++silent_done; }));
  EXPECT_EQ(run(http(good.port(), "/")).result, Result::kSuccess);
  EXPECT_EQ(silent_done, 0);
  for (auto& cancel : cancels) cancel(), cancel();
  EXPECT_EQ(run(http(good.port(), "/")).result, Result::kSuccess);
  EXPECT_EQ(silent_done, 0) << "cancelled ones say nothing";
}

// --- gRPC: a server that answers each call as its service's name says ---

struct GrpcAnswer {
  std::string service, body;
  size_t at = 0;
};

ssize_t read_answer(nghttp2_session* session, int32_t stream, uint8_t* buffer, size_t size, uint32_t* flags, nghttp2_data_source* source, void*) {
  auto* answer = static_cast<GrpcAnswer*>(source->ptr);
  size_t n = std::min(size, answer->body.size() - answer->at);
  std::memcpy(buffer, answer->body.data() + answer->at, n);
  answer->at += n;
  if (answer->at == answer->body.size()) {
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    uint8_t name[] = "grpc-status", value[] = "0";
    nghttp2_nv trailer{name, value, 11, 1, NGHTTP2_NV_FLAG_NONE};
    nghttp2_submit_trailer(session, stream, &trailer, 1);
  }
  return static_cast<ssize_t>(n);
}

nghttp2_nv nv(const char* name, const char* value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name)), reinterpret_cast<uint8_t*>(const_cast<char*>(value)), std::strlen(name), std::strlen(value), NGHTTP2_NV_FLAG_NONE};
}

void answer_call(nghttp2_session* session, int32_t stream, GrpcAnswer& answer) {
  if (answer.service == "absent") {
    nghttp2_nv headers[] = {nv(":status", "200"), nv("content-type", "application/grpc"), nv("grpc-status", "5"), nv("grpc-message", "unknown%20service")};
    nghttp2_submit_response(session, stream, headers, 4, nullptr);
  } else if (answer.service == "old") {
    nghttp2_nv headers[] = {nv(":status", "200"), nv("content-type", "application/grpc"), nv("grpc-status", "12"), nv("grpc-message", "unknown method")};
    nghttp2_submit_response(session, stream, headers, 4, nullptr);
  } else if (answer.service != "mute") {
    answer.body = std::string("\0\0\0\0\2\x08", 6) + (answer.service == "sick" ? '\2' : '\1');
    nghttp2_nv headers[] = {nv(":status", "200"), nv("content-type", "application/grpc+proto")};
    nghttp2_data_provider body{};
    body.source.ptr = &answer;
    body.read_callback = read_answer;
    nghttp2_submit_response(session, stream, headers, 2, &body);
  }
}

void serve_grpc(int fd) {
  GrpcAnswer answer;
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, [](nghttp2_session*, uint8_t, int32_t, const uint8_t* data, size_t size, void* user) {
    if (size > 7) static_cast<GrpcAnswer*>(user)->service.assign(reinterpret_cast<const char*>(data) + 7, size - 7);
    return 0;
  });
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, [](nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_DATA && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) answer_call(session, frame->hd.stream_id, *static_cast<GrpcAnswer*>(user));
    return 0;
  });
  nghttp2_session* session = nullptr;
  nghttp2_session_server_new(&session, callbacks, &answer);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  char buffer[4096];
  for (ssize_t n = 1; n > 0;) {
    const uint8_t* out = nullptr;
    for (ssize_t size = 1; (size = nghttp2_session_mem_send(session, &out)) > 0;) say(fd, std::string(reinterpret_cast<const char*>(out), static_cast<size_t>(size)));
    n = ::read(fd, buffer, sizeof buffer);
    if (n > 0 && nghttp2_session_mem_recv(session, reinterpret_cast<uint8_t*>(buffer), static_cast<size_t>(n)) < 0) break;
  }
  nghttp2_session_del(session);
}

TEST_F(NetActionTest, GrpcAnswers) {
  Server server(serve_grpc);
  struct Row {
    const char* service;
    Result want;
    const char* text;
  };
  const Row rows[] = {
      {"", Result::kSuccess, "service healthy"},
      {"sick", Result::kFailure, "service unhealthy (responded with \"NOT_SERVING\")"},
      {"absent", Result::kFailure, "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"},
      {"old", Result::kFailure, "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown method"},
      {"mute", Result::kFailure, "timeout: health rpc did not complete within 1s"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.service);
    Outcome got = run(of(Action::Kind::kGrpc, server.port(), row.service), milliseconds(std::string(row.service) == "mute" ? 1000 : 5000));
    EXPECT_EQ(got.result, row.want);
    EXPECT_EQ(got.text, row.text);
  }
  Server http_only([](int fd) {
    read_head(fd);
    say(fd, reply("400 Bad Request"));
  });
  EXPECT_EQ(run(of(Action::Kind::kGrpc, http_only.port())).result, Result::kFailure);
}

}  // namespace
}  // namespace server
