#include "store/base/result.h"

#include <cerrno>
#include <cstring>

namespace base {
namespace {

struct CodeRow {
  Code code;
  int http;
  const char* reason;
};

constexpr CodeRow kCodes[] = {
    {Code::kBadRequest, 400, "BadRequest"},
    {Code::kUnauthorized, 401, "Unauthorized"},
    {Code::kForbidden, 403, "Forbidden"},
    {Code::kNotFound, 404, "NotFound"},
    {Code::kMethodNotAllowed, 405, "MethodNotAllowed"},
    {Code::kNotAcceptable, 406, "NotAcceptable"},
    {Code::kAlreadyExists, 409, "AlreadyExists"},
    {Code::kConflict, 409, "Conflict"},
    {Code::kExpired, 410, "Expired"},
    {Code::kTooLarge, 413, "RequestEntityTooLarge"},
    {Code::kUnsupportedMediaType, 415, "UnsupportedMediaType"},
    {Code::kInvalid, 422, "Invalid"},
    {Code::kTooManyRequests, 429, "TooManyRequests"},
    {Code::kInternal, 500, "InternalError"},
    {Code::kUnavailable, 503, "ServiceUnavailable"},
    {Code::kTimeout, 504, "Timeout"},
};

const CodeRow& row(Code code) {
  for (const CodeRow& r : kCodes) {
    if (r.code == code) return r;
  }
  return kCodes[13];  // kInternal
}

}  // namespace

int http_code(Code code) { return row(code).http; }
const char* reason(Code code) { return row(code).reason; }

Error os_error(const std::string& what, int err) {
  char buffer[128];
  return Error(Code::kInternal, what + ": " + strerror_r(err, buffer, sizeof buffer));
}
Error os_error(const std::string& what) { return os_error(what, errno); }

}  // namespace base
