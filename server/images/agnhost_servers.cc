// agnhost's smaller servers: serve-hostname, porter, test-webserver, liveness.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "server/images/agnhost.h"
#include "server/images/go_flags.h"
#include "server/images/go_text.h"
#include "server/images/nginx_response.h"

namespace server::images {
namespace {

constexpr auto kDeletionWait = std::chrono::seconds(60);
constexpr auto kHealthyTime = std::chrono::seconds(10);

int fatal(const std::string& text) {
  go_log(text);
  return 1;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// --- porter

struct PortPrefix {
  const char* text;
  Transport transport;
  bool tls;
};
constexpr PortPrefix kPrefixes[] = {{"SERVE_PORT_", Transport::kTcp, false}, {"SERVE_TCP_PORT_", Transport::kTcp, false}, {"SERVE_UDP_PORT_", Transport::kUdp, false},
                                    {"SERVE_TLS_PORT_", Transport::kTcp, true}, {"SERVE_SCTP_PORT_", Transport::kSctp, false}};

AppHandler porter_handler(const std::string& value, bool json) {
  return [value, json](const AppRequest& request) {
    if (!json) return text_response(value);
    AppResponse response = text_response("{\"Method\":" + go_json_string(request.method) + ",\"Body\":" + go_json_string(value) + "}");
    response.headers = {{"Content-Type", "application/json"}};
    return response;
  };
}

base::Result<std::shared_ptr<AppTls>> porter_tls() {
  std::string cert = variable("CERT_FILE"), key = variable("KEY_FILE");
  if (cert.empty() && key.empty() && ::access("localhost.crt", F_OK) != 0) return AppTls::make_own();
  return AppTls::load(cert.empty() ? "localhost.crt" : cert, key.empty() ? "localhost.key" : key);
}

base::Status serve_port(AppServer& server, const PortPrefix& prefix, uint16_t port, const std::string& value, bool json) {
  MessageHandler say = [value](std::string_view, const std::string&) { return std::optional<std::string>(value); };
  const ListenAddress address{"", port};
  if (prefix.transport == Transport::kUdp) {
    TRY(server.listen_datagrams(address, say));
    go_log("Started UDP server on port " + std::to_string(port));
    return {};
  }
  if (prefix.transport == Transport::kSctp) {
    TRY(server.listen_stream(Transport::kSctp, address, AppServer::Turn::kSpeaksFirst, say));
    go_log("Started SCTP server");
    return {};
  }
  std::shared_ptr<AppTls> tls;
  if (prefix.tls) tls = TRY(porter_tls());
  TRY(server.listen_http(address, porter_handler(value, json), tls));
  return {};
}

// --- test-webserver: the files of the container

struct OpenFile {
  base::Fd fd;
  uint64_t size = 0;
};

AppResponse list_directory(const std::string& path) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  if (dir == nullptr) return error_text("Error reading directory", 500);
  std::vector<std::string> names;
  while (dirent* entry = ::readdir(dir.get())) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name + (entry->d_type == DT_DIR ? "/" : ""));
  }
  std::sort(names.begin(), names.end());
  std::string page = "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n";
  for (const std::string& name : names) {
    std::string shown;
    for (char c : name) shown += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&#34;" : std::string(1, c);
    page += "<a href=\"" + shown + "\">" + shown + "</a>\n";
  }
  AppResponse response = text_response(page + "</pre>\n");
  response.headers = {{"Content-Type", "text/html; charset=utf-8"}};
  return response;
}

AppResponse moved_to(const std::string& place) {
  AppResponse response = text_response("", 301);
  response.headers = {{"Location", place}};
  return response;
}

AppResponse serve_file(const AppRequest& request) {
  std::string path = request.path;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return error_text("404 page not found", 404);
  if (S_ISDIR(info.st_mode)) {
    if (path.back() != '/') return moved_to(path.substr(path.find_last_of('/') + 1) + "/");
    if (::stat((path + "index.html").c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return list_directory(path);
    path += "index.html";
  }
  auto file = std::make_shared<OpenFile>();
  // Not blocking: a FIFO or a device in the way must not hold a thread for ever.
  file->fd = base::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file->fd) return error_text("403 Forbidden", 403);
  if (::fstat(file->fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return error_text("404 page not found", 404);
  file->size = static_cast<uint64_t>(info.st_size);
  AppResponse response;
  response.size = file->size;
  response.make = [file](uint64_t at, size_t count) {
    std::string piece(count, '\0');
    ssize_t n = ::pread(file->fd.get(), piece.data(), count, static_cast<off_t>(at));
    piece.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return piece;
  };
  std::string type(content_type(path));
  if (type != "application/octet-stream") response.headers.emplace_back("Content-Type", type.rfind("text/", 0) == 0 ? type + "; charset=utf-8" : type);
  response.headers.emplace_back("Last-Modified", http_date(info.st_mtime));
  return response;
}

// Serves until a signal; then at once the end.
int serve_until_signal(AppServer& server, const base::Fd& stop) {
  server.run(stop);
  std::fflush(nullptr);
  ::_exit(0);
}

}  // namespace

int agnhost_serve_hostname(const std::vector<std::string>& args) {
  bool tcp = false, udp = false, http = true, close = false;
  int port = 9376;
  const std::vector<GoFlag> flags = {{"close", &close, "Close connection per each HTTP request."},
                                     {"http", &http, "Serve HTTP. (default true)"},
                                     {"port", &port, "Port number. (default 9376)"},
                                     {"tcp", &tcp, "Serve raw over TCP."},
                                     {"udp", &udp, "Serve raw over UDP."}};
  base::Result<std::vector<std::string>> words = parse_go_flags(FlagStyle::kCobra, flags, args);
  if (!words.ok()) return agnhost_usage_error("serve-hostname", render_go_flags(FlagStyle::kCobra, flags), words.error().message);
  if (http && (tcp || udp)) return fatal("Can't server TCP/UDP mode and HTTP mode at the same time");
  base::Fd stop = stop_signals();
  const std::string name = host_name();
  const ListenAddress address{"", static_cast<uint16_t>(port)};
  AppServer server;
  auto say = [name](const char* protocol) -> MessageHandler {
    return [name, protocol](std::string_view, const std::string& peer) {
      go_log(std::string(protocol) + " request from " + peer);
      return std::optional<std::string>(name);
    };
  };
  base::Result<uint16_t> listening = address.port;
  if (tcp) listening = server.listen_stream(Transport::kTcp, address, AppServer::Turn::kSpeaksFirst, say("TCP"));
  if (listening.ok() && udp) listening = server.listen_datagrams(address, say("UDP"));
  if (http) {
    listening = server.listen_http(address, [name, close](const AppRequest& request) {
      go_log("HTTP request from " + request.remote);
      AppResponse response = text_response(name);
      response.close = close;
      return response;
    });
  }
  if (!listening.ok()) return fatal((tcp || udp ? "Error from net.Listen(): " : "") + listening.error().message);
  go_log("Serving on port " + std::to_string(port) + ".");
  server.run(stop);
  go_log("Shutting down after receiving signal: terminated.");
  go_log("Awaiting pod deletion.");
  server.run(base::Fd(), kDeletionWait);
  ::_exit(0);
}

int agnhost_porter(const std::vector<std::string>& args) {
  bool json = false;
  const std::vector<GoFlag> flags = {{"json-response", &json, "Answers are JSON that tells the request's method too"}};
  base::Result<std::vector<std::string>> words = parse_go_flags(FlagStyle::kCobra, flags, args);
  if (!words.ok()) return agnhost_usage_error("porter", render_go_flags(FlagStyle::kCobra, flags), words.error().message);
  base::Fd stop = stop_signals();
  AppServer server;
  for (char** each = ::environ; each != nullptr && *each != nullptr; ++each) {
    const std::string pair = *each;
    size_t equals = std::min(pair.find('='), pair.size());
    for (const PortPrefix& prefix : kPrefixes) {
      if (pair.rfind(prefix.text, 0) != 0) continue;
      const std::string port = pair.substr(std::string(prefix.text).size(), equals - std::string(prefix.text).size());
      std::optional<int> number = parse_go_int(port);
      base::Status served;
      if (!number || *number < 1 || *number > 65535) served = base::Error(base::Code::kInvalid, "listen tcp: address " + port + ": invalid port");
      else served = serve_port(server, prefix, static_cast<uint16_t>(*number), pair.substr(std::min(equals + 1, pair.size())), json);
      // One that does not work does not end the others, except for messages: so the original.
      if (!served.ok()) go_log("server on port " + go_quoted(port) + " failed: " + served.error().message);
      if (!served.ok() && prefix.transport != Transport::kTcp) return 1;
    }
  }
  return serve_until_signal(server, stop);
}

int agnhost_test_webserver(const std::vector<std::string>& args) {
  int port = 80;
  const std::vector<GoFlag> flags = {{"port", &port, "Port number. (default 80)"}};
  base::Result<std::vector<std::string>> words = parse_go_flags(FlagStyle::kCobra, flags, args);
  if (!words.ok()) return agnhost_usage_error("test-webserver", render_go_flags(FlagStyle::kCobra, flags), words.error().message);
  base::Fd stop = stop_signals();
  AppServer server;
  base::Result<uint16_t> listening = server.listen_http({"", static_cast<uint16_t>(port)}, serve_file);
  if (!listening.ok()) return fatal(listening.error().message);
  return serve_until_signal(server, stop);
}

// Well for ten seconds, then ill.
int agnhost_liveness(const std::vector<std::string>& args) {
  if (!args.empty()) return agnhost_usage_error("liveness", "", "unknown command " + go_quoted(args[0]) + " for \"app liveness\"");
  base::Fd stop = stop_signals();
  AppServer server;
  const auto start = std::chrono::steady_clock::now();
  base::Result<uint16_t> listening = server.listen_http({"", 8080}, [start](const AppRequest& request) {
    auto age = std::chrono::steady_clock::now() - start;
    if (request.path == "/started") return text_response(render_go_duration(age));
    if (request.path != "/healthz") return error_text("404 page not found", 404);
    return age > kHealthyTime ? text_response("error: " + render_go_duration(age), 500) : text_response("ok");
  });
  if (!listening.ok()) return fatal(listening.error().message);
  return serve_until_signal(server, stop);
}

}  // namespace server::images
