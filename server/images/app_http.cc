#include "server/images/app_http.h"

#include <algorithm>
#include <cctype>

#include "server/images/go_text.h"
#include "server/images/nginx_response.h"
#include "store/base/text.h"

namespace server::images {
namespace {

struct StatusRow {
  int code;
  const char* text;
};
constexpr StatusRow kStatuses[] = {
    {100, "Continue"}, {101, "Switching Protocols"}, {102, "Processing"}, {103, "Early Hints"},
    {200, "OK"}, {201, "Created"}, {202, "Accepted"}, {203, "Non-Authoritative Information"}, {204, "No Content"},
    {205, "Reset Content"}, {206, "Partial Content"}, {207, "Multi-Status"}, {208, "Already Reported"}, {226, "IM Used"},
    {300, "Multiple Choices"}, {301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"}, {304, "Not Modified"},
    {305, "Use Proxy"}, {307, "Temporary Redirect"}, {308, "Permanent Redirect"},
    {400, "Bad Request"}, {401, "Unauthorized"}, {402, "Payment Required"}, {403, "Forbidden"}, {404, "Not Found"},
    {405, "Method Not Allowed"}, {406, "Not Acceptable"}, {407, "Proxy Authentication Required"}, {408, "Request Timeout"},
    {409, "Conflict"}, {410, "Gone"}, {411, "Length Required"}, {412, "Precondition Failed"}, {413, "Request Entity Too Large"},
    {414, "Request URI Too Long"}, {415, "Unsupported Media Type"}, {416, "Requested Range Not Satisfiable"},
    {417, "Expectation Failed"}, {418, "I'm a teapot"}, {421, "Misdirected Request"}, {422, "Unprocessable Entity"},
    {423, "Locked"}, {424, "Failed Dependency"}, {425, "Too Early"}, {426, "Upgrade Required"}, {428, "Precondition Required"},
    {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"}, {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"},
    {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"}, {506, "Variant Also Negotiates"}, {507, "Insufficient Storage"},
    {508, "Loop Detected"}, {510, "Not Extended"}, {511, "Network Authentication Required"},
};

const std::string* find_header(const Headers& headers, std::string_view name) {
  for (const auto& [each, value] : headers) {
    if (each == name) return &value;
  }
  return nullptr;
}

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

// A header that a handler makes of what a client sent must not become two.
std::string one_line(std::string value) {
  std::replace_if(value.begin(), value.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  return value;
}

// Between the method and the version.
std::string raw_target(const HttpRequest& head) {
  size_t first = head.line.find(' ');
  if (first == std::string::npos) return "/";
  size_t last = head.version == 9 ? head.line.size() : head.line.find_last_of(' ');
  return last <= first ? "/" : head.line.substr(first + 1, last - first - 1);
}

}  // namespace

std::string status_text(int status) {
  for (const StatusRow& row : kStatuses) {
    if (row.code == status) return row.text;
  }
  return "";
}

std::string canonical_header(std::string_view name) {
  std::string out(name);
  bool upper = true;
  for (char& c : out) {
    c = static_cast<char>(upper ? std::toupper(static_cast<unsigned char>(c)) : std::tolower(static_cast<unsigned char>(c)));
    upper = c == '-';
  }
  return out;
}

std::string decode_query(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    int high = 0, low = 0;
    if (text[i] == '%' && i + 2 < text.size() && (high = base::hex_digit(text[i + 1])) >= 0 && (low = base::hex_digit(text[i + 2])) >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    size_t end = std::min(query.find('&'), query.size());
    std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    size_t equals = std::min(pair.find('='), pair.size());
    if (decode_query(pair.substr(0, equals)) != name) continue;
    return decode_query(pair.substr(std::min(equals + 1, pair.size())));
  }
  return "";
}

const std::string* AppRequest::header(std::string_view canonical_name) const { return find_header(headers, canonical_name); }

std::string AppRequest::form(std::string_view name) const {
  const std::string* type = header("Content-Type");
  if (type != nullptr && type->rfind("application/x-www-form-urlencoded", 0) == 0) {
    std::string value = query_value(body, name);
    if (!value.empty()) return value;
  }
  return query_value(query, name);
}

AppRequest make_app_request(const HttpRequest& head, std::string body, std::string remote) {
  AppRequest out;
  out.method = head.method;
  out.path = head.path;
  out.query = head.query;
  out.target = raw_target(head);
  out.proto = head.version == 11 ? "HTTP/1.1" : "HTTP/1.0";
  out.host = head.host;
  for (const auto& [name, value] : head.headers) {
    if (name == "host") out.host = value;  // As it was written.
    else out.headers.emplace_back(canonical_header(name), value);
  }
  out.body = std::move(body);
  out.chunked = head.chunked;
  out.wants_close = !head.keep_alive;
  out.remote = std::move(remote);
  return out;
}

AppResponse text_response(std::string body, int status) {
  AppResponse out;
  out.status = status;
  out.body = std::move(body);
  return out;
}

AppResponse error_text(const std::string& message, int status) {
  AppResponse out = text_response(message + "\n", status);
  out.headers = {{"Content-Type", "text/plain; charset=utf-8"}, {"X-Content-Type-Options", "nosniff"}};
  return out;
}

std::string render_app_head(const AppRequest& request, const AppResponse& response, bool keep_alive, time_t now) {
  std::string text = status_text(response.status);
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + " " + (text.empty() ? "status code " + std::to_string(response.status) : text) + "\r\n";
  Headers sorted = response.headers;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [name, value] : sorted) out += name + ": " + one_line(value) + "\r\n";
  out += "Date: " + http_date(now) + "\r\n";
  if (has_body(response.status)) {
    out += "Content-Length: " + std::to_string(response.body_size()) + "\r\n";
    bool guess = response.body_size() > 0 && find_header(sorted, "Content-Type") == nullptr;
    if (guess) out += "Content-Type: " + sniff_content_type(response.make ? response.make(0, 512) : response.body) + "\r\n";
  }
  if (find_header(sorted, "Connection") != nullptr) return out + "\r\n";
  if (!keep_alive) out += "Connection: close\r\n";
  else if (request.proto == "HTTP/1.0") out += "Connection: keep-alive\r\n";
  return out + "\r\n";
}

std::string render_bad_request(int status) {
  std::string line = std::to_string(status) + " " + status_text(status);
  return "HTTP/1.1 " + line + "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + line;
}

}  // namespace server::images
