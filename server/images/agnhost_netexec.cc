// agnhost netexec: a server whose answers tell who asked, who answered, and what it is told to say.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

#include "server/images/agnhost.h"
#include "server/images/go_flags.h"
#include "server/images/go_text.h"
#include "server/images/multipart.h"
#include "store/base/text.h"

namespace server::images {
namespace {

constexpr auto kDialTime = std::chrono::seconds(5);
constexpr int kMaxTries = 10000;

std::string bad_argument(const char* name, const char* kind, const std::string& value) {
  return std::string("argument '") + name + "' must be " + kind + " or empty, got " + go_quoted(value) + "\n";
}

AppResponse clientip(const NetexecState&, const AppRequest& request) {
  go_log("GET /clientip");
  return text_response(request.remote);
}

AppResponse echo(const NetexecState&, const AppRequest& request) {
  std::string message = request.form("msg"), code = request.form("code");
  go_log("GET /echo?msg=" + message + "&code=" + code);
  std::optional<int> status = code.empty() ? 200 : parse_go_int(code);
  if (!status) return text_response(bad_argument("code", "an integer", code));
  return text_response(message, *status);
}

AppResponse exit_server(const NetexecState& state, const AppRequest& request) {
  std::string wait_text = request.form("wait"), timeout_text = request.form("timeout"), code_text = request.form("code");
  go_log("GET /exit?code=" + code_text + "&timeout=" + timeout_text + "&wait=" + wait_text);
  constexpr std::chrono::nanoseconds kNone{0};
  auto timeout = timeout_text.empty() ? kNone : parse_go_duration(timeout_text);
  if (!timeout) return text_response(bad_argument("timeout", "a valid golang duration", timeout_text));
  auto wait = wait_text.empty() ? kNone : parse_go_duration(wait_text);
  if (!wait) return text_response(bad_argument("wait", "a valid golang duration", wait_text));
  auto code = code_text.empty() ? 0 : parse_go_int(code_text);
  if (!code) return text_response(bad_argument("code", "an integer [0-127]", code_text));
  go_log("Will begin shutdown in " + render_go_duration(*wait) + ", allowing " + render_go_duration(*timeout) + " for connections to close, then will exit with " +
         std::to_string(*code));
  state.exit(*code, *wait, *timeout);
  return text_response("");
}

AppResponse shutdown_server(const NetexecState& state, const AppRequest&) {
  go_log("GET /shutdown");
  state.exit(0, {}, {});
  return text_response("");
}

AppResponse header(const NetexecState&, const AppRequest& request) {
  std::string key = request.form("key");
  go_log(key.empty() ? "GET /header" : "GET /header?key=" + key);
  if (!key.empty()) {
    const std::string* value = request.header(canonical_header(key));
    return text_response(value == nullptr ? "" : *value);
  }
  std::map<std::string, std::string> by_name;
  for (const auto& [name, value] : request.headers) by_name[name] += (by_name[name].empty() ? "" : ",") + go_json_string(value);
  std::string out;
  for (const auto& [name, values] : by_name) out += (out.empty() ? "{" : ",") + go_json_string(name) + ":[" + values + "]";
  return text_response(out.empty() ? "{}" : out + "}");
}

AppResponse healthz(const NetexecState& state, const AppRequest&) {
  go_log("GET /healthz");
  return text_response("", state.ready ? 200 : 412);
}

AppResponse readyz(const NetexecState& state, const AppRequest&) {
  go_log("GET /readyz");
  if (state.shutting_down) return text_response("shutting down", 503);
  return state.ready ? text_response("ok") : text_response("", 412);
}

AppResponse hostname(const NetexecState& state, const AppRequest& request) {
  go_log("GET " + request.path);
  return text_response(state.hostname);
}

AppResponse root(const NetexecState&, const AppRequest&) {
  go_log("GET /");
  return text_response("NOW: " + go_now());
}

std::string html_escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '&') out += "&amp;";
    else if (c == '"') out += "&#34;";
    else if (c == '\'') out += "&#39;";
    else out += c;
  }
  return out;
}

AppResponse redirect(const NetexecState&, const AppRequest& request) {
  std::string location = request.form("location"), code = request.form("code");
  go_log(request.method + " /redirect?msg=" + location + "&code=" + code);
  std::optional<int> status = code.empty() ? 302 : parse_go_int(code);
  if (!status) return text_response(bad_argument("code", "an integer", code));
  // A place without host and leading slash is beside this one.
  if (location.find("://") == std::string::npos && (location.empty() || location[0] != '/')) location = "/" + location;
  AppResponse response = text_response("", *status);
  response.headers.emplace_back("Location", location);
  bool shows_page = request.method == "GET" || request.method == "HEAD";
  if (!shows_page) return response;
  response.headers.emplace_back("Content-Type", "text/html; charset=utf-8");
  if (request.method == "GET") response.body = "<a href=\"" + html_escaped(location) + "\">" + status_text(*status) + "</a>.\n\n";
  return response;
}

AppResponse shell(const NetexecState&, const AppRequest& request) {
  std::string command = request.form("shellCommand");
  if (command.empty()) command = request.form("cmd");
  go_log("GET /shell?cmd=" + command);
  ShellResult result = run_shell(command);
  std::string out;
  if (!result.error.empty()) out += "\"error\":" + go_json_string(result.error);
  if (!result.output.empty()) out += std::string(out.empty() ? "" : ",") + "\"output\":" + go_json_string(result.output);
  go_log("Output: " + out);
  return text_response("{" + out + "}");
}

AppResponse upload_failed(const char* why, const std::string& detail) {
  go_log(std::string(why) + " " + detail);
  return text_response("{\"error\":" + go_json_string(why) + "}");
}

AppResponse upload(const NetexecState&, const AppRequest& request) {
  go_log("GET /upload");
  const std::string* type = request.header("Content-Type");
  std::optional<std::string> content = type == nullptr ? std::nullopt : multipart_file(*type, request.body, "file");
  if (!content) return upload_failed("Unable to upload file.", "no form with a file");
  std::string path = "/uploads/uploadXXXXXX";
  base::Fd file(::mkostemp(path.data(), O_CLOEXEC));
  if (!file) return upload_failed("Unable to open file for write", path);
  if (!base::write_all(file.get(), content->data(), content->size()).ok()) return upload_failed("Unable to write file.", path);
  ::fchmod(file.get(), 0700);
  go_log("Wrote upload to " + path);
  return text_response("{\"output\":" + go_json_string(path) + "}", 201);
}

std::optional<DialError> ask(Transport transport, const Endpoint& to, const std::string& message, std::string& answer) {
  base::Fd fd;
  const char* name = transport == Transport::kUdp ? "udp" : "sctp";
  auto error = connect_endpoint(transport, to, kDialTime, fd);
  if (error) {
    error->text = std::string(name) + " dial failed. err:" + error->text;
    return error;
  }
  error = exchange(fd, transport, message, kDialTime, answer);
  if (!error && answer.empty()) error = DialError{DialError::Kind::kOther, "<nil>"};
  if (error) error->text = std::string("reading from ") + name + " connection failed. err:'" + error->text + "'";
  return error;
}

std::string json_list(const std::vector<std::string>& values) {
  std::string out = "[";
  for (const std::string& value : values) out += (out.size() == 1 ? "" : ",") + go_json_string(value);
  return out + "]";
}

AppResponse dial(const NetexecState&, const AppRequest& request) {
  auto value = [&](const char* name) { return query_value(request.query, name); };
  const std::string host = value("host"), port = value("port"), what = value("request"), tries_text = value("tries");
  std::string protocol = value("protocol");
  go_log("GET /dial?host=" + host + "&protocol=" + protocol + "&port=" + port + "&request=" + what + "&tries=" + tries_text);
  std::optional<int> tries = tries_text.empty() ? 1 : parse_go_int(tries_text);
  if (!tries) return error_text("tries parameter is invalid. strconv.Atoi: parsing " + go_quoted(tries_text) + ": invalid syntax", 400);
  if (what.empty()) return error_text("request parameter not specified. <nil>", 400);
  protocol = base::lower(protocol);
  bool http = protocol.empty() || protocol == "http";
  if (!http && protocol != "udp" && protocol != "sctp") return error_text("unsupported protocol. " + value("protocol"), 400);
  Transport transport = http ? Transport::kTcp : protocol == "udp" ? Transport::kUdp : Transport::kSctp;
  base::Result<Endpoint> to = resolve_endpoint(host, port, transport);
  if (!to.ok()) return error_text("host and/or port param are invalid. " + to.error().message, 400);
  std::vector<std::string> responses, errors;
  std::string answer;
  for (int i = 0; i < std::min(*tries, kMaxTries); ++i) {
    answer.clear();
    auto error = http ? http_get(*to, what, kDialTime, answer) : ask(transport, *to, what, answer);
    if (error) errors.push_back(error->text);
    else responses.push_back(answer);
    if (error) answer.clear();
  }
  std::string out;
  if (!errors.empty()) out += "\"errors\":" + json_list(errors);
  // As in the original the last answer decides whether any are shown.
  if (!answer.empty()) out += std::string(out.empty() ? "" : ",") + "\"responses\":" + json_list(responses);
  return text_response("{" + out + "}");
}

struct Route {
  const char* path;
  AppResponse (*handle)(const NetexecState&, const AppRequest&);
};
constexpr Route kRoutes[] = {{"/clientip", clientip}, {"/dial", dial}, {"/echo", echo}, {"/exit", exit_server}, {"/header", header},
                             {"/healthz", healthz}, {"/hostname", hostname}, {"/hostName", hostname}, {"/readyz", readyz}, {"/redirect", redirect},
                             {"/shell", shell}, {"/shutdown", shutdown_server}, {"/upload", upload}};

AppResponse route(const NetexecState& state, const AppRequest& request) {
  for (const Route& each : kRoutes) {
    if (request.path == each.path) return each.handle(state, request);
  }
  return root(state, request);
}

struct Options {
  int http_port = 8080, udp_port = 8081, sctp_port = -1, delay_shutdown = 0;
  std::string cert, key, http_override, udp_addresses;
};

base::Result<std::shared_ptr<AppTls>> load_tls(const Options& options) {
  if (options.cert.empty()) return std::shared_ptr<AppTls>();
  // The image has a pair of its own at these places; here it is made when asked for.
  bool own = options.cert.find("localhost.crt") != std::string::npos && ::access(options.cert.c_str(), F_OK) != 0;
  return own ? AppTls::make_own() : AppTls::load(options.cert, options.key);
}

std::vector<std::string> split_addresses(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= text.size();) {
    size_t end = std::min(text.find(',', at), text.size());
    std::string each = text.substr(at, end - at);
    if (std::find(out.begin(), out.end(), each) == out.end()) out.push_back(each);
    at = end + 1;
  }
  return out;
}

base::Status listen_all(AppServer& server, const Options& options, const std::shared_ptr<NetexecState>& state) {
  if (options.udp_port != -1) {
    for (const std::string& address : split_addresses(options.udp_addresses)) {
      TRY(server.listen_datagrams({address, static_cast<uint16_t>(options.udp_port)}, netexec_messages(state, "UDP")));
      go_log("Started UDP server on port " + address + " " + std::to_string(options.udp_port));
    }
    state->ready = true;
  }
  if (options.sctp_port != -1) {
    TRY(server.listen_stream(Transport::kSctp, {"", static_cast<uint16_t>(options.sctp_port)}, AppServer::Turn::kWaits, netexec_messages(state, "SCTP")));
    go_log("Started SCTP server");
    state->ready = true;
  }
  std::shared_ptr<AppTls> tls = TRY(load_tls(options));
  TRY(server.listen_http({"", static_cast<uint16_t>(options.http_port)}, netexec_handler(state, options.http_override), tls));
  go_log("Started HTTP server on port " + std::to_string(options.http_port));
  return {};
}

struct ExitWish {
  std::mutex mutex;
  std::condition_variable never;
  bool wished = false;
  int code = 0;
  std::chrono::nanoseconds timeout{0};
};

}  // namespace

AppHandler netexec_handler(const std::shared_ptr<NetexecState>& state, const std::string& http_override) {
  if (http_override.empty()) return [state](const AppRequest& request) { return route(*state, request); };
  return [state, http_override](const AppRequest& request) {
    AppRequest other;
    other.method = "GET";
    size_t question = std::min(http_override.find('?'), http_override.size());
    other.path = decode_query(http_override.substr(0, question));
    other.query = question < http_override.size() ? http_override.substr(question + 1) : "";
    other.target = http_override;
    other.proto = request.proto;
    return route(*state, other);
  };
}

MessageHandler netexec_messages(const std::shared_ptr<NetexecState>& state, const char* protocol) {
  return [state, protocol](std::string_view message, const std::string& peer) -> std::optional<std::string> {
    std::string text(message);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
    text.erase(0, std::min(text.find_first_not_of(" \t\r\n\v\f"), text.size()));
    text = base::lower(text);
    if (text == "hostname") {
      go_log(std::string("Sending ") + (std::string(protocol) == "UDP" ? "udp" : protocol) + " hostName response");
      return state->hostname;
    }
    if (text.rfind("echo ", 0) == 0) {
      go_log("Echoing " + text.substr(5) + " to " + protocol + " client " + peer);
      return text.substr(5);
    }
    if (text == "clientip") {
      go_log(std::string("Sending clientip back to ") + protocol + " client " + peer);
      return peer;
    }
    if (!text.empty()) go_log(std::string("Unknown ") + protocol + " command received from " + peer + ": " + text);
    return std::nullopt;
  };
}

int agnhost_netexec(const std::vector<std::string>& args) {
  Options options;
  const std::vector<GoFlag> flags = {{"delay-shutdown", &options.delay_shutdown, "Number of seconds to delay shutdown when receiving SIGTERM"},
                                     {"http-override", &options.http_override, "Answer every HTTP request as a GET of this path and parameters"},
                                     {"http-port", &options.http_port, "HTTP Listen Port (default 8080)"},
                                     {"sctp-port", &options.sctp_port, "SCTP Listen Port (default -1)"},
                                     {"tls-cert-file", &options.cert, "Certificate for HTTPS"},
                                     {"tls-private-key-file", &options.key, "Private key of --tls-cert-file"},
                                     {"udp-listen-addresses", &options.udp_addresses, "Addresses that the UDP server listens on, with commas between"},
                                     {"udp-port", &options.udp_port, "UDP Listen Port (default 8081)"}};
  base::Result<std::vector<std::string>> words = parse_go_flags(FlagStyle::kCobra, flags, args);
  const std::string usage = render_go_flags(FlagStyle::kCobra, flags);
  if (!words.ok()) return agnhost_usage_error("netexec", usage, words.error().message);
  if (!words->empty()) return agnhost_usage_error("netexec", usage, "unknown command " + go_quoted(words->front()) + " for \"app netexec\"");
  base::Fd stop = stop_signals();
  auto state = std::make_shared<NetexecState>();
  auto wish = std::make_shared<ExitWish>();
  state->hostname = host_name();
  state->exit = [wish](int code, std::chrono::nanoseconds wait, std::chrono::nanoseconds timeout) {
    std::unique_lock lock(wish->mutex);
    wish->never.wait_for(lock, wait, [] { return false; });
    if (timeout.count() <= 0) ::_exit(code);
    wish->wished = true;
    wish->code = code;
    wish->timeout = timeout;
    ::kill(::getpid(), SIGINT);  // Blocked: the main thread reads it.
  };
  AppServer server;
  base::Status listening = listen_all(server, options, state);
  if (!listening.ok()) {
    go_log(listening.error().message);
    return 1;
  }
  server.run(stop);
  std::unique_lock lock(wish->mutex);
  if (wish->wished) {
    lock.unlock();
    bool ended = server.finish(std::chrono::ceil<std::chrono::milliseconds>(wish->timeout));
    go_log(std::string("Graceful shutdown completed with: ") + (ended ? "<nil>" : "context deadline exceeded"));
    ::_exit(wish->code);
  }
  state->shutting_down = true;
  if (options.delay_shutdown > 0) server.run(base::Fd(), std::chrono::seconds(options.delay_shutdown));
  ::_exit(0);
}

}  // namespace server::images
