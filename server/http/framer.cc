#include "server/http/framer.h"

#include <httplib.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <utility>

#include "store/base/log.h"

namespace server {
namespace {

constexpr size_t kFlushAt = 32 * 1024;  // Two TLS records.
constexpr size_t kSmallBody = 64 * 1024;

// The bytes between httplib and the connection: first the rewritten head, then what the client sends; writes
// are gathered, so that a response's head and body leave in one TLS record.
class TlsStream final : public httplib::Stream {
 public:
  // The request has to be here, whole, within `limit`: a trickle does not hold the connection.
  TlsStream(TlsConnection& connection, std::string head, std::chrono::milliseconds limit)
      : connection_(connection), head_(std::move(head)), deadline_(std::chrono::steady_clock::now() + limit) {}

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
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
      auto n = connection_.read_some(buffer_.data(), buffer_.size(), std::max(left, std::chrono::milliseconds(0)));
      buffer_.resize(n.ok() ? *n : 0);
      if (buffer_.empty()) {
        failed_ = n.ok();  // Closed. One that is only silent can still be told what is wrong.
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
  std::chrono::steady_clock::time_point deadline_;
  size_t at_ = 0;
  std::string buffer_;
  size_t buffer_at_ = 0;
  std::string out_;
  bool failed_ = false;
};

// Gives back what the handshake and the request have left below on this thread's stack: a watch lasts for long, and
// there may be thousands.
void release_stack() {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
  void* lowest = nullptr;
  size_t size = 0;
  pthread_attr_getstack(&attributes, &lowest, &size);
  pthread_attr_destroy(&attributes);
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE)), begin = reinterpret_cast<uintptr_t>(lowest);
  // This frame, and what the calls below need at once.
  const uintptr_t end = (reinterpret_cast<uintptr_t>(&attributes) - 2 * page) / page * page;
  if (end > begin && end < begin + size) ::madvise(lowest, end - begin, MADV_DONTNEED);
}

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

// What large bodies take together. Small ones always pass: the number of connections bounds them.
class BodyBudget {
 public:
  explicit BodyBudget(size_t limit) : limit_(limit) {}
  bool take(size_t bytes) {
    if (taken_.fetch_add(bytes) + bytes <= limit_) return true;
    taken_ -= bytes;
    return false;
  }
  void give_back(size_t bytes) { taken_ -= bytes; }

 private:
  const size_t limit_;
  std::atomic<size_t> taken_{0};
};

// What one request carries through httplib's callbacks.
struct Context {
  TlsConnection& connection;
  TlsStream& stream;
  Exchange& exchange;
  BodyBudget& budget;
  size_t taken = 0;     // Of the budget.
  bool broken = false;  // The connection cannot be used again.

  ~Context() { budget.give_back(taken); }
  // Appends to the body, or says which status refuses it.
  int take(const char* data, size_t size, size_t max_body) {
    std::string& body = exchange.request.body;
    if (body.size() + size > max_body) return 413;
    if (body.size() + size > kSmallBody) {
      const size_t more = body.size() + size - taken;
      if (!budget.take(more)) return 429;
      taken += more;
    }
    body.append(data, size);
    return 0;
  }
  // When the answer is known: it may be a watch, which lasts.
  void drop_body() {
    std::string().swap(exchange.request.body);
    budget.give_back(std::exchange(taken, 0));
  }
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
  const char* what = "unknown";
  std::string text;
  try {
    return handler(request);
  } catch (const std::exception& e) {
    text = e.what();
    what = text.c_str();
  } catch (...) {
  }
  base::log::error("http: {} {}: exception: {}", request.method, request.path, what);
  // As upstream answers a panic, which is no Status either.
  HttpResponse r;
  r.status = 500;
  r.content_type = "text/plain; charset=utf-8";
  r.headers.emplace_back("X-Content-Type-Options", "nosniff");
  r.body = "This request caused apiserver to panic. Look in the logs for details.\n";
  return r;
}

// httplib as the HTTP/1.1 framer. It sees a rewritten head with the path "/", because its own limits and
// features (8 KiB paths, ranges, forms, multipart, compression) are not Kubernetes'.
class Framer::Impl final : public httplib::Server {
 public:
  Impl(HttpHandler handler, const BodyLimits& limits) : handler_(std::move(handler)), limits_(limits), budget_(limits.max_bodies) {
    const size_t max_body = limits.max_body;
    svr_sock_ = 0;  // httplib takes INVALID_SOCKET for "shutting down" and cuts content providers short.
    set_payload_max_length(max_body);
    set_keep_alive_max_count(1u << 30);
    set_keep_alive_timeout(kIdleLimit.count());
    // Read through a content reader: payload_max_length does not bound chunked bodies in httplib 0.11.
    Post("/", [this, max_body](const httplib::Request&, httplib::Response& out, const httplib::ContentReader& reader) {
      int refused = 0;
      bool ok = reader([&](const char* data, size_t size) {
        refused = current()->take(data, size, max_body);
        return refused == 0;
      });
      if (!ok || refused) {
        out.status = refused ? refused : 400;
        return;
      }
      answer(out);
    });
    Get("/", [this](const httplib::Request&, httplib::Response& out) { answer(out); });
    set_error_handler([max_body](const httplib::Request&, httplib::Response& out) {
      if (!current() || current()->exchange.response) return;
      // The body could not be read: where the next request starts is unknown.
      current()->broken = true;
      HttpResponse r = out.status == 413   ? status_response(413, "RequestEntityTooLarge", "Request entity too large: limit is " + std::to_string(max_body))
                       : out.status == 429 ? status_response(429, "TooManyRequests", "Too many requests, please try again later.")
                                           : status_response(out.status, "BadRequest", "the request's body could not be read");
      if (out.status == 429) out.set_header("Retry-After", "1");
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
    context.drop_body();
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
      release_stack();
      auto write = [&](std::string_view bytes) {
        if (bytes.empty()) return context.connection.alive();
        return sink.write(bytes.data(), bytes.size()) && context.stream.flush();
      };
      auto alive = [&] { return !context.stream.failed() && context.connection.alive(); };
      const HttpRequest& request = context.exchange.request;
      try {
        context.exchange.response->stream(write, alive);
      } catch (const std::exception& e) {
        base::log::error("http: {} {}: exception while streaming: {}", request.method, request.path, e.what());
        return false;  // Without its last chunk the client can tell that the answer is not whole.
      }
      sink.done();
      return true;
    });
  }

  HttpHandler handler_;

 public:
  const BodyLimits limits_;
  BodyBudget budget_;
};

Framer::Framer(HttpHandler handler, const BodyLimits& limits) : impl_(std::make_unique<Impl>(std::move(handler), limits)) {}
Framer::~Framer() = default;

bool Framer::serve(TlsConnection& connection, const RequestHead& head, Exchange& exchange, std::string* rest) {
  TlsStream stream(connection, framing_head(exchange.request.method, head), impl_->limits_.time);
  Context context{connection, stream, exchange, impl_->budget_};
  bool keep = impl_->serve(context, !head.keep_alive);
  *rest = std::string(stream.rest());
  return keep && head.keep_alive;
}

}  // namespace server
