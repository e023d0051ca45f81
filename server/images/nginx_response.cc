#include "server/images/nginx_response.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "server/images/builtins.h"
#include "store/base/clock.h"

namespace server::images {
namespace {

struct Reason {
  int status;
  const char* text;
};
constexpr Reason kReasons[] = {{200, "OK"}, {206, "Partial Content"}, {301, "Moved Permanently"}, {304, "Not Modified"}, {400, "Bad Request"},
                               {403, "Forbidden"}, {404, "Not Found"}, {405, "Not Allowed"}, {412, "Precondition Failed"},
                               {413, "Request Entity Too Large"}, {414, "Request-URI Too Large"}, {416, "Requested Range Not Satisfiable"},
                               {500, "Internal Server Error"}, {501, "Not Implemented"}, {505, "HTTP Version Not Supported"}};

const char* reason_of(int status) {
  for (const Reason& reason : kReasons) {
    if (reason.status == status) return reason.text;
  }
  return "";
}

// Checks and scripts know these pages by their form.
std::string error_page(int status, const std::string& title, const std::string& detail) {
  const std::string server = std::string("nginx/") + kNginxVersion;
  std::string page = "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>";
  page += (status == 400 && !detail.empty() ? "400 Bad Request" : title) + "</h1></center>\r\n";
  if (!detail.empty()) page += "<center>" + detail + "</center>\r\n";
  return page + "<hr><center>" + server + "</center>\r\n</body>\r\n</html>\r\n";
}

class HeadBuilder {
 public:
  HeadBuilder(int status, time_t now) {
    // Status 414's and 405's status lines differ from their pages' titles in no letter; the version is always 1.1.
    out_ = "HTTP/1.1 " + std::to_string(status) + " " + reason_of(status) + "\r\n";
    add("Server", std::string("nginx/") + kNginxVersion);
    add("Date", http_date(now));
  }
  HeadBuilder& add(const char* name, const std::string& value) {
    out_ += std::string(name) + ": " + value + "\r\n";
    return *this;
  }
  std::string take() { return std::move(out_) + "\r\n"; }

 private:
  std::string out_;
};

const char* connection_value(bool keep_alive) { return keep_alive ? "keep-alive" : "close"; }

// After these the rest of the input cannot be trusted to be where we think it is.
bool ends_connection(int status) { return status == 400 || status == 413 || status == 414 || status == 500 || status == 501 || status == 505; }

NginxResponse error_response(const HttpRequest& request, int status, time_t now, const std::string& note, const std::string& location = "",
                             const std::string& range = "", const std::string& detail = "") {
  NginxResponse out;
  out.status = status;
  out.keep_alive = request.keep_alive && !ends_connection(status);
  out.error_note = note;
  std::string title = std::to_string(status) + " " + reason_of(status);
  if (!detail.empty()) title = "400 Request Header Or Cookie Too Large";
  out.body = error_page(status, title, detail);
  HeadBuilder head(status, now);
  head.add("Content-Type", "text/html").add("Content-Length", std::to_string(out.body.size()));
  if (!location.empty()) head.add("Location", location);
  head.add("Connection", connection_value(out.keep_alive));
  if (!range.empty()) head.add("Content-Range", range);
  if (request.version != 9) out.head = head.take();
  if (request.method == "HEAD") out.body.clear();
  return out;
}

struct Found {
  int status = 0;      // 0: a file; 301: a directory without its slash.
  base::Fd file;
  struct stat info {};
  std::string path;    // On disk.
  std::string note;
};

std::string open_failed(const std::string& path, int err) {
  return "open() \"" + path + "\" failed (" + std::to_string(err) + ": " + std::strerror(err) + ")";
}

Found find_file(const std::string& root, const std::string& path) {
  Found found;
  const bool is_index = path.back() == '/';
  for (const char* index : {"index.html", "index.htm"}) {
    found.path = root + path + (is_index ? index : "");
    // Not blocking: a FIFO or device in the way must not stop the server.
    found.file = base::Fd(::open(found.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (found.file.valid() || !is_index) break;
    if (errno != ENOENT) break;
  }
  int err = errno;
  if (!found.file.valid()) {
    struct stat directory {};
    bool listing = is_index && err == ENOENT && ::stat((root + path).c_str(), &directory) == 0 && S_ISDIR(directory.st_mode);
    found.status = listing || err == EACCES ? 403 : err == ENOENT || err == ENOTDIR || err == ENAMETOOLONG || err == ELOOP ? 404 : 500;
    found.note = listing ? "directory index of \"" + root + path + "\" is forbidden" : open_failed(found.path, err);
    return found;
  }
  if (::fstat(found.file.get(), &found.info) != 0) {
    found.status = 500;
  } else if (S_ISDIR(found.info.st_mode)) {
    found.status = is_index ? 403 : 301;
  } else if (!S_ISREG(found.info.st_mode)) {
    found.status = 404;
    found.note = "\"" + found.path + "\" is not a regular file";
  }
  return found;
}

std::string make_etag(const struct stat& info) {
  char text[64];
  std::snprintf(text, sizeof text, "\"%llx-%llx\"", static_cast<unsigned long long>(info.st_mtime), static_cast<unsigned long long>(info.st_size));
  return text;
}

// A list of entity tags, or "*". Weak comparison where allowed.
bool etag_matches(std::string_view list, const std::string& etag, bool weak) {
  if (list == "*") return true;
  for (size_t at = 0; at < list.size();) {
    size_t end = std::min(list.find(',', at), list.size());
    std::string_view each = list.substr(at, end - at);
    at = end + 1;
    while (!each.empty() && (each.front() == ' ' || each.front() == '\t')) each.remove_prefix(1);
    while (!each.empty() && (each.back() == ' ' || each.back() == '\t')) each.remove_suffix(1);
    if (weak && each.substr(0, 2) == "W/") each.remove_prefix(2);
    if (each == etag) return true;
  }
  return false;
}

// 0, 304 or 412.
int check_conditions(const HttpRequest& request, const std::string& etag, time_t modified) {
  if (const std::string* since = request.find("if-unmodified-since")) {
    time_t when = parse_http_date(*since);
    if (when != -1 && modified > when) return 412;
  }
  const std::string* match = request.find("if-match");
  if (match != nullptr && !etag_matches(*match, etag, false)) return 412;
  const std::string* none_match = request.find("if-none-match");
  const std::string* since = request.find("if-modified-since");
  if (none_match == nullptr && since == nullptr) return 0;
  // Both present: both must say "not modified". The date is compared for equality, as a validator.
  if (since != nullptr && parse_http_date(*since) != modified) return 0;
  if (none_match != nullptr && !etag_matches(*none_match, etag, true)) return 0;
  return 304;
}

bool range_applies(const HttpRequest& request, const std::string& etag, time_t modified) {
  const std::string* condition = request.find("if-range");
  if (condition == nullptr) return true;
  if (!condition->empty() && condition->front() == '"') return *condition == etag;
  return parse_http_date(*condition) == modified;
}

NginxResponse file_response(const HttpRequest& request, Found found, time_t now) {
  const std::string etag = make_etag(found.info);
  const time_t modified = found.info.st_mtime;
  int condition = check_conditions(request, etag, modified);
  if (condition == 412) return error_response(request, 412, now, "");
  NginxResponse out;
  out.keep_alive = request.keep_alive;
  if (condition == 304) {
    out.status = 304;
    out.head = HeadBuilder(304, now).add("Last-Modified", http_date(modified)).add("Connection", connection_value(out.keep_alive)).add("ETag", etag).take();
    return out;
  }
  const uint64_t size = static_cast<uint64_t>(found.info.st_size);
  const std::string* range_header = request.find("range");
  ByteRange range;
  if (range_header != nullptr && range_applies(request, etag, modified)) range = parse_range(*range_header, size);
  if (range.kind == ByteRange::Kind::kUnsatisfiable) return error_response(request, 416, now, "", "", "bytes */" + std::to_string(size));
  out.status = range.kind == ByteRange::Kind::kOne ? 206 : 200;
  out.file_begin = out.status == 206 ? range.first : 0;
  out.file_end = out.status == 206 ? range.last + 1 : size;
  HeadBuilder head(out.status, now);
  head.add("Content-Type", std::string(content_type(found.path)))
      .add("Content-Length", std::to_string(out.file_end - out.file_begin))
      .add("Last-Modified", http_date(modified))
      .add("Connection", connection_value(out.keep_alive))
      .add("ETag", etag);
  if (out.status == 206) {
    head.add("Content-Range", "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) + "/" + std::to_string(size));
  } else {
    head.add("Accept-Ranges", "bytes");
  }
  if (request.version != 9) out.head = head.take();
  if (request.method != "HEAD") out.file = std::move(found.file);
  if (request.method == "HEAD") out.file_begin = out.file_end = 0;
  return out;
}

std::string encoded_path(const std::string& path) {
  std::string out;
  char escape[4];
  for (unsigned char c : path) {
    if (c <= 0x20 || c >= 0x7f || std::strchr("\"#%<>?\\^`{|}", c) != nullptr) {
      std::snprintf(escape, sizeof escape, "%%%02X", c);
      out += escape;
    } else {
      out += static_cast<char>(c);
    }
  }
  return out;
}

}  // namespace

NginxResponse answer(const NginxSite& site, const HttpRequest& request, time_t now) {
  if (request.content_length > site.max_body) {
    return error_response(request, 413, now, "client intended to send too large body: " + std::to_string(request.content_length) + " bytes");
  }
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (!reads && request.method != "POST") return error_response(request, 405, now, "");
  Found found = find_file(site.root, request.path);
  if (found.status == 301) {
    std::string host = request.host.empty() ? "localhost" : request.host.substr(0, request.host.find(':', request.host.find(']') == std::string::npos ? 0 : request.host.find(']')));
    if (site.port != 80) host += ":" + std::to_string(site.port);
    std::string location = "http://" + host + encoded_path(request.path) + "/" + (request.query.empty() ? "" : "?" + request.query);
    return error_response(request, 301, now, "", location);
  }
  if (found.status != 0) return error_response(request, found.status, now, found.note);
  if (!reads) return error_response(request, 405, now, "");  // POST to a file.
  return file_response(request, std::move(found), now);
}

NginxResponse answer_bad(const ParsedHead& head, time_t now) {
  const char* detail = head.header_too_large ? "Request Header Or Cookie Too Large" : "";
  return error_response(head.request, head.status, now, "", "", "", detail);
}

std::string http_date(time_t when) { return base::render_http_date(std::chrono::system_clock::from_time_t(when)); }

time_t parse_http_date(const std::string& text) {
  for (const char* format : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"}) {
    struct tm parts {};
    const char* end = ::strptime(text.c_str(), format, &parts);
    if (end != nullptr && *end == '\0') return ::timegm(&parts);
  }
  return -1;
}

}  // namespace server::images
