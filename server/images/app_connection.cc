#include "server/images/app_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <exception>

#include "server/images/go_text.h"

namespace server::images {
namespace {

constexpr size_t kMaxBody = 8 * 1024 * 1024;
constexpr size_t kPiece = 64 * 1024;
constexpr int kLingerMs = 500;

class Stream {
 public:
  Stream(int fd, ssl_st* session) : fd_(fd), session_(session) {}
  // False: the end, or an error.
  bool read_more(std::string& input) {
    char buffer[8192];
    if (session_ != nullptr) {
      long n = read_session(session_, buffer, sizeof buffer);
      if (n <= 0) return false;
      input.append(buffer, static_cast<size_t>(n));
      return true;
    }
    for (;;) {
      ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      input.append(buffer, static_cast<size_t>(n));
      return true;
    }
  }
  bool write(std::string_view data) {
    if (session_ != nullptr) return write_session(session_, data.data(), data.size());
    while (!data.empty()) {
      ssize_t n = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      data.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

 private:
  int fd_;
  ssl_st* session_;
};

enum class BodyRead { kDone, kTooLarge, kFailed };

BodyRead read_body(Stream& stream, std::string& input, const HttpRequest& head, std::string& body) {
  if (head.content_length > kMaxBody) return BodyRead::kTooLarge;
  const std::string* expect = head.find("expect");
  bool waits = expect != nullptr && (head.chunked || head.content_length > input.size());
  if (waits && !stream.write("HTTP/1.1 100 Continue\r\n\r\n")) return BodyRead::kFailed;
  if (!head.chunked) {
    while (input.size() < head.content_length) {
      if (!stream.read_more(input)) return BodyRead::kFailed;
    }
    body = input.substr(0, static_cast<size_t>(head.content_length));
    input.erase(0, body.size());
    return BodyRead::kDone;
  }
  ChunkSkipper chunks(body);
  for (;;) {
    size_t at = 0;
    ChunkSkipper::State state = chunks.skip(input, at);
    input.erase(0, at);
    if (state == ChunkSkipper::State::kDone) return BodyRead::kDone;
    if (state == ChunkSkipper::State::kBad) return BodyRead::kFailed;
    if (chunks.body_size() > kMaxBody) return BodyRead::kTooLarge;
    if (!stream.read_more(input)) return BodyRead::kFailed;
  }
}

bool write_response(Stream& stream, const AppRequest& request, const AppResponse& response, bool keep_alive) {
  std::string head = render_app_head(request, response, keep_alive, ::time(nullptr));
  bool silent = request.method == "HEAD" || response.status == 204 || response.status == 304;
  if (silent || !response.make) return stream.write(silent ? head : head + response.body);
  if (!stream.write(head)) return false;
  for (uint64_t at = 0; at < response.size;) {
    std::string piece = response.make(at, static_cast<size_t>(std::min<uint64_t>(kPiece, response.size - at)));
    if (piece.empty() || !stream.write(piece)) return false;
    at += piece.size();
  }
  return true;
}

// A handler that throws ends its connection and not its program.
AppResponse call(const AppHandler& handler, const AppRequest& request) {
  try {
    return handler(request);
  } catch (const std::exception& error) {
    go_log(std::string("http: panic serving ") + request.remote + ": " + error.what());
    AppResponse response;
    response.abort = true;
    return response;
  }
}

// False: close.
bool serve_request(Stream& stream, std::string& input, const HttpRequest& head, const std::string& peer, const AppHandler& handler) {
  std::string body;
  BodyRead read = read_body(stream, input, head, body);
  if (read == BodyRead::kFailed) return false;
  if (read == BodyRead::kTooLarge) {
    stream.write(render_bad_request(413));
    return false;
  }
  AppRequest request = make_app_request(head, std::move(body), peer);
  AppResponse response = call(handler, request);
  if (response.abort || response.status < 100 || response.status > 999) return false;
  bool keep_alive = head.keep_alive && !response.close;
  return write_response(stream, request, response, keep_alive) && keep_alive;
}

void serve_requests(Stream& stream, const std::string& peer, const AppHandler& handler, const ConnectionHooks& hooks) {
  std::string input;
  for (;;) {
    if (input.empty()) {
      if (!hooks.set_busy(false) || !stream.read_more(input)) return;
    }
    hooks.set_busy(true);
    ParsedHead head = parse_head(input);
    while (head.state == ParsedHead::State::kMore) {
      if (!stream.read_more(input)) return;
      head = parse_head(input);
    }
    if (head.state == ParsedHead::State::kBad) {
      stream.write(render_bad_request(head.header_too_large ? 431 : head.status == 414 ? 414 : head.status));
      return;
    }
    input.erase(0, head.consumed);
    if (!serve_request(stream, input, head.request, peer, handler)) return;
  }
}

// Closing with unread input would send a reset, which can destroy the answer on its way.
void linger(int fd) {
  ::shutdown(fd, SHUT_WR);
  char buffer[4096];
  pollfd poll_fd{fd, POLLIN, 0};
  for (int rounds = 0; rounds < 64; ++rounds) {
    if (::poll(&poll_fd, 1, kLingerMs) <= 0 || ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT) <= 0) return;
  }
}

}  // namespace

void serve_http_connection(int fd, const std::string& peer, const AppHandler& handler, const AppTls* tls, const ConnectionHooks& hooks) {
  ssl_st* session = nullptr;
  if (tls != nullptr) {
    char first = 0;
    if (!hooks.set_busy(false) || ::recv(fd, &first, 1, MSG_PEEK) != 1) return;
    // A TLS record starts with 22; a letter is somebody who speaks HTTP.
    if (first >= 'A' && first <= 'Z') {
      Stream(fd, nullptr).write("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
      linger(fd);
      return;
    }
    session = tls->accept(fd);
    if (session == nullptr) {
      go_log("http: TLS handshake error from " + peer);
      return;
    }
  }
  Stream stream(fd, session);
  serve_requests(stream, peer, handler, hooks);
  if (session != nullptr) close_session(session);
  linger(fd);
}

}  // namespace server::images
