#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "tests/server/gateway/differential/conversation.h"

namespace differential {
namespace {

[[noreturn]] void die(const std::string& line) {
  fprintf(stderr, "requests.txt: cannot read: %s\n", line.c_str());
  abort();
}

// \r \n \t \0 \\ \xHH and <N*c>
std::string unescape(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      char c = text[++i];
      if (c == 'r') out += '\r';
      else if (c == 'n') out += '\n';
      else if (c == 't') out += '\t';
      else if (c == '0') out += '\0';
      else if (c == 'x' && i + 2 < text.size() && isxdigit(static_cast<unsigned char>(text[i + 1]))) out += static_cast<char>(strtol(text.substr((i += 2) - 1, 2).c_str(), nullptr, 16));
      else (out += '\\') += c == '\\' ? "" : std::string(1, c);
      continue;
    }
    size_t star = text.find('*', i);
    if (text[i] == '<' && i + 1 < text.size() && isdigit(static_cast<unsigned char>(text[i + 1])) && star != std::string::npos && text[star + 2] == '>') {
      out.append(strtoul(text.c_str() + i + 1, nullptr, 10), text[star + 1]);
      i = star + 2;
      continue;
    }
    out += text[i];
  }
  return out;
}

Request read_url(const std::string& name, const std::string& method, const std::string& rest, const std::string& line) {
  Request out;
  out.name = name;
  std::string fields = rest, body;
  bool has_body = false;
  if (size_t at = rest.find(" || "); at != std::string::npos) {
    fields = rest.substr(0, at);
    body = unescape(rest.substr(at + 4));
    has_body = true;
  }
  size_t end = fields.find(" | ");
  std::string url = fields.substr(0, end);
  if (url.rfind("https://", 0) == 0) out.tls = true;
  else if (url.rfind("http://", 0) != 0) die(line);
  size_t host = url.find("//") + 2, slash = url.find('/', host);
  if (slash == std::string::npos) die(line);
  std::string authority = url.substr(host, slash - host);
  out.server_name = authority.substr(0, authority.find(':'));
  out.bytes = method + " " + unescape(url.substr(slash)) + " HTTP/1.1\r\nHost: " + authority + "\r\n";
  while (end != std::string::npos) {
    size_t next = fields.find(" | ", end + 3);
    out.bytes += unescape(fields.substr(end + 3, next == std::string::npos ? next : next - end - 3)) + "\r\n";
    end = next;
  }
  if (has_body) out.bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  out.bytes += "\r\n" + body;
  return out;
}

}  // namespace

std::vector<Request> read_requests(const std::string& text) {
  std::vector<Request> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    size_t first = line.find(' '), second = line.find(' ', first + 1);
    if (first == std::string::npos || second == std::string::npos) die(line);
    std::string name = line.substr(0, first), kind = line.substr(first + 1, second - first - 1), rest = line.substr(second + 1);
    if (kind.rfind("raw", 0) == 0) {
      Request request;
      request.name = name;
      request.bytes = unescape(rest);
      request.tls = kind != "raw";
      request.handshake = kind == "raw-tls";
      out.push_back(std::move(request));
    } else {
      out.push_back(read_url(name, kind, rest, line));
    }
  }
  return out;
}

}  // namespace differential
