// agnhost's clients: name look-up, connecting, one question and its answer.
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "store/base/text.h"

#include "server/images/agnhost.h"

namespace server::images {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kMaxAnswer = 16 * 1024 * 1024;

std::string lower_error(int err) {
  std::string text = std::strerror(err);
  text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

const char* network(Transport transport) { return transport == Transport::kUdp ? "udp" : transport == Transport::kSctp ? "sctp" : "tcp"; }

std::string first_nameserver() {
  base::Result<std::string> text = base::read_file("/etc/resolv.conf");
  if (!text.ok()) return "";
  size_t at = text->find("nameserver ");
  if (at == std::string::npos) return "";
  at += 11;
  std::string server = text->substr(at, text->find_first_of(" \t\r\n", at) - at);
  return server.find(':') == std::string::npos ? server + ":53" : "[" + server + "]:53";
}

// A moment, or none: then waiting has no end.
struct Deadline {
  explicit Deadline(std::chrono::nanoseconds limit) : bounded(limit.count() > 0), end(Clock::now() + std::min<std::chrono::nanoseconds>(limit, std::chrono::hours(24))) {}
  int poll_time() const {
    if (!bounded) return -1;
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    return static_cast<int>(std::max<int64_t>(0, left));
  }
  bool bounded;
  Clock::time_point end;
};

// False: time is up.
bool wait_for(int fd, short events, const Deadline& deadline) {
  pollfd poll_fd{fd, events, 0};
  for (;;) {
    int n = ::poll(&poll_fd, 1, deadline.poll_time());
    if (n > 0) return true;
    if (n == 0) return false;
  }
}

DialError failure(const std::string& what, int err) {
  return {err == ETIMEDOUT ? DialError::Kind::kTimeout : err == ECONNREFUSED ? DialError::Kind::kRefused : DialError::Kind::kOther, what + lower_error(err)};
}

std::string ends_of(const base::Fd& fd) {
  sockaddr_storage here{}, there{};
  socklen_t size = sizeof here;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&here), &size);
  size = sizeof there;
  ::getpeername(fd.get(), reinterpret_cast<sockaddr*>(&there), &size);
  return endpoint_text(here) + "->" + endpoint_text(there);
}

// Takes a whole HTTP answer apart. kMore until it is there; at the end of the connection `ended` decides.
enum class Whole { kMore, kDone, kBad };
Whole take_answer(const std::string& input, bool ended, std::string& body) {
  size_t head_end = input.find("\r\n\r\n");
  if (head_end == std::string::npos) return ended ? Whole::kBad : Whole::kMore;
  if (input.compare(0, 5, "HTTP/") != 0) return Whole::kBad;
  std::string head = input.substr(0, head_end + 2);
  head = base::lower(head);
  std::string_view rest = std::string_view(input).substr(head_end + 4);
  if (head.find("\r\ntransfer-encoding: chunked\r\n") != std::string::npos) {
    std::string content;
    ChunkSkipper chunks(content);
    size_t at = 0;
    ChunkSkipper::State state = chunks.skip(rest, at);
    if (state == ChunkSkipper::State::kMore) return ended ? Whole::kBad : Whole::kMore;
    body = std::move(content);
    return state == ChunkSkipper::State::kDone ? Whole::kDone : Whole::kBad;
  }
  size_t length_at = head.find("\r\ncontent-length:");
  if (length_at == std::string::npos) {
    body = rest;
    return ended ? Whole::kDone : Whole::kMore;
  }
  uint64_t length = std::strtoull(head.c_str() + length_at + 17, nullptr, 10);
  if (rest.size() < length) return ended ? Whole::kBad : Whole::kMore;
  body = rest.substr(0, static_cast<size_t>(length));
  return Whole::kDone;
}

}  // namespace

base::Result<std::pair<std::string, std::string>> split_host_port(const std::string& text) {
  auto invalid = [&](const char* why) { return base::Error(base::Code::kInvalid, "address " + text + ": " + why); };
  size_t colon = text.find_last_of(':');
  if (colon == std::string::npos) return invalid("missing port in address");
  std::string host = text.substr(0, colon);
  if (!text.empty() && text[0] == '[') {
    size_t close = text.find(']');
    if (close == std::string::npos) return invalid("missing ']' in address");
    if (close + 1 != colon) return invalid(close + 1 == text.size() ? "missing port in address" : "too many colons in address");
    host = text.substr(1, close - 1);
  } else if (host.find(':') != std::string::npos) {
    return invalid("too many colons in address");
  }
  return std::make_pair(host, text.substr(colon + 1));
}

base::Result<Endpoint> resolve_endpoint(const std::string& host, const std::string& port, Transport transport) {
  addrinfo hints{};
  hints.ai_socktype = transport == Transport::kUdp ? SOCK_DGRAM : SOCK_STREAM;
  addrinfo* found = nullptr;
  bool number = !port.empty() && std::all_of(port.begin(), port.end(), [](unsigned char c) { return std::isdigit(c); });
  if (number && (port.size() > 5 || std::stoi(port) > 65535)) return base::Error(base::Code::kInvalid, "address " + port + ": invalid port");
  // No host is this one.
  int err = ::getaddrinfo(host.empty() ? "127.0.0.1" : host.c_str(), port.c_str(), &hints, &found);
  if (err == EAI_SERVICE) return base::Error(base::Code::kInvalid, std::string("lookup ") + network(transport) + "/" + port + ": unknown port");
  if (err != 0) {
    std::string server = first_nameserver();
    const char* why = err == EAI_AGAIN ? "i/o timeout" : err == EAI_FAIL ? "server misbehaving" : "no such host";
    return base::Error(base::Code::kInvalid, "lookup " + host + (server.empty() ? "" : " on " + server) + ": " + why);
  }
  const addrinfo* chosen = found;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (each->ai_family == AF_INET && chosen->ai_family != AF_INET) chosen = each;
  }
  Endpoint out;
  out.size = chosen->ai_addrlen;
  std::memcpy(&out.address, chosen->ai_addr, chosen->ai_addrlen);
  ::freeaddrinfo(found);
  return out;
}

std::optional<DialError> connect_endpoint(Transport transport, const Endpoint& to, std::chrono::nanoseconds limit, base::Fd& out, uint16_t source_port) {
  const std::string what = std::string("dial ") + network(transport) + " " + endpoint_text(to.address) + ": ";
  int type = transport == Transport::kUdp ? SOCK_DGRAM : SOCK_STREAM;
  base::Fd fd(::socket(to.address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, transport == Transport::kSctp ? IPPROTO_SCTP : 0));
  if (!fd) return failure(what + "socket: ", errno);
  if (source_port != 0) {
    int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_storage from{};
    from.ss_family = to.address.ss_family;
    reinterpret_cast<sockaddr_in&>(from).sin_port = htons(source_port);  // Both families have it at the same place.
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&from), to.size) != 0) return failure(what + "bind: ", errno);
  }
  Deadline deadline(limit);
  int err = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to.address), to.size) == 0 ? 0 : errno;
  if (err == EINPROGRESS) {
    if (!wait_for(fd.get(), POLLOUT, deadline)) return DialError{DialError::Kind::kTimeout, what + "i/o timeout"};
    socklen_t size = sizeof err;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &err, &size);
  }
  if (err != 0) return failure(what + "connect: ", err);
  out = std::move(fd);
  return std::nullopt;
}

std::optional<DialError> exchange(const base::Fd& fd, Transport transport, const std::string& message, std::chrono::nanoseconds limit, std::string& answer) {
  Deadline deadline(limit);
  const std::string ends = std::string(" ") + network(transport) + " " + ends_of(fd) + ": ";
  if (::send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) return failure("write" + ends + "write: ", errno);
  char buffer[2048];
  for (;;) {
    if (!wait_for(fd.get(), POLLIN, deadline)) return DialError{DialError::Kind::kTimeout, "read" + ends + "i/o timeout"};
    ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n < 0) return failure("read" + ends + "read: ", errno);
    if (n == 0 && transport != Transport::kUdp) return DialError{DialError::Kind::kOther, "EOF"};
    answer.assign(buffer, static_cast<size_t>(n));
    return std::nullopt;
  }
}

std::optional<DialError> http_get(const Endpoint& to, const std::string& url_path, std::chrono::nanoseconds limit, std::string& answer) {
  const std::string host = endpoint_text(to.address);
  const std::string prefix = "Get \"http://" + host + "/" + url_path + "\": ";
  const auto start = Clock::now();
  base::Fd fd;
  if (auto error = connect_endpoint(Transport::kTcp, to, limit, fd)) {
    error->text = prefix + error->text + (error->kind == DialError::Kind::kTimeout ? " (Client.Timeout exceeded while awaiting headers)" : "");
    return error;
  }
  Deadline deadline(std::max<std::chrono::nanoseconds>(std::chrono::nanoseconds(1), limit - (Clock::now() - start)));
  const std::string request = "GET /" + url_path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: Go-http-client/1.1\r\nConnection: close\r\n\r\n";
  for (size_t sent = 0; sent < request.size();) {
    if (!wait_for(fd.get(), POLLOUT, deadline)) break;
    ssize_t n = ::send(fd.get(), request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return failure(prefix + "write tcp " + ends_of(fd) + ": write: ", errno);
    sent += n > 0 ? static_cast<size_t>(n) : 0;
  }
  std::string input;
  char buffer[8192];
  for (;;) {
    if (!wait_for(fd.get(), POLLIN, deadline)) {
      bool head = input.find("\r\n\r\n") != std::string::npos;
      return DialError{DialError::Kind::kTimeout, prefix + "context deadline exceeded (Client.Timeout" + (head ? " or context cancellation while reading body)" : " exceeded while awaiting headers)")};
    }
    ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n < 0) return failure(prefix + "read tcp " + ends_of(fd) + ": read: ", errno);
    input.append(buffer, static_cast<size_t>(n));
    Whole whole = take_answer(input, n == 0, answer);
    if (whole == Whole::kDone) return std::nullopt;
    if (whole == Whole::kBad || input.size() > kMaxAnswer) return DialError{DialError::Kind::kOther, prefix + (input.empty() ? "EOF" : "unexpected EOF")};
  }
}

}  // namespace server::images
