// libFuzzer: a request body in protobuf. Ends with a tree that can be written, or an error; a prefix and a kind are put in front
// of inputs that lack them, so that most of the time is spent in messages.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "kubectl-compat/negotiate/protobuf.h"

namespace {

const store::Type* find(std::string_view, std::string_view kind) {
  const char* version = kind == "Ingress" ? "networking.k8s.io/v1" : "v1";
  const store::Resource* r = store::builtin_registry().find_kind(version, kind);
  return r ? r->type : nullptr;
}

void check(std::string_view body) {
  auto tree = compat::decode_protobuf(body, find);
  if (!tree.ok() && tree.error().message.empty()) abort();
  if (tree.ok() && (!tree->is_object() || tree->dump().empty())) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check(input);
  if (size > 100) return 0;  // One byte says how long the rest is.
  const std::string_view kinds[] = {"Pod", "Service", "Ingress", "Event"};
  for (std::string_view kind : kinds) {
    std::string body("k8s\0\x0a", 5);
    body.append(1, static_cast<char>(kind.size() + 2)).append("\x12").append(1, static_cast<char>(kind.size())).append(kind);
    body.append("\x12").append(1, static_cast<char>(size)).append(input);
    check(body);
  }
  return 0;
}
