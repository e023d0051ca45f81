#include "server/http/server.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "server/http/framer.h"
#include "server/http/http_head.h"
#include "server/http/tls_connection.h"
#include "store/base/log.h"

namespace server {
namespace {

using namespace std::chrono_literals;

constexpr auto kHandshakeLimit = 10s;
constexpr auto kHeadLimit = 30s;        // From the first byte of a request to the end of its head.
constexpr int kDrained = 1024;          // Reads after a refusal of clear text.
constexpr auto kLinger = 3s;            // Of a connection whose request was refused.
constexpr size_t kOverflow = 16;        // Connections beyond the limit that are told so with a 503.
// Handlers recurse over JSON and YAML (both bounded); pages that are never touched cost nothing. Functions with buffers
// are not inlined: their pages would stay with each watch.
constexpr size_t kStackSize = 1024 * 1024;

std::string raw_response(const std::string& status_line, const HttpResponse& r) {
  std::string out = "HTTP/1.1 " + status_line + "\r\nContent-Type: " + r.content_type + "\r\nContent-Length: " + std::to_string(r.body.size()) +
                    "\r\nConnection: close\r\n";
  for (const auto& [name, value] : r.headers) out += name + ": " + value + "\r\n";
  return out + "\r\n" + r.body;
}

struct ContextFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, ContextFree>;

int choose_http11(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size, void*) {
  static const unsigned char kProtocols[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kProtocols, sizeof kProtocols - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

base::Error tls_error(const std::string& what) {
  char text[256] = "unknown error";
  if (unsigned long e = ERR_get_error()) ERR_error_string_n(e, text, sizeof text);
  return base::Error(base::Code::kInternal, what + ": " + text);
}

base::Result<ContextPtr> make_context(const HttpServerOptions& options) {
  ContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (!context) return tls_error("TLS");
  SSL_CTX* c = context.get();
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_alpn_select_cb(c, choose_http11, nullptr);
  // Clients of the API keep connections, not sessions; each ticket would cost time in the handshake.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(c, 0);
  static const unsigned char kSessionContext[] = "kubelan";
  SSL_CTX_set_session_id_context(c, kSessionContext, sizeof kSessionContext - 1);
  std::unique_ptr<BIO, decltype(&BIO_free_all)> cert_bio(BIO_new_mem_buf(options.certificate.cert_pem.data(), -1), BIO_free_all);
  std::unique_ptr<BIO, decltype(&BIO_free_all)> key_bio(BIO_new_mem_buf(options.certificate.key_pem.data(), -1), BIO_free_all);
  std::unique_ptr<X509, decltype(&X509_free)> cert(PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr), X509_free);
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  if (!cert || !key || SSL_CTX_use_certificate(c, cert.get()) != 1 || SSL_CTX_use_PrivateKey(c, key.get()) != 1) {
    return tls_error("the server's certificate");
  }
  if (!options.client_ca_pem.empty()) {
    std::unique_ptr<BIO, decltype(&BIO_free_all)> ca_bio(BIO_new_mem_buf(options.client_ca_pem.data(), -1), BIO_free_all);
    std::unique_ptr<X509, decltype(&X509_free)> ca(PEM_read_bio_X509(ca_bio.get(), nullptr, nullptr, nullptr), X509_free);
    if (!ca || X509_STORE_add_cert(SSL_CTX_get_cert_store(c), ca.get()) != 1 || SSL_CTX_add_client_CA(c, ca.get()) != 1) {
      return tls_error("the client CA");
    }
    // Always "yes": TlsConnection looks at the result, see read_identity().
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  }
  return context;
}

class HttpServerImpl final : public HttpServer {
 public:
  HttpServerImpl(std::vector<base::Fd> listeners, const HttpServerOptions& options, HttpHandler handler, ContextPtr context, base::Fd wake)
      : listeners_(std::move(listeners)),
        max_connections_(options.max_connections),
        max_body_(options.max_body),
        context_(std::move(context)),
        wake_(std::move(wake)),
        handler_(std::move(handler)),
        framer_([this](const HttpRequest& r) { return handler_(r); }, {options.max_body, options.max_bodies, options.body_limit}) {
    acceptor_ = std::thread([this] { accept_loop(); });
  }

  ~HttpServerImpl() override {
    stopping_ = true;
    eventfd_write(wake_.get(), 1);
    acceptor_.join();
    std::unique_lock lock(mutex_);
    for (TlsConnection* c : connections_) c->close();
    none_left_.wait(lock, [this] { return threads_ == 0; });
  }

 private:
  struct Start {
    HttpServerImpl* server;
    base::Fd socket;
    bool refuse;
  };

  void accept_loop() {
    pthread_setname_np(pthread_self(), "http-accept");
    std::vector<pollfd> polls;
    for (const base::Fd& fd : listeners_) {
      base::ignore(base::set_nonblocking(fd.get()), "a client that goes away between poll and accept blocks one accept only");
      polls.push_back({fd.get(), POLLIN, 0});
    }
    polls.push_back({wake_.get(), POLLIN, 0});
    while (!stopping_) {
      if (::poll(polls.data(), polls.size(), -1) < 0 && errno != EINTR) return;
      for (size_t i = 0; i + 1 < polls.size() && !stopping_; ++i) {
        if (polls[i].revents) accept_some(polls[i].fd);
      }
    }
  }

  void accept_some(int listener) {
    for (int i = 0; i < 64; ++i) {
      base::Fd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!socket) {
        // Out of descriptors: the listener stays readable; do not spin on it.
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) std::this_thread::sleep_for(20ms);
        return;
      }
      int on = 1;
      ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
      start_thread(std::move(socket));
    }
  }

  void start_thread(base::Fd socket) {
    bool refuse;
    {
      std::lock_guard lock(mutex_);
      if (threads_ >= max_connections_ + kOverflow) return;
      refuse = threads_ >= max_connections_;
      ++threads_;
    }
    auto* start = new Start{this, std::move(socket), refuse};
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, kStackSize);
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, &HttpServerImpl::thread_main, start);
    pthread_attr_destroy(&attributes);
    if (error != 0) {
      base::log::warn("http: no thread for a connection: {}", strerror(error));
      delete start;
      thread_ended();
    }
  }

  static void* thread_main(void* argument) {
    std::unique_ptr<Start> start(static_cast<Start*>(argument));
    HttpServerImpl* server = start->server;
    pthread_setname_np(pthread_self(), "http");
    // OpenSSL writes with write(2): a client that left must not end the process. Threads started here inherit it.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    try {
      server->connection(std::move(start->socket), start->refuse);
    } catch (const std::exception& e) {
      base::log::error("http: connection: {}", e.what());
    }
    start.reset();
    server->thread_ended();
    return nullptr;
  }

  void thread_ended() {
    std::lock_guard lock(mutex_);
    // Notified under the lock: the destructor may free everything as soon as it is released.
    if (--threads_ == 0) none_left_.notify_all();
  }

  // Go's servers say this in clear text too; without it curl reports a bare reset.
  [[gnu::noinline]] static bool is_plain_http(int fd) {
    pollfd p{fd, POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(std::chrono::milliseconds(kHandshakeLimit).count())) <= 0) return false;
    char first = 0;
    if (::recv(fd, &first, 1, MSG_PEEK) != 1 || first < 'A' || first > 'Z') return false;
    static constexpr std::string_view kText =
        "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    ::send(fd, kText.data(), kText.size(), MSG_NOSIGNAL);
    // Closing with unread input resets the connection and the text is lost: read what was sent, briefly.
    ::shutdown(fd, SHUT_WR);
    char sink[4096];
    for (int i = 0; i < kDrained && ::poll(&p, 1, 200) > 0 && ::recv(fd, sink, sizeof sink, 0) > 0; ++i) {
    }
    return true;
  }

  void connection(base::Fd socket, bool refuse) {
    TlsConnection connection(std::move(socket), context_.get());
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
      connections_.insert(&connection);
    }
    const Listed listed{*this, &connection};
    serve_connection(connection, refuse);
  }

  // Takes a connection off the list, however its thread leaves it.
  struct Listed {
    HttpServerImpl& server;
    TlsConnection* connection;
    ~Listed() {
      std::lock_guard lock(server.mutex_);
      server.connections_.erase(connection);
    }
  };

  void serve_connection(TlsConnection& connection, bool refuse) {
    if (is_plain_http(connection.fd())) return;
    if (!connection.handshake(kHandshakeLimit).ok()) return;
    std::string buffer;
    while (!stopping_ && serve_one(connection, &buffer, refuse)) {
    }
    connection.shut_down();
  }

  // Reads into *buffer until it holds a whole head. Nothing: closed, silent, or too large (answered).
  [[gnu::noinline]] std::optional<size_t> read_head(TlsConnection& connection, std::string* buffer) {
    auto deadline = std::chrono::steady_clock::now() + kIdleLimit;
    bool started = !buffer->empty();
    for (;;) {
      if (size_t end = find_head_end(*buffer); end != std::string_view::npos) return end;
      if (buffer->size() > kMaxHead) {
        refuse_connection(connection, "431 Request Header Fields Too Large", 431, "RequestHeaderFieldsTooLarge", "the request's head is too large");
        return std::nullopt;
      }
      if (!started && !buffer->empty()) {
        started = true;
        deadline = std::chrono::steady_clock::now() + kHeadLimit;
      }
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) return std::nullopt;
      char chunk[8192];
      auto n = connection.read_some(chunk, sizeof chunk, left);
      if (!n.ok() || *n == 0) return std::nullopt;
      buffer->append(chunk, *n);
    }
  }

  static void refuse_connection(TlsConnection& connection, const std::string& status_line, int code, const char* reason, const std::string& message) {
    HttpResponse r = status_response(code, reason, message);
    if (code == 503) r.headers.emplace_back("Retry-After", "1");
    base::ignore(connection.write_all(raw_response(status_line, r), kWriteLimit), "the connection is closed anyway");
    linger(connection);
  }

  // A client that is still sending would get a reset before it read the answer: takes a little more.
  [[gnu::noinline]] static void linger(TlsConnection& connection) {
    connection.shut_down();
    const auto end = std::chrono::steady_clock::now() + kLinger;
    char sink[8192];
    while (std::chrono::steady_clock::now() < end) {
      auto n = connection.read_some(sink, sizeof sink, 500ms);
      if (!n.ok() || *n == 0) return;
    }
  }

  bool serve_one(TlsConnection& connection, std::string* buffer, bool refuse) {
    auto end = read_head(connection, buffer);
    if (!end) return false;
    auto head = parse_head(std::string_view(*buffer).substr(0, *end));
    if (!head.ok()) {
      refuse_connection(connection, "400 Bad Request", 400, "BadRequest", head.error().message);
      return false;
    }
    connection.unread(std::string_view(*buffer).substr(*end));
    buffer->clear();
    if (refuse) {
      refuse_connection(connection, "503 Service Unavailable", 503, "ServiceUnavailable", "too many connections");
      return false;
    }
    if (head->content_length.value_or(0) > max_body_) {
      refuse_connection(connection, "413 Request Entity Too Large", 413, "RequestEntityTooLarge",
                        "Request entity too large: limit is " + std::to_string(max_body_));
      return false;
    }
    Exchange exchange{std::move(head->request), std::nullopt};
    exchange.request.user = connection.user();
    exchange.request.groups = connection.groups();
    exchange.request.credential = connection.credential();
    exchange.request.certificate_refused = connection.certificate_refused();
    if (head->upgrade) {
      exchange.response = call_handler(handler_, exchange.request);
      if (exchange.response->upgrade) return take_over(connection, *exchange.response);
    }
    if (framer_.serve(connection, *head, exchange, buffer)) return true;
    if (!exchange.response) linger(connection);  // Its body was refused.
    return false;
  }

  static bool take_over(TlsConnection& connection, HttpResponse& response) {
    std::string head = "HTTP/1.1 101 Switching Protocols\r\n";
    for (const auto& [name, value] : response.headers) head += name + ": " + value + "\r\n";
    head += "\r\n";
    if (!connection.write_all(head, kWriteLimit).ok()) return false;
    try {
      response.upgrade(connection);
    } catch (const std::exception& e) {
      base::log::error("http: upgraded connection: {}", e.what());
    }
    return false;
  }

  std::vector<base::Fd> listeners_;
  size_t max_connections_;
  size_t max_body_;
  ContextPtr context_;
  base::Fd wake_;
  HttpHandler handler_;
  Framer framer_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // Guards connections_ and threads_.
  std::condition_variable none_left_;
  std::unordered_set<TlsConnection*> connections_;
  size_t threads_ = 0;
  std::thread acceptor_;
};

}  // namespace

base::Result<std::unique_ptr<HttpServer>> HttpServer::start(std::vector<base::Fd> listeners, const HttpServerOptions& options, HttpHandler handler) {
  ContextPtr context = TRY(make_context(options));
  base::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return base::os_error("eventfd");
  return std::unique_ptr<HttpServer>(new HttpServerImpl(std::move(listeners), options, std::move(handler), std::move(context), std::move(wake)));
}

}  // namespace server
