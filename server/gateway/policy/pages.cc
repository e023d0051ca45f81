#include "server/gateway/policy/pages.h"

namespace server::gateway {
namespace {

struct Page {
  int status;
  const char* title;
};

// nginx's wording, which differs from RFC 9110's in places.
constexpr Page kPages[] = {
    {301, "301 Moved Permanently"},
    {302, "302 Found"},
    {303, "303 See Other"},
    {307, "307 Temporary Redirect"},
    {308, "308 Permanent Redirect"},
    {400, "400 Bad Request"},
    {401, "401 Authorization Required"},
    {402, "402 Payment Required"},
    {403, "403 Forbidden"},
    {404, "404 Not Found"},
    {405, "405 Not Allowed"},
    {406, "406 Not Acceptable"},
    {408, "408 Request Time-out"},
    {409, "409 Conflict"},
    {410, "410 Gone"},
    {411, "411 Length Required"},
    {412, "412 Precondition Failed"},
    {413, "413 Request Entity Too Large"},
    {414, "414 Request-URI Too Large"},
    {415, "415 Unsupported Media Type"},
    {416, "416 Requested Range Not Satisfiable"},
    {421, "421 Misdirected Request"},
    {429, "429 Too Many Requests"},
    {431, "431 Request Header Fields Too Large"},
    {500, "500 Internal Server Error"},
    {501, "501 Not Implemented"},
    {502, "502 Bad Gateway"},
    {503, "503 Service Temporarily Unavailable"},
    {504, "504 Gateway Time-out"},
    {505, "505 HTTP Version Not Supported"},
    {507, "507 Insufficient Storage"},
};

// Sent as 400, with a second line that says why.
struct SpecialPage {
  int status;
  const char* title;
  const char* line;
};
constexpr SpecialPage kSpecialPages[] = {
    {494, "400 Request Header Or Cookie Too Large", "Request Header Or Cookie Too Large"},
    {495, "400 The SSL certificate error", "The SSL certificate error"},
    {496, "400 No required SSL certificate was sent", "No required SSL certificate was sent"},
    {497, "400 The plain HTTP request was sent to HTTPS port", "The plain HTTP request was sent to HTTPS port"},
};

std::string render(const char* title, const char* heading, const char* line) {
  std::string out = "<html>\r\n<head><title>";
  out.append(title).append("</title></head>\r\n<body>\r\n<center><h1>").append(heading).append("</h1></center>\r\n");
  if (line != nullptr) out.append("<center>").append(line).append("</center>\r\n");
  return out.append("<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n");
}

}  // namespace

std::string error_page(int status) {
  for (const Page& page : kPages) {
    if (page.status == status) return render(page.title, page.title, nullptr);
  }
  for (const SpecialPage& page : kSpecialPages) {
    if (page.status == status) return render(page.title, "400 Bad Request", page.line);
  }
  return {};
}

int sent_status(int status) { return status >= 494 && status <= 497 ? 400 : status; }

}  // namespace server::gateway
