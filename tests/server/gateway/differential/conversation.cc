#include "tests/server/gateway/differential/conversation.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <regex>

#include "store/base/fd.h"
#include "store/base/text.h"

namespace differential {
namespace {

using base::lower;

constexpr int kDeadlineMs = 4'000;
const std::string kLast = "GET / HTTP/1.1\r\nHost: end.example\r\nConnection: close\r\n\r\n";

// A blocking connection with a deadline for every read; TLS where asked for.
class Line {
 public:
  Line(uint16_t port, bool tls, const std::string& server_name) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return;
    if (!tls) return;
    context_ = SSL_CTX_new(TLS_client_method());
    ssl_ = SSL_new(context_);
    if (!server_name.empty()) SSL_set_tlsext_host_name(ssl_, server_name.c_str());
    SSL_set_fd(ssl_, fd_.get());
    SSL_connect(ssl_);
  }
  ~Line() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) : ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  // False: nothing more comes, or not in time.
  bool fill() {
    if (ended_) return false;
    char buffer[65536];
    pollfd p{fd_.get(), POLLIN, 0};
    if ((ssl_ == nullptr || SSL_pending(ssl_) == 0) && ::poll(&p, 1, kDeadlineMs) <= 0) return !(late_ = true);
    ssize_t n = ssl_ != nullptr ? SSL_read(ssl_, buffer, sizeof buffer) : ::recv(fd_.get(), buffer, sizeof buffer, 0);
    ended_ = n <= 0;
    if (n > 0) in.append(buffer, static_cast<size_t>(n));
    if (n > 0) raw.append(buffer, static_cast<size_t>(n));
    return n > 0;
  }
  std::string certificate() const {
    X509* shown = ssl_ != nullptr ? SSL_get1_peer_certificate(ssl_) : nullptr;
    if (shown == nullptr) return "";
    BIO* memory = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(memory, shown);
    char* data = nullptr;
    long size = BIO_get_mem_data(memory, &data);
    std::string out(data, static_cast<size_t>(size));
    BIO_free(memory);
    X509_free(shown);
    return out;
  }
  bool late() const { return late_; }

  std::string in, raw;

 private:
  base::Fd fd_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  bool ended_ = false, late_ = false;
};

// Random or of the moment: not compared. "Connection: keep-alive" says what HTTP/1.1 means without it.
bool counts(const std::string& name, const std::string& value) {
  return name != "date" && name != "server" && !(name == "connection" && lower(value) == "keep-alive");
}

// "name: value" of each line of a head but the first, sorted.
std::vector<std::string> read_fields(const std::string& head) {
  static const std::regex kRandomId("[0-9a-f]{32}");
  std::vector<std::string> out;
  for (size_t begin = head.find("\r\n"); begin != std::string::npos;) {
    begin += 2;
    size_t end = head.find("\r\n", begin);
    if (end == std::string::npos || end == begin) break;
    std::string line = head.substr(begin, end - begin);
    begin = end;
    size_t colon = line.find(':');
    std::string name = lower(line.substr(0, colon)), value = colon == std::string::npos ? "" : line.substr(colon + 1);
    value.erase(0, value.find_first_not_of(' ') == std::string::npos ? value.size() : value.find_first_not_of(' '));
    if (name == "x-request-id" && std::regex_match(value, kRandomId)) value = "<random>";
    if (counts(name, value)) out.push_back(name + ": " + value);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string field(const Answer& answer, const std::string& name) {
  for (const std::string& line : answer.headers) {
    if (line.rfind(name + ": ", 0) == 0) return line.substr(name.size() + 2);
  }
  return "";
}

// What an echo says it got, with its fields in order and without the connection's own.
std::string normalise_echo(const std::string& body) {
  size_t end = body.find("\r\n\r\n");
  if (end == std::string::npos) return body;
  std::string out = body.substr(0, body.find("\r\n") + 2);
  for (const std::string& line : read_fields(body.substr(0, end + 4))) out += line + "\r\n";
  return out + body.substr(end + 2);
}

class Reader {
 public:
  Reader(const Request& request, Line& line) : line_(line) {
    // Which of the requests was HEAD: their answers have no body. Only single requests are.
    head_ = request.bytes.rfind("HEAD ", 0) == 0;
  }

  // False: no (further) answer.
  bool read(Answer* out) {
    size_t end;
    while ((end = line_.in.find("\r\n\r\n")) == std::string::npos) {
      if (!line_.fill()) return false;
    }
    if (line_.in.rfind("HTTP/", 0) != 0) return false;
    std::string head = take(end + 4);
    out->status = head.substr(0, head.find("\r\n"));
    out->headers = read_fields(head);
    int status = std::atoi(out->status.c_str() + 9);
    if (status < 200 || status == 204 || status == 304 || (head_ && !last_)) return true;
    read_body(out);
    if (!field(*out, "x-echo").empty()) {
      out->body = normalise_echo(out->body);
      // Its length depends on what differs in the body anyway.
      out->headers.erase(std::remove_if(out->headers.begin(), out->headers.end(), [](const std::string& l) { return l.rfind("content-length: ", 0) == 0; }), out->headers.end());
    }
    return true;
  }
  void expect_last() { last_ = true; }

 private:
  std::string take(size_t n) {
    std::string out = line_.in.substr(0, n);
    line_.in.erase(0, n);
    return out;
  }
  bool have(size_t n) {
    while (line_.in.size() < n) {
      if (!line_.fill()) return false;
    }
    return true;
  }
  void read_body(Answer* out) {
    if (lower(field(*out, "transfer-encoding")) == "chunked") {
      for (;;) {
        while (line_.in.find("\r\n") == std::string::npos) {
          if (!line_.fill()) return void(out->whole = false);
        }
        size_t size = strtoul(take(line_.in.find("\r\n") + 2).c_str(), nullptr, 16);
        if (!have(size + 2)) {
          out->body += take(line_.in.size());
          return void(out->whole = false);
        }
        out->body += take(size);
        take(2);
        if (size == 0) return;
      }
    }
    std::string length = field(*out, "content-length");
    if (length.empty()) {
      while (line_.fill()) {
      }
      out->body = take(line_.in.size());
      return;
    }
    size_t size = strtoul(length.c_str(), nullptr, 10);
    out->whole = have(size);
    out->body = take(std::min(size, line_.in.size()));
  }

  Line& line_;
  bool head_ = false, last_ = false;
};

std::string shown(std::string text) {
  std::string out;
  for (char c : text.substr(0, 400)) {
    if (c == '\r') continue;
    if (c == '\n') out += "\\n";
    else out += c;
  }
  return out.empty() ? "-" : out;
}

void compare_lists(const std::vector<std::string>& a, const std::vector<std::string>& b, const std::string& what, std::vector<std::string>* out) {
  std::vector<std::string> left, right;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(left));
  std::set_difference(b.begin(), b.end(), a.begin(), a.end(), std::back_inserter(right));
  std::map<std::string, std::pair<std::string, std::string>> names;
  for (const std::string& l : left) names[l.substr(0, l.find(": "))].first += "[" + l.substr(l.find(": ") + 2) + "]";
  for (const std::string& l : right) names[l.substr(0, l.find(": "))].second += "[" + l.substr(l.find(": ") + 2) + "]";
  for (const auto& [name, values] : names) out->push_back(what + " " + name + ": " + shown(values.first) + " | " + shown(values.second));
}

// Of an echo: the request line, the fields, and the rest apart.
void compare_bodies(const Answer& a, const Answer& b, std::vector<std::string>* out) {
  if (a.body == b.body) return;
  bool echoes = !field(a, "x-echo").empty() && !field(b, "x-echo").empty();
  if (!echoes) return out->push_back("body: " + shown(a.body) + " | " + shown(b.body));
  std::string first_a = a.body.substr(0, a.body.find("\r\n")), first_b = b.body.substr(0, b.body.find("\r\n"));
  if (first_a != first_b) out->push_back("sent line: " + shown(first_a) + " | " + shown(first_b));
  compare_lists(read_fields(a.body), read_fields(b.body), "sent header", out);
  std::string rest_a = a.body.substr(std::min(a.body.size(), a.body.find("\r\n\r\n"))), rest_b = b.body.substr(std::min(b.body.size(), b.body.find("\r\n\r\n")));
  if (rest_a != rest_b) out->push_back("sent body: " + shown(rest_a) + " | " + shown(rest_b));
}

}  // namespace

Conversation converse(const Request& request, uint16_t port, uint16_t tls_port) {
  static const auto before = signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL.
  (void)before;
  Line line(request.tls ? tls_port : port, request.tls && request.handshake, request.server_name);
  line.send(request.bytes);
  Conversation out;
  out.certificate = line.certificate();
  Reader reader(request, line);
  bool asked_last = false;
  for (Answer answer; reader.read(&answer); answer = Answer()) {
    int status = std::atoi(answer.status.c_str() + 9);
    out.answers.push_back(answer);
    if (status == 101) {
      line.send("ping through the tunnel");
      while (line.in.find("ping through the tunnel") == std::string::npos && line.fill()) {
      }
      out.rest = normalise_echo(line.in);
      return out;
    }
    if (status >= 200 && !asked_last) {
      asked_last = true;
      reader.expect_last();
      line.send(kLast);
    }
  }
  out.answered_in_time = !line.late();
  out.raw = line.raw;
  out.rest = line.in;
  // The last answer is to what was sent last, when the connection was still there for it.
  if (out.answers.size() > 1 && field(out.answers.back(), "connection") == "close" && out.answers.back().status == "HTTP/1.1 403 Forbidden" &&
      out.answers.back().body.find("<center>nginx</center>") != std::string::npos) {
    out.kept = true;
    out.answers.pop_back();
  }
  return out;
}

std::vector<std::string> compare(const Conversation& a, const Conversation& b) {
  std::vector<std::string> out;
  if (a.answers.size() != b.answers.size()) out.push_back("answers: " + std::to_string(a.answers.size()) + " | " + std::to_string(b.answers.size()));
  for (size_t i = 0; i < std::min(a.answers.size(), b.answers.size()); ++i) {
    const Answer& x = a.answers[i];
    const Answer& y = b.answers[i];
    if (x.status != y.status) out.push_back("status: " + shown(x.status) + " | " + shown(y.status));
    compare_lists(x.headers, y.headers, "header", &out);
    compare_bodies(x, y, &out);
    if (x.whole != y.whole) out.push_back(std::string("whole: ") + (x.whole ? "yes" : "no") + " | " + (y.whole ? "yes" : "no"));
  }
  if (a.rest != b.rest) out.push_back("rest: " + shown(a.rest) + " | " + shown(b.rest));
  if (a.kept != b.kept) out.push_back(std::string("kept: ") + (a.kept ? "yes" : "no") + " | " + (b.kept ? "yes" : "no"));
  if (a.answered_in_time != b.answered_in_time) out.push_back(std::string("in time: ") + (a.answered_in_time ? "yes" : "no") + " | " + (b.answered_in_time ? "yes" : "no"));
  return out;
}

}  // namespace differential
