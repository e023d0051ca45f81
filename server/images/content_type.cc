#include "server/images/nginx_response.h"

#include <algorithm>
#include <cctype>

#include "store/base/text.h"

namespace server::images {
namespace {

struct TypeRow {
  std::string_view extension;
  std::string_view type;
};

constexpr TypeRow kTypes[] = {
    {"html", "text/html"},
    {"htm", "text/html"},
    {"shtml", "text/html"},
    {"css", "text/css"},
    {"xml", "text/xml"},
    {"txt", "text/plain"},
    {"js", "application/javascript"},
    {"json", "application/json"},
    {"wasm", "application/wasm"},
    {"pdf", "application/pdf"},
    {"zip", "application/zip"},
    {"rss", "application/rss+xml"},
    {"atom", "application/atom+xml"},
    {"xhtml", "application/xhtml+xml"},
    {"gif", "image/gif"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"svgz", "image/svg+xml"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"ico", "image/x-icon"},
    {"bmp", "image/x-ms-bmp"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"mp3", "audio/mpeg"},
    {"ogg", "audio/ogg"},
    {"m4a", "audio/x-m4a"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
    {"mov", "video/quicktime"},
};

}  // namespace

std::string_view content_type(std::string_view path) {
  size_t slash = path.find_last_of('/');
  std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  size_t dot = name.find_last_of('.');
  if (dot != std::string_view::npos) {
    std::string extension(name.substr(dot + 1));
    extension = base::lower(extension);
    for (const TypeRow& row : kTypes) {
      if (row.extension == extension) return row.type;
    }
  }
  return "application/octet-stream";
}

}  // namespace server::images
