// agnhost connect: can this be reached? One word says why not.
#include <cstdio>

#include "server/images/agnhost.h"
#include "server/images/go_flags.h"

namespace server::images {
namespace {

int say(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  return 1;
}

std::string tcp_word(const DialError& error) {
  switch (error.kind) {
    case DialError::Kind::kTimeout: return "TIMEOUT";
    case DialError::Kind::kRefused: return "REFUSED";
    case DialError::Kind::kOther: break;
  }
  return "OTHER: " + error.text;
}

std::string udp_word(const DialError& error) {
  const char* word = error.kind == DialError::Kind::kTimeout ? "TIMEOUT" : error.kind == DialError::Kind::kRefused ? "REFUSED" : "UNKNOWN";
  return std::string(word) + ": " + error.text;
}

std::string sctp_word(const DialError& error) { return error.kind == DialError::Kind::kTimeout ? "TIMEOUT" : "OTHER: " + error.text; }

int connect_by(Transport transport, const std::string& destination, std::chrono::nanoseconds limit, const std::string& data) {
  base::Result<std::pair<std::string, std::string>> parts = split_host_port(destination);
  // Only TCP tells a broken address from a name that is not there.
  if (!parts.ok()) return say((transport == Transport::kTcp ? "UNKNOWN: " : "DNS: ") + parts.error().message);
  base::Result<Endpoint> to = resolve_endpoint(parts->first, parts->second, transport);
  if (!to.ok()) return say("DNS: " + to.error().message);
  base::Fd fd;
  auto start = std::chrono::steady_clock::now();
  if (auto error = connect_endpoint(transport, *to, limit, fd)) {
    return say(transport == Transport::kSctp ? sctp_word(*error) : transport == Transport::kTcp ? tcp_word(*error) : "OTHER: " + error->text);
  }
  if (transport == Transport::kTcp) return 0;
  std::chrono::nanoseconds left = limit.count() == 0 ? limit : std::max<std::chrono::nanoseconds>(std::chrono::nanoseconds(1), limit - (std::chrono::steady_clock::now() - start));
  std::string answer;
  if (auto error = exchange(fd, transport, data + "\n", left, answer)) return say(transport == Transport::kUdp ? udp_word(*error) : sctp_word(*error));
  if (transport == Transport::kUdp && answer.empty()) return say("OTHER: No data received from the server. Cannot guarantee the server received the request.");
  return 0;
}

}  // namespace

int agnhost_connect(const std::vector<std::string>& args) {
  std::chrono::nanoseconds timeout{0};
  std::string protocol = "tcp", udp_data = "hostname", sctp_data = "hostname";
  const std::vector<GoFlag> flags = {{"protocol", &protocol, "The protocol to use: tcp, udp or sctp"},
                                     {"sctp-data", &sctp_data, "What is sent to an SCTP server"},
                                     {"timeout", &timeout, "Maximum time before returning an error"},
                                     {"udp-data", &udp_data, "What is sent to a UDP server"}};
  base::Result<std::vector<std::string>> words = parse_go_flags(FlagStyle::kCobra, flags, args);
  const std::string usage = render_go_flags(FlagStyle::kCobra, flags);
  if (!words.ok()) return agnhost_usage_error("connect [host:port]", usage, words.error().message);
  if (words->size() != 1) return agnhost_usage_error("connect [host:port]", usage, "accepts 1 arg(s), received " + std::to_string(words->size()));
  if (protocol.empty() || protocol == "tcp") return connect_by(Transport::kTcp, words->front(), timeout, "");
  if (protocol == "udp") return connect_by(Transport::kUdp, words->front(), timeout, udp_data);
  // Here no time is no time at all, as in the original.
  if (protocol == "sctp") return connect_by(Transport::kSctp, words->front(), timeout.count() == 0 ? std::chrono::nanoseconds(1) : timeout, sctp_data);
  std::fprintf(stderr, "Unsupported protocol\n%s", protocol.c_str());
  return 1;
}

}  // namespace server::images
