// tests/fuzz/json_input.h - JSON documents out of fuzzer bytes: one a line, no deeper than the API server lets in.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

namespace fuzz {

inline std::vector<nlohmann::json> json_lines(std::string_view bytes) {
  constexpr int kMaxDepth = 100;
  std::vector<nlohmann::json> out;
  while (!bytes.empty()) {
    std::string_view line = bytes.substr(0, bytes.find('\n'));
    bytes.remove_prefix(std::min(line.size() + 1, bytes.size()));
    int depth = 0, deepest = 0;
    for (char c : line) {
      if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
      if (c == ']' || c == '}') --depth;
    }
    if (deepest > kMaxDepth) return {};
    auto value = nlohmann::json::parse(line, nullptr, false);
    if (value.is_discarded()) return {};
    out.push_back(std::move(value));
  }
  return out;
}

}  // namespace fuzz
