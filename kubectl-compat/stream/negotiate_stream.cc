#include "kubectl-compat/stream/negotiate_stream.h"

#include <algorithm>

namespace compat {

std::vector<std::string> split_offers(const std::vector<std::string>& values) {
  std::vector<std::string> out;
  for (std::string_view rest : values) {
    while (!rest.empty()) {
      size_t comma = std::min(rest.find(','), rest.size());
      std::string_view item = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      size_t first = item.find_first_not_of(" \t");
      if (first == std::string_view::npos) continue;
      out.emplace_back(item.substr(first, item.find_last_not_of(" \t") - first + 1));
    }
  }
  return out;
}

std::optional<std::string> first_spoken(const std::vector<std::string>& offers, std::span<const std::string_view> spoken) {
  for (const std::string& offer : offers) {
    if (std::find(spoken.begin(), spoken.end(), offer) != spoken.end()) return offer;
  }
  return std::nullopt;
}

std::string cannot_negotiate(const std::vector<std::string>& offers, std::span<const std::string_view> spoken) {
  auto append = [](std::string& out, std::string_view item) {
    if (out.back() != '[') out += ' ';
    out += item;
  };
  std::string out = "unable to upgrade: unable to negotiate protocol: client supports [";
  for (const std::string& offer : offers) append(out, offer);
  out += "], server accepts [";
  for (std::string_view name : spoken) append(out, name);
  return out + "]";
}

}  // namespace compat
