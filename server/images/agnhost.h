// server/images/agnhost.h - the built-in agnhost, the image that Kubernetes' own tests use for clients and servers. Same
// subcommands, flags, answers and error words; see agnhost.cc for those that there are.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/images/app_server.h"

namespace server::images {

// A subcommand's own words, without program and subcommand; the exit code.
using AgnhostMain = int (*)(const std::vector<std::string>& args);
int agnhost_connect(const std::vector<std::string>& args);
int agnhost_netexec(const std::vector<std::string>& args);
int agnhost_porter(const std::vector<std::string>& args);
int agnhost_serve_hostname(const std::vector<std::string>& args);
int agnhost_test_webserver(const std::vector<std::string>& args);
int agnhost_liveness(const std::vector<std::string>& args);
// What cobra prints for a command line that is wrong; 1.
int agnhost_usage_error(const std::string& subcommand, const std::string& flags, const std::string& message);

// netexec's answers, without sockets of its own: what it listens on is told to it.
struct NetexecState {
  std::string hostname;
  std::atomic<bool> ready = false;          // A UDP or SCTP server runs.
  std::atomic<bool> shutting_down = false;
  std::function<void(int code, std::chrono::nanoseconds wait, std::chrono::nanoseconds timeout)> exit;
};
AppHandler netexec_handler(const std::shared_ptr<NetexecState>& state, const std::string& http_override);
MessageHandler netexec_messages(const std::shared_ptr<NetexecState>& state, const char* protocol);

// --- agnhost_dial.cc: clients. Errors are texts as Go gives them; blocking.
struct DialError {
  enum class Kind { kTimeout, kRefused, kOther };
  Kind kind = Kind::kOther;
  std::string text;   // "dial tcp 10.0.0.1:80: connect: connection refused"
};
struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
};
// The first address, IPv4 before IPv6. The error is a text: "lookup x on 10.96.0.10:53: no such host".
base::Result<Endpoint> resolve_endpoint(const std::string& host, const std::string& port, Transport transport);
// "host:port", "[::1]:80": both parts, or "address x: missing port in address".
base::Result<std::pair<std::string, std::string>> split_host_port(const std::string& text);
// Connected within `limit` (0: as long as the kernel tries), else the error. `source_port` 0: any.
std::optional<DialError> connect_endpoint(Transport transport, const Endpoint& to, std::chrono::nanoseconds limit, base::Fd& out, uint16_t source_port = 0);
// One message and the answer. A stream or a datagram.
std::optional<DialError> exchange(const base::Fd& fd, Transport transport, const std::string& message, std::chrono::nanoseconds limit, std::string& answer);
// GET `url_path` (without its first slash); the body in `answer`.
std::optional<DialError> http_get(const Endpoint& to, const std::string& url_path, std::chrono::nanoseconds limit, std::string& answer);

// --- agnhost_shell.cc
struct ShellResult {
  std::string output;  // Both streams.
  std::string error;   // "exit status 1", "signal: killed"; empty: 0.
};
ShellResult run_shell(const std::string& command);

}  // namespace server::images
