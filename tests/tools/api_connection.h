// tests/tools/api_connection.h - one TLS connection to an API server, as a plain client has it: requests one after the
// other, or one watch, line by line. For tests and benchmarks that want the bytes and the moments, without a library
// in between. Errors throw std::runtime_error. One thread at a time.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace load {

// Client identity, and shared TLS settings of many connections. No certificate: an anonymous client.
class Credentials {
 public:
  Credentials();
  // PEM, as files have it.
  Credentials(const std::string& cert_pem, const std::string& key_pem);
  SSL_CTX* context() const { return context_.get(); }

 private:
  std::shared_ptr<SSL_CTX> context_;
};

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;  // Names lower-cased; the last of several.
  std::string body;
  size_t head_size = 0;
};

struct Request {
  std::string method = "GET";
  std::string target;
  std::string body;
  std::string content_type = "application/json";
  std::string accept = "application/json";
  std::string more_headers;  // "Name: value\r\n"...
};

class ApiConnection {
 public:
  using Limit = std::chrono::milliseconds;
  ApiConnection(int port, const Credentials& credentials);
  ~ApiConnection();
  ApiConnection(const ApiConnection&) = delete;

  Answer call(const Request& request);
  Answer call(const std::string& method, const std::string& target, const std::string& body = "", const std::string& content_type = "application/json");

  // A watch: the head now, the lines later. An answer that is not 200 is read whole.
  Answer start(const Request& request);
  enum class More { kLine, kNothing, kEnd };
  // One line of the stream without its end; kNothing when none came in time; kEnd after the last.
  More line(std::string* out, Limit wait);
  // Without waiting: every whole line that is there. False once the stream ended.
  bool take_lines(const std::function<void(std::string_view)>& visit);

  // The bytes as they are, for what is no proper request.
  void send(std::string_view bytes);
  // What came within `wait`; empty: nothing, or the end (see ended()).
  std::string receive(Limit wait);
  bool ended() const { return ended_; }
  // The server's answer to what was sent, with its body.
  Answer read_answer();
  int fd() const { return fd_; }

 private:
  struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  bool fill(Limit wait);  // More bytes into in_; false: none in time, or the end.
  bool wait_for(short events, Limit wait) const;
  Answer read_head();
  void read_body(Answer& answer);
  // Moves what is whole of the chunked stream to lines_.
  void decode();

  int fd_ = -1;
  std::unique_ptr<SSL, SslFree> ssl_;
  bool ended_ = false;      // Nothing more will be read.
  std::string in_;          // Read, not looked at.
  std::string lines_;       // Of the stream, without its chunks.
  size_t chunk_left_ = 0;
  bool last_chunk_ = false;
};

}  // namespace load
