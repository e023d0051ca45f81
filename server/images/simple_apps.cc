#include "server/images/simple_apps.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <limits>
#include <mutex>

#include "server/images/go_text.h"
#include "store/base/text.h"

namespace server::images {
namespace {

void print_line(const std::string& line) { base::ignore(base::write_all(1, line.data(), line.size()), "nobody reads the log"); }

std::string local_stamp(const char* format) {
  time_t now = ::time(nullptr);
  struct tm parts {};
  ::localtime_r(&now, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof text, format, &parts));
}

std::string header_or_empty(const AppRequest& request, const char* name) {
  const std::string* value = request.header(name);
  return value == nullptr ? "" : *value;
}

// The request as the wire form that Go would send it in: host and agent first, the rest by name.
std::string dump_request(const AppRequest& request) {
  std::string out = request.method + " " + request.target + " HTTP/1.1\r\nHost: " + request.host + "\r\n";
  const std::string* agent = request.header("User-Agent");
  out += "User-Agent: " + (agent == nullptr ? std::string("Go-http-client/1.1") : *agent) + "\r\n";
  if (request.wants_close) out += "Connection: close\r\n";
  bool sized = !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (request.chunked) out += "Transfer-Encoding: chunked\r\n";
  else if (sized) out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  Headers sorted = request.headers;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [name, value] : sorted) {
    bool written = name == "User-Agent" || name == "Content-Length" || name == "Transfer-Encoding" || (name == "Connection" && request.wants_close);
    if (!written) out += name + ": " + value + "\r\n";
  }
  out += "\r\n";
  if (!request.chunked) return out + request.body;
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", request.body.size());
  return out + (request.body.empty() ? "" : size + request.body + "\r\n") + "0\r\n\r\n";
}

std::string json_list(const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& value : values) out += (out.empty() ? "[" : ",") + go_json_string(value);
  return out + "]";
}

std::string json_headers(const Headers& headers) {
  std::map<std::string, std::vector<std::string>> by_name;
  for (const auto& [name, value] : headers) by_name[name].push_back(value);
  std::string out;
  for (const auto& [name, values] : by_name) out += (out.empty() ? "{" : ",") + go_json_string(name) + ":" + json_list(values);
  return out + "}";
}

class Whoami {
 public:
  explicit Whoami(WhoamiOptions options) : options_(std::move(options)) {}

  AppResponse handle(const AppRequest& request) {
    AppResponse response = route(request);
    if (options_.verbose) {
      go_log(request.remote + " - - [" + local_stamp("%d/%b/%Y:%H:%M:%S %z") + "] \"" + request.method + " " + request.path + " " + request.proto + "\" - -");
    }
    return response;
  }

 private:
  AppResponse route(const AppRequest& request) {
    if (request.path == "/api") return api(request);
    if (request.path == "/bench") return bench();
    if (request.path == "/data") return data(request);
    if (request.path == "/health") return health(request);
    if (request.path == "/echo") return echo();
    return whoami(request);
  }

  bool shows_environment(const AppRequest& request) const { return parse_go_bool(query_value(request.query, "env")).value_or(false); }

  AppResponse whoami(const AppRequest& request) {
    if (auto wait = parse_go_duration(query_value(request.query, "wait"))) pause_for(*wait);
    std::string out;
    if (!options_.name.empty()) out += "Name: " + options_.name + "\n";
    out += "Hostname: " + options_.hostname + "\n";
    for (const std::string& address : options_.addresses) out += "IP: " + address + "\n";
    out += "RemoteAddr: " + request.remote + "\n" + dump_request(request);
    if (shows_environment(request)) {
      for (const auto& [name, value] : options_.environment) out += name + "=" + value + "\n";
    }
    return text_response(std::move(out));
  }

  AppResponse api(const AppRequest& request) const {
    std::string out = "{\"hostname\":" + go_json_string(options_.hostname);
    if (!options_.addresses.empty()) out += ",\"ip\":" + json_list(options_.addresses);
    if (!request.headers.empty()) out += ",\"headers\":" + json_headers(request.headers);
    out += ",\"url\":" + go_json_string(request.target) + ",\"host\":" + go_json_string(request.host) + ",\"method\":" + go_json_string(request.method);
    if (!options_.name.empty()) out += ",\"name\":" + go_json_string(options_.name);
    out += ",\"remoteAddr\":" + go_json_string(request.remote);
    if (shows_environment(request) && !options_.environment.empty()) {
      std::string pairs;
      for (const auto& [name, value] : options_.environment) pairs += (pairs.empty() ? "" : ",") + go_json_string(name) + ":" + go_json_string(value);
      out += ",\"environ\":{" + pairs + "}";
    }
    AppResponse response = text_response(out + "}\n");
    response.headers = {{"Access-Control-Allow-Methods", "*"}, {"Access-Control-Allow-Origin", options_.allowed_origins}, {"Content-Type", "application/json"}};
    return response;
  }

  static AppResponse bench() {
    AppResponse response = text_response("1");
    response.headers = {{"Connection", "keep-alive"}, {"Content-Type", "text/plain"}};
    return response;
  }

  // '|', then the alphabet over and over, then '|'.
  static AppResponse data(const AppRequest& request) {
    constexpr std::string_view kAlphabet = "-ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    struct Unit {
      const char* name;
      int shift;
    };
    constexpr Unit kUnits[] = {{"kb", 10}, {"mb", 20}, {"gb", 30}, {"tb", 40}};
    std::string unit = query_value(request.query, "unit");
    unit = base::lower(unit);
    uint64_t size = static_cast<uint64_t>(std::max(0, parse_go_int(query_value(request.query, "size")).value_or(1)));
    for (const Unit& each : kUnits) {
      if (unit == each.name) size <<= each.shift;
    }
    AppResponse response;
    // The real one gives nothing where there is no room for both ends.
    if (size < 2) return response;
    response.size = size;
    response.make = [size, kAlphabet](uint64_t at, size_t count) {
      std::string piece(static_cast<size_t>(std::min<uint64_t>(count, size - std::min(at, size))), '|');
      for (size_t i = 0; i < piece.size(); ++i) {
        if (at + i != 0 && at + i + 1 != size) piece[i] = kAlphabet[(at + i) % kAlphabet.size()];
      }
      return piece;
    };
    if (parse_go_bool(query_value(request.query, "attachment")).value_or(false)) response.headers = {{"Content-Disposition", "Attachment"}};
    return response;
  }

  AppResponse health(const AppRequest& request) {
    if (request.method != "POST") return text_response("", health_);
    std::string text = request.body;
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\r')) text.pop_back();
    std::optional<int> status = parse_go_int(text);
    if (!status) return error_text("json: cannot unmarshal " + go_quoted(text) + " into Go value of type int", 400);
    print_line("Update health check status code [" + text + "]\n");
    health_ = *status;
    return text_response("");
  }

  // A WebSocket in the real one, whose answer to anything else this is.
  static AppResponse echo() {
    AppResponse response = error_text("Bad Request", 400);
    response.headers.emplace_back("Sec-Websocket-Version", "13");
    return response;
  }

  static void pause_for(std::chrono::nanoseconds wait) {
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, wait, [] { return false; });
  }

  const WhoamiOptions options_;
  std::atomic<int> health_ = 200;
};

}  // namespace

AppHandler http_echo_handler(const HttpEchoOptions& options) {
  return [options](const AppRequest& request) {
    auto start = std::chrono::steady_clock::now();
    bool health = request.path == "/health";
    AppResponse response = text_response(health ? "{\"status\":\"ok\"}\n" : options.text + "\n", health ? 200 : options.status);
    response.headers = {{"X-App-Name", "http-echo"}, {"X-App-Version", kHttpEchoVersion}};
    if (health || !options.log) return response;
    print_line(local_stamp("%Y/%m/%d %H:%M:%S") + " " + request.host + " " + request.remote + " \"" + request.method + " " + request.path + " " + request.proto +
               "\" " + std::to_string(response.status) + " " + std::to_string(response.body.size()) + " \"" + header_or_empty(request, "User-Agent") + "\" " +
               render_go_duration(std::chrono::steady_clock::now() - start) + "\n");
    return response;
  };
}

AppHandler whoami_handler(const WhoamiOptions& options) {
  auto app = std::make_shared<Whoami>(options);
  return [app](const AppRequest& request) { return app->handle(request); };
}

AppHandler hello_handler(const HelloOptions& options) {
  return [options](const AppRequest& request) {
    go_log("Serving request: " + request.path);
    return text_response("Hello, world!\nVersion: " + options.version + "\nHostname: " + options.hostname + "\n");
  };
}

base::Result<ListenAddress> parse_listen_address(const std::string& text) {
  auto invalid = [&](const std::string& why) { return base::Error(base::Code::kInvalid, "listen tcp: address " + text + ": " + why); };
  size_t colon = text.find_last_of(':');
  if (colon == std::string::npos || text.back() == ']') return invalid("missing port in address");
  ListenAddress out;
  out.host = text.substr(0, colon);
  if (!out.host.empty() && out.host.front() == '[' && out.host.back() == ']') out.host = out.host.substr(1, out.host.size() - 2);
  else if (out.host.find(':') != std::string::npos) return invalid("too many colons in address");
  if (out.host == "localhost") out.host = "127.0.0.1";
  if (out.host == "::") out.host.clear();
  std::optional<int> port = text.substr(colon + 1).empty() ? 80 : parse_go_int(text.substr(colon + 1));
  if (!port || *port < 0 || *port > std::numeric_limits<uint16_t>::max()) return invalid("invalid port");
  out.port = static_cast<uint16_t>(*port);
  return out;
}

std::vector<std::string> own_addresses() {
  std::vector<std::string> out;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return out;
  // Interface by interface, as they are numbered; getifaddrs gives one family after the other.
  std::vector<std::string> names;
  for (ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (std::find(names.begin(), names.end(), each->ifa_name) == names.end()) names.emplace_back(each->ifa_name);
  }
  for (const std::string& name : names) {
    for (ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
      if (each->ifa_addr == nullptr || name != each->ifa_name) continue;
      char text[INET6_ADDRSTRLEN] = "";
      if (each->ifa_addr->sa_family == AF_INET) ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(each->ifa_addr)->sin_addr, text, sizeof text);
      if (each->ifa_addr->sa_family == AF_INET6) ::inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6*>(each->ifa_addr)->sin6_addr, text, sizeof text);
      if (text[0] != '\0') out.emplace_back(text);
    }
  }
  ::freeifaddrs(list);
  return out;
}

}  // namespace server::images
