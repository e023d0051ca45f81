// libFuzzer: line 1 a label selector, line 2 a field selector, line 3 an object. A selector that is taken can be written
// and is taken again as the same; what it matches is what each of its parts says, worked out a second time.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "store/object/selector.h"

namespace {

using nlohmann::json;
using store::SelectorOp;

void require(bool holds) {
  if (!holds) abort();
}

std::string print(const store::LabelSelector& selector) {
  std::string out;
  for (const store::Requirement& r : selector.requirements) {
    if (!out.empty()) out += ',';
    if (r.op == SelectorOp::kNotExists) out += '!';
    out += r.key;
    if (r.op == SelectorOp::kExists || r.op == SelectorOp::kNotExists) continue;
    if (r.op == SelectorOp::kGreater || r.op == SelectorOp::kLess) {
      out += (r.op == SelectorOp::kGreater ? '>' : '<') + r.values[0];
      continue;
    }
    out += r.op == SelectorOp::kIn ? " in (" : " notin (";
    for (size_t i = 0; i < r.values.size(); ++i) out += (i > 0 ? "," : "") + r.values[i];
    out += ')';
  }
  return out;
}

std::string print(const store::FieldSelector& selector) {
  std::string out;
  for (const store::FieldTerm& term : selector.terms) {
    out += (out.empty() ? "" : ",") + term.path + (term.negated ? "!=" : "=");
    for (char c : term.value) {
      if (c == '\\' || c == ',' || c == '=') out += '\\';
      out += c;
    }
  }
  return out;
}

bool same(const store::LabelSelector& a, const store::LabelSelector& b) {
  return std::equal(a.requirements.begin(), a.requirements.end(), b.requirements.begin(), b.requirements.end(),
                    [](const auto& x, const auto& y) { return x.key == y.key && x.op == y.op && x.values == y.values; });
}

bool same(const store::FieldSelector& a, const store::FieldSelector& b) {
  return std::equal(a.terms.begin(), a.terms.end(), b.terms.begin(), b.terms.end(),
                    [](const auto& x, const auto& y) { return x.path == y.path && x.value == y.value && x.negated == y.negated; });
}

bool naive(const store::LabelSelector& selector, const std::map<std::string, std::string>& labels) {
  for (const store::Requirement& r : selector.requirements) {
    const bool there = labels.count(r.key) > 0;
    const std::string have = there ? labels.at(r.key) : "";
    const bool listed = std::count(r.values.begin(), r.values.end(), have) > 0;
    if (r.op == SelectorOp::kExists && !there) return false;
    if (r.op == SelectorOp::kNotExists && there) return false;
    if (r.op == SelectorOp::kIn && !(there && listed)) return false;
    if (r.op == SelectorOp::kNotIn && there && listed) return false;
    if (r.op == SelectorOp::kGreater || r.op == SelectorOp::kLess) {
      char* end = nullptr;
      errno = 0;
      const long long value = std::strtoll(have.c_str(), &end, 10), limit = std::strtoll(r.values[0].c_str(), nullptr, 10);
      const bool number = !have.empty() && *end == '\0' && errno == 0;
      if (!number || !(r.op == SelectorOp::kGreater ? value > limit : value < limit)) return false;
    }
  }
  return true;
}

void check_labels(std::string_view text, const json& object) {
  auto selector = store::LabelSelector::parse(text);
  if (!selector.ok()) {
    require(!selector.error().message.empty());
    return;
  }
  auto again = store::LabelSelector::parse(print(*selector));
  require(again.ok() && same(*selector, *again));
  std::map<std::string, std::string> labels;
  if (object.is_object() && object.contains("metadata") && object["metadata"].is_object() && object["metadata"].contains("labels") && object["metadata"]["labels"].is_object()) {
    for (const auto& [key, value] : object["metadata"]["labels"].items()) {
      if (value.is_string()) labels[key] = value.get<std::string>();
    }
  }
  // Objects made of the selector's own words match it now and then.
  for (const store::Requirement& r : selector->requirements) {
    if (!r.values.empty()) labels.emplace(r.key, r.values.back());
  }
  require(selector->matches(labels) == naive(*selector, labels));
  require(selector->matches_object({{"metadata", {{"labels", labels}}}}) == naive(*selector, labels));
  require(selector->matches({}) == naive(*selector, {}));
}

void check_fields(std::string_view text, const json& object) {
  auto selector = store::FieldSelector::parse(text);
  if (!selector.ok()) {
    require(!selector.error().message.empty());
    return;
  }
  auto again = store::FieldSelector::parse(print(*selector));
  require(again.ok() && same(*selector, *again));
  bool all = true;
  for (const store::FieldTerm& term : selector->terms) {
    store::FieldSelector one{{term}}, opposite = one;
    opposite.terms[0].negated = !term.negated;
    require(one.matches(object) != opposite.matches(object));
    all = all && one.matches(object);
  }
  require(selector->matches(object) == all);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size), lines[3];
  for (std::string_view& line : lines) {
    line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  json object = std::count(lines[2].begin(), lines[2].end(), '[') + std::count(lines[2].begin(), lines[2].end(), '{') < 100 ? json::parse(lines[2], nullptr, false) : json();
  if (object.is_discarded()) object = json::object();
  check_labels(lines[0], object);
  check_fields(lines[1], object);
  return 0;
}
