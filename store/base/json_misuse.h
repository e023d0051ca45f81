// store/base/json_misuse.h - what the JSON library does where it would otherwise abort the process: reading a member that is
// not there through a const tree, going past an end. Such a mistake costs the request or the key that met it (guarded in
// server/http and server/informer) and not the cluster. For json_once.h only, before the library.
#pragma once

#include <stdexcept>
#include <string>

namespace base {

class JsonMisuse : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn, gnu::cold, gnu::noinline]] inline void json_misused(const char* expected) {
  throw JsonMisuse("a JSON tree is not as the code expects: " + std::string(expected));
}

}  // namespace base

#define JSON_ASSERT(holds) ((holds) ? static_cast<void>(0) : ::base::json_misused(#holds))
