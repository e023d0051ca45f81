// store/base/result.h - how every function of ours reports failure.
//
// Result<T> holds a T or an Error; Status holds nothing or an Error. Error codes are the *reasons* of
// Kubernetes' Status objects, so one function (server/api) turns any error into the wire form.
// Value types: copyable, no thread affinity. Exceptions never cross a file border; the file that calls
// a throwing library converts.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace base {

// Names follow metav1.StatusReason; http_code() gives the status line that upstream pairs with each.
enum class Code {
  kBadRequest,            // 400
  kUnauthorized,          // 401
  kForbidden,             // 403
  kNotFound,              // 404
  kMethodNotAllowed,      // 405
  kNotAcceptable,         // 406
  kAlreadyExists,         // 409
  kConflict,              // 409
  kExpired,               // 410
  kTooLarge,              // 413 RequestEntityTooLarge
  kUnsupportedMediaType,  // 415
  kInvalid,               // 422
  kTooManyRequests,       // 429
  kInternal,              // 500 InternalError
  kUnavailable,           // 503 ServiceUnavailable
  kTimeout,               // 504
};

int http_code(Code code);
// "NotFound", "InternalError", ... exactly as on the wire.
const char* reason(Code code);

// One entry of Status.details.causes.
struct Cause {
  std::string reason;   // "FieldValueInvalid", "FieldManagerConflict", ...
  std::string message;  // "Invalid value: 0: must be positive"
  std::string field;    // "spec.replicas"
};

struct Error {
  Code code = Code::kInternal;
  std::string message;  // One sentence for the user, naming the object.
  // Status.details; left empty where upstream leaves it empty.
  std::string name;
  std::string group;
  std::string kind;  // Upstream puts the plural resource here for 404/409 and the Kind for 422.
  std::string uid;
  std::vector<Cause> causes;
  int retry_after_seconds = 0;

  Error() = default;
  Error(Code c, std::string m) : code(c), message(std::move(m)) {}

  // Prefixes the message with what was being done: "create veth for pod default/web-0: ...".
  Error context(const std::string& what) && {
    message = what + ": " + message;
    return std::move(*this);
  }
};

// kInternal error from errno, naming the object: os_error("open /x") -> "open /x: No such file or directory".
Error os_error(const std::string& what);
Error os_error(const std::string& what, int err);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return v_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(v_); }
  const T& value() const& { return std::get<0>(v_); }
  T&& value() && { return std::get<0>(std::move(v_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() & { return std::get<1>(v_); }
  const Error& error() const& { return std::get<1>(v_); }
  Error&& error() && { return std::get<1>(std::move(v_)); }

 private:
  std::variant<T, Error> v_;
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : e_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return !e_.has_value(); }
  explicit operator bool() const { return ok(); }
  Error& error() & { return *e_; }
  const Error& error() const& { return *e_; }
  Error&& error() && { return std::move(*e_); }

 private:
  std::optional<Error> e_;
};

// An error that is deliberately not acted on; the reason is for the reader.
template <class R>
void ignore(const R&, const char* /*why*/) {}

}  // namespace base

// auto x = TRY(f());  returns f's error from the enclosing function, or yields its value.
#define TRY(expr)                                               \
  __extension__({                                               \
    auto try_result_ = (expr);                                  \
    if (!try_result_.ok()) return std::move(try_result_).error(); \
    std::move(try_result_).value();                             \
  })
// TRY_STATUS(f());  the same for a Status.
#define TRY_STATUS(expr)                                          \
  do {                                                            \
    auto try_status_ = (expr);                                    \
    if (!try_status_.ok()) return std::move(try_status_).error(); \
  } while (0)
