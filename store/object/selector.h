// store/object/selector.h - label and field selectors. Value types; matching is pure.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/result.h"

namespace store {

using json = nlohmann::json;

enum class SelectorOp { kIn, kNotIn, kExists, kNotExists, kGreater, kLess };

struct Requirement {
  std::string key;
  SelectorOp op = SelectorOp::kIn;
  std::vector<std::string> values;
};

// All requirements must hold; none matches everything.
struct LabelSelector {
  std::vector<Requirement> requirements;
  bool nothing = false;  // A null selector of a spec: matches no object.

  bool empty() const { return requirements.empty() && !nothing; }
  bool matches(const std::map<std::string, std::string>& labels) const;
  bool matches_object(const json& object) const;  // metadata.labels

  // Query form: "a=b,c!=d,e in (x,y),!f". kBadRequest worded as upstream ("unable to parse requirement: ...").
  static base::Result<LabelSelector> parse(std::string_view text);
  // API form: {matchLabels, matchExpressions}. `null` gives a selector that matches nothing.
  static base::Result<LabelSelector> from_json(const json& selector);
  static LabelSelector from_map(const std::map<std::string, std::string>& labels);  // Service.spec.selector
};

// "metadata.name=x,status.phase!=Running". Terms are conjunctive; only = == != exist.
struct FieldTerm {
  std::string path;
  std::string value;
  bool negated = false;
};
struct FieldSelector {
  std::vector<FieldTerm> terms;
  bool empty() const { return terms.empty(); }
  static base::Result<FieldSelector> parse(std::string_view text);
  bool matches(const json& object) const;                       // Absent reads as "".
  std::optional<std::string> exact(std::string_view path) const;  // The value of a `path=value` term.
};

}  // namespace store
