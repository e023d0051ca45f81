#include "server/http/framer.h"

#include <httplib.h>
#include <spdlog/spdlog.h>

#include <cstring>

namespace server {
namespace {

constexpr size_t kFlushAt = 32 * 1024;  // Two TLS records.

// The bytes between httplib and the connection: first the rewritten head, then what the client sends; writes
// are gathered, so that a response's head and body leave in one TLS record.
class TlsStream final : public httplib::Stream {
 public:
  TlsStream(TlsConnection& connection, std::string head) : connection_(connection), head_(std::move(head)) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return !failed_; }
  ssize_t read(char* ptr, size_t size) override {
    if (at_ < head_.size()) {
      size_t n = std::min(size, head_.size() - at_);
      memcpy(ptr, head_.data() + at_, n);
      at_ += n;
      return static_cast<ssize_t>(n);
    }
    // httplib reads chunk sizes byte by byte.
    if (buffer_at_ == buffer_.size()) {
      flush();  // "100 Continue" must leave before the body is waited for.
      buffer_.resize(16 * 1024);
      buffer_at_ = 0;
      auto n = connection_.read_some(buffer_.data(), buffer_.size(), kBodyLimit);
      buffer_.resize(n.ok() ? *n : 0);
      if (buffer_.empty()) {
        failed_ = true;
        return n.ok() ? 0 : -1;
      }
    }
    size_t n = std::min(size, buffer_.size() - buffer_at_);
    memcpy(ptr, buffer_.data() + buffer_at_, n);
    buffer_at_ += n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* ptr, size_t size) override {
    if (failed_) return -1;
    if (out_.size() + size > kFlushAt) {
      if (!flush()) return -1;
      if (size > kFlushAt) {
        failed_ = !connection_.write_all(std::string_view(ptr, size), kWriteLimit).ok();
        return failed_ ? -1 : static_cast<ssize_t>(size);
      }
    }
    out_.append(ptr, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override { ip.clear(), port = 0; }
  void get_local_ip_and_port(std::string& ip, int& port) const override { ip.clear(), port = 0; }
  socket_t socket() const override { return connection_.fd(); }

  bool flush() {
    if (!out_.empty() && !failed_) failed_ = !connection_.write_all(out_, kWriteLimit).ok();
    out_.clear();
    return !failed_;
  }
  bool failed() const { return failed_; }
  // What was read beyond the request: the start of the next one.
  std::string_view rest() const { return std::string_view(buffer_).substr(buffer_at_); }

 private:
  TlsConnection& connection_;
  std::string head_;
  size_t at_ = 0;
  std::string buffer_;
  size_t buffer_at_ = 0;
  std::string out_;
  bool failed_ = false;
};

std::string json_escape(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

std::string framing_head(const std::string& method, const RequestHead& head) {
  // Always a body for httplib (POST, "/"), so that DELETE and GET with and without one are read alike.
  std::string out = method == "HEAD" ? "HEAD / " : "POST / ";
  out += head.http10 ? "HTTP/1.0\r\n" : "HTTP/1.1\r\n";
  out += head.keep_alive ? (head.http10 ? "Connection: keep-alive\r\n" : "") : "Connection: close\r\n";
  if (head.expect_continue) out += "Expect: 100-continue\r\n";
  if (head.chunked) {
    out += "Transfer-Encoding: chunked\r\n";
  } else {
    out += "Content-Length: " + std::to_string(head.content_length.value_or(0)) + "\r\n";
  }
  return out + "\r\n";
}

// What one request carries through httplib's callbacks.
struct Context {
  TlsConnection& connection;
  TlsStream& stream;
  Exchange& exchange;
  bool broken = false;  // The connection cannot be used again.
};

}  // namespace

HttpResponse status_response(int code, const char* reason, const std::string& message) {
  HttpResponse r;
  r.status = code;
  r.body = R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":")" + json_escape(message) + R"(","reason":")" +
           reason + R"(","details":{},"code":)" + std::to_string(code) + "}\n";
  return r;
}

HttpResponse call_handler(const HttpHandler& handler, const HttpRequest& request) {
  try {
    return handler(request);
  } catch (const std::exception& e) {
    spdlog::error("http: {} {}: exception: {}", request.method, request.path, e.what());
    return status_response(500, "InternalError", "Internal error occurred: " + std::string(e.what()));
  } catch (...) {
    spdlog::error("http: {} {}: unknown exception", request.method, request.path);
    return status_response(500, "InternalError", "Internal error occurred");
  }
}

// httplib as the HTTP/1.1 framer. It sees a rewritten head with the path "/", because its own limits and
// features (8 KiB paths, ranges, forms, multipart, compression) are not Kubernetes'.
class Framer::Impl final : public httplib::Server {
 public:
  Impl(HttpHandler handler, size_t max_body) : handler_(std::move(handler)) {
    svr_sock_ = 0;  // httplib takes INVALID_SOCKET for "shutting down" and cuts content providers short.
    set_payload_max_length(max_body);
    set_keep_alive_max_count(1u << 30);
    set_keep_alive_timeout(kIdleLimit.count());
    // Read through a content reader: payload_max_length does not bound chunked bodies in httplib 0.11.
    Post("/", [this, max_body](const httplib::Request&, httplib::Response& out, const httplib::ContentReader& reader) {
      std::string& body = current()->exchange.request.body;
      bool too_large = false;
      bool ok = reader([&](const char* data, size_t size) {
        too_large = body.size() + size > max_body;
        if (!too_large) body.append(data, size);
        return !too_large;
      });
      if (!ok || too_large) {
        out.status = too_large ? 413 : 400;
        return;
      }
      answer(out);
    });
    Get("/", [this](const httplib::Request&, httplib::Response& out) { answer(out); });
    set_error_handler([max_body](const httplib::Request&, httplib::Response& out) {
      if (!current() || current()->exchange.response) return;
      // The body could not be read: where the next request starts is unknown.
      current()->broken = true;
      HttpResponse r = out.status == 413
                           ? status_response(413, "RequestEntityTooLarge", "Request entity too large: limit is " + std::to_string(max_body))
                           : status_response(out.status, "BadRequest", "the request's body could not be read");
      out.set_content(r.body, r.content_type);
    });
  }

  bool serve(Context& context, bool close_connection) {
    bool closed = false;
    bool ok = process_request(context.stream, close_connection, closed, [&](httplib::Request&) { current() = &context; });
    current() = nullptr;
    return context.stream.flush() && ok && !closed && !context.broken;
  }

 private:
  static Context*& current() {
    static thread_local Context* context = nullptr;
    return context;
  }

  void answer(httplib::Response& out) {
    Context& context = *current();
    Exchange& exchange = context.exchange;
    if (!exchange.response) exchange.response = call_handler(handler_, exchange.request);
    HttpResponse& r = *exchange.response;
    out.status = r.status;
    for (const auto& [name, value] : r.headers) out.set_header(name, value);
    if (r.stream) {
      stream_body(context, out);
    } else if (r.shared_body && !r.shared_body->empty()) {
      auto bytes = r.shared_body;
      out.set_content_provider(bytes->size(), r.content_type, [bytes](size_t offset, size_t length, httplib::DataSink& sink) {
        return sink.write(bytes->data() + offset, length);
      });
    } else if (!r.body.empty()) {
      out.set_content(std::move(r.body), r.content_type);
    } else if (r.status != 304 && r.status != 204) {
      out.set_header("Content-Type", r.content_type);
    }
  }

  static void stream_body(Context& context, httplib::Response& out) {
    out.set_chunked_content_provider(context.exchange.response->content_type, [&context](size_t, httplib::DataSink& sink) {
      context.stream.flush();  // The head: a watch may stay without events for long.
      auto write = [&](std::string_view bytes) {
        if (bytes.empty()) return context.connection.alive();
        return sink.write(bytes.data(), bytes.size()) && context.stream.flush();
      };
      auto alive = [&] { return !context.stream.failed() && context.connection.alive(); };
      const HttpRequest& request = context.exchange.request;
      try {
        context.exchange.response->stream(write, alive);
      } catch (const std::exception& e) {
        spdlog::error("http: {} {}: exception while streaming: {}", request.method, request.path, e.what());
        context.broken = true;
      }
      sink.done();
      return true;
    });
  }

  HttpHandler handler_;
};

Framer::Framer(HttpHandler handler, size_t max_body) : impl_(std::make_unique<Impl>(std::move(handler), max_body)) {}
Framer::~Framer() = default;

bool Framer::serve(TlsConnection& connection, const RequestHead& head, Exchange& exchange, std::string* rest) {
  TlsStream stream(connection, framing_head(exchange.request.method, head));
  Context context{connection, stream, exchange};
  bool keep = impl_->serve(context, !head.keep_alive);
  *rest = std::string(stream.rest());
  return keep && head.keep_alive;
}

}  // namespace server
