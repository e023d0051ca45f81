#include "tests/tools/api_connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace load {
namespace {

constexpr std::chrono::seconds kPatience{60};

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error("api connection: " + what); }

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

Credentials::Credentials() : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {}

Credentials::Credentials(const std::string& cert_pem, const std::string& key_pem) : Credentials() {
  std::unique_ptr<BIO, decltype(&BIO_free_all)> c(BIO_new_mem_buf(cert_pem.data(), static_cast<int>(cert_pem.size())), BIO_free_all);
  std::unique_ptr<BIO, decltype(&BIO_free_all)> k(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())), BIO_free_all);
  std::unique_ptr<X509, decltype(&X509_free)> cert(PEM_read_bio_X509(c.get(), nullptr, nullptr, nullptr), X509_free);
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(PEM_read_bio_PrivateKey(k.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  if (!cert || !key || SSL_CTX_use_certificate(context(), cert.get()) != 1 || SSL_CTX_use_PrivateKey(context(), key.get()) != 1) fail("no usable certificate");
}

ApiConnection::ApiConnection(int port, const Credentials& credentials) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd_);
    fail("connect");
  }
  int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ssl_.reset(SSL_new(credentials.context()));
  SSL_set_fd(ssl_.get(), fd_);
  ERR_clear_error();
  if (SSL_connect(ssl_.get()) != 1) {
    ::close(fd_);
    fail("TLS");
  }
  ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
}

ApiConnection::~ApiConnection() {
  ssl_.reset();
  ::close(fd_);
}

bool ApiConnection::wait_for(short events, Limit wait) const {
  pollfd p{fd_, events, 0};
  return ::poll(&p, 1, static_cast<int>(wait.count())) > 0;
}

void ApiConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    ERR_clear_error();
    int n = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), 1 << 20)));
    if (n > 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
      continue;
    }
    int error = SSL_get_error(ssl_.get(), n);
    if (error == SSL_ERROR_WANT_WRITE ? !wait_for(POLLOUT, kPatience) : error == SSL_ERROR_WANT_READ ? !wait_for(POLLIN, kPatience) : true) fail("write");
  }
}

bool ApiConnection::fill(Limit wait) {
  const auto end = std::chrono::steady_clock::now() + wait;
  while (!ended_) {
    char chunk[16 * 1024];
    ERR_clear_error();
    int n = SSL_read(ssl_.get(), chunk, sizeof chunk);
    if (n > 0) {
      in_.append(chunk, static_cast<size_t>(n));
      return true;
    }
    int error = SSL_get_error(ssl_.get(), n);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      ended_ = true;
      break;
    }
    auto left = std::chrono::duration_cast<Limit>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !wait_for(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, left)) return false;
  }
  return false;
}

std::string ApiConnection::receive(Limit wait) {
  if (in_.empty()) fill(wait);
  std::string out = std::move(in_);
  in_.clear();
  return out;
}

Answer ApiConnection::read_head() {
  size_t end;
  while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill(kPatience)) fail(ended_ ? "closed before an answer" : "no answer");
  }
  Answer out;
  std::string head = in_.substr(0, end + 2);
  in_.erase(0, end + 4);
  out.head_size = end + 4;
  if (!head.starts_with("HTTP/1.1 ")) fail("not HTTP: " + head.substr(0, 80));
  out.status = std::stoi(head.substr(9));
  for (size_t at = head.find("\r\n") + 2; at < head.size();) {
    size_t stop = head.find("\r\n", at), colon = head.find(": ", at);
    if (colon < stop) out.headers[lower(head.substr(at, colon - at))] = head.substr(colon + 2, stop - colon - 2);
    at = stop + 2;
  }
  chunk_left_ = 0;
  last_chunk_ = false;
  lines_.clear();
  if (out.status == 100) return read_head();
  return out;
}

void ApiConnection::decode() {
  size_t at = 0;
  while (!last_chunk_ && at < in_.size()) {
    if (chunk_left_ == 0) {
      size_t end = in_.find("\r\n", at);
      if (end == std::string::npos) break;
      size_t size = std::stoul(in_.substr(at, end - at), nullptr, 16);
      // What follows the last chunk's size is an empty line.
      if (size == 0 && in_.size() < end + 4) break;
      at = end + 2;
      if (size == 0) {
        at += 2;
        last_chunk_ = true;
      }
      else chunk_left_ = size + 2;
      continue;
    }
    size_t n = std::min(chunk_left_, in_.size() - at);
    size_t text = chunk_left_ > 2 ? std::min(n, chunk_left_ - 2) : 0;
    lines_.append(in_, at, text);
    at += n;
    chunk_left_ -= n;
  }
  in_.erase(0, at);
}

void ApiConnection::read_body(Answer& answer) {
  if (answer.headers.count("transfer-encoding")) {
    for (decode(); !last_chunk_; decode()) {
      if (!fill(kPatience)) fail("the answer was cut short");
    }
    answer.body = std::move(lines_);
    lines_.clear();
    return;
  }
  auto length = answer.headers.find("content-length");
  size_t size = length == answer.headers.end() ? 0 : std::stoul(length->second);
  while (in_.size() < size) {
    if (!fill(kPatience)) fail("the answer was cut short");
  }
  answer.body = in_.substr(0, size);
  in_.erase(0, size);
}

Answer ApiConnection::read_answer() {
  Answer answer = read_head();
  read_body(answer);
  return answer;
}

Answer ApiConnection::start(const Request& r) {
  std::string text = r.method + " " + r.target + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load/1\r\nAccept: " + r.accept + "\r\n" + r.more_headers;
  if (!r.body.empty()) text += "Content-Type: " + r.content_type + "\r\n";
  if (!r.body.empty() || r.method != "GET") text += "Content-Length: " + std::to_string(r.body.size()) + "\r\n";
  send(text + "\r\n" + r.body);
  Answer answer = read_head();
  if (answer.status != 200) read_body(answer);
  return answer;
}

Answer ApiConnection::call(const Request& request) {
  Answer answer = start(request);
  if (answer.status == 200) read_body(answer);
  return answer;
}

Answer ApiConnection::call(const std::string& method, const std::string& target, const std::string& body, const std::string& content_type) {
  return call(Request{method, target, body, content_type});
}

ApiConnection::More ApiConnection::line(std::string* out, Limit wait) {
  for (;;) {
    decode();
    if (size_t end = lines_.find('\n'); end != std::string::npos) {
      *out = lines_.substr(0, end);
      lines_.erase(0, end + 1);
      return More::kLine;
    }
    if (last_chunk_ || ended_) return More::kEnd;
    if (!fill(wait) && !ended_) return More::kNothing;
  }
}

bool ApiConnection::take_lines(const std::function<void(std::string_view)>& visit) {
  while (fill(Limit(0))) {
  }
  decode();
  size_t at = 0;
  for (size_t end; (end = lines_.find('\n', at)) != std::string::npos; at = end + 1) visit(std::string_view(lines_).substr(at, end - at));
  lines_.erase(0, at);
  return !last_chunk_ && !ended_;
}

}  // namespace load
