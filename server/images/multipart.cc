#include "server/images/multipart.h"

#include <algorithm>
#include <cctype>

#include "store/base/text.h"

namespace server::images {
namespace {

// The value of `key` in "type; key=value; key2="quoted""; empty if there is none.
std::string parameter(std::string_view text, std::string_view key) {
  size_t at = text.find(';');
  while (at != std::string_view::npos) {
    text.remove_prefix(at + 1);
    while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
    bool found = text.size() > key.size() && text.substr(0, key.size()) == key && text[key.size()] == '=';
    if (found) {
      std::string_view value = text.substr(key.size() + 1);
      if (value.empty() || value[0] != '"') return std::string(value.substr(0, std::min(value.find_first_of("; "), value.size())));
      value.remove_prefix(1);
      return std::string(value.substr(0, std::min(value.find('"'), value.size())));
    }
    at = text.find(';');
  }
  return "";
}

bool is_part_called(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    size_t end = std::min(head.find("\r\n"), head.size());
    std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    if (base::lower(line.substr(0, 20)) == "content-disposition:") return parameter(line, "name") == name;
  }
  return false;
}

}  // namespace

std::optional<std::string> multipart_file(std::string_view content_type, std::string_view body, std::string_view name) {
  if (base::lower(content_type.substr(0, 19)) != "multipart/form-data") return std::nullopt;
  const std::string boundary = parameter(content_type, "boundary");
  if (boundary.empty()) return std::nullopt;
  const std::string line = "--" + boundary;
  size_t at = body.find(line);
  while (at != std::string_view::npos) {
    at += line.size();
    if (body.substr(at, 2) != "\r\n") return std::nullopt;  // "--": the end.
    size_t head_end = body.find("\r\n\r\n", at);
    if (head_end == std::string_view::npos) return std::nullopt;
    size_t content = head_end + 4;
    size_t next = body.find("\r\n" + line, content);
    if (next == std::string_view::npos) return std::nullopt;
    if (is_part_called(body.substr(at + 2, head_end - at - 2), name)) return std::string(body.substr(content, next - content));
    at = next + 2;
  }
  return std::nullopt;
}

}  // namespace server::images
