// libFuzzer: YAML as bodies and manifests bring it. Ends with trees that can be written, or an error; a tree written as
// JSON, which is YAML, is read back as the same tree by both readers.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "server/api/decode.h"
#include "server/api/yaml.h"

namespace {

using nlohmann::json;

void require(bool holds) {
  if (!holds) abort();
}

// What YAML cannot say as JSON says it: control characters, and numbers that both round to the same.
bool is_plain(const json& value) {
  if (value.is_structured()) {
    for (const auto& [key, item] : value.items()) {
      if (!is_plain(key) || !is_plain(item)) return false;
    }
    return true;
  }
  if (value.is_number_float()) return false;
  if (!value.is_string()) return true;
  for (char c : value.get_ref<const std::string&>()) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  auto trees = server::parse_yaml(text);
  if (!trees.ok()) {
    require(!trees.error().message.empty());
    return 0;
  }
  for (const json& tree : *trees) {
    const std::string written = tree.dump(-1, ' ', false, json::error_handler_t::replace);
    auto as_json = server::decode_json(written);
    require(as_json.ok());
    if (!is_plain(tree)) continue;
    require(*as_json == tree);
    // A key and its blank: `{"a":1}` is a key "a:1" of old YAML only in flow maps, so blanks are put in.
    auto again = server::parse_yaml(tree.dump(1));
    if (!again.ok()) continue;  // The second has more nodes or levels of text; only what it read must be right.
    require(again->size() == (tree.is_null() ? 0u : 1u) && (tree.is_null() || again->front() == tree));
  }
  return 0;
}
