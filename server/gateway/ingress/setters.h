// server/gateway/ingress/setters.h - for the tables of annotations: functions that parse a value of a usual form into a member.
// Used as &set_flag<&Settings::rewrite, &RewriteSettings::use_regex>.
#pragma once

#include <string>

#include "server/gateway/ingress/annotations.h"
#include "server/gateway/ingress/values.h"
#include "server/gateway/policy/template.h"

namespace server::gateway {

inline base::Status malformed(std::string why = {}) { return base::Error(base::Code::kInvalid, std::move(why)); }

inline constexpr char kFlagForm[] = "true or false";
inline constexpr char kSwitchForm[] = "on or off";
inline constexpr char kSecondsForm[] = "a whole number of seconds";
inline constexpr char kSizeForm[] = "a size such as 4k, 8m or 1g";
inline constexpr char kRangesForm[] = "addresses or prefixes by commas, such as 10.0.0.0/8,192.0.2.7";
inline constexpr char kTemplateForm[] = "text with variables that are known here (docs/ingress.md names them)";
inline constexpr char kObjectForm[] = "NAME or NAMESPACE/NAME";

template <auto kPart, auto kMember>
base::Status set_flag(const std::string& value, Settings& settings) {
  const std::optional<bool> parsed = parse_flag(value);
  if (!parsed) return malformed();
  settings.*kPart.*kMember = *parsed;
  return {};
}
template <auto kPart, auto kMember>
base::Status set_switch(const std::string& value, Settings& settings) {
  std::optional<bool> parsed = parse_switch(value);
  if (!parsed) parsed = parse_flag(value);
  if (!parsed) return malformed();
  settings.*kPart.*kMember = *parsed;
  return {};
}
template <auto kPart, auto kMember>
base::Status set_text(const std::string& value, Settings& settings) {
  settings.*kPart.*kMember = value;
  return {};
}
template <auto kPart, auto kMember>
base::Status set_size(const std::string& value, Settings& settings) {
  const std::optional<uint64_t> parsed = parse_size(value);
  if (!parsed) return malformed();
  settings.*kPart.*kMember = *parsed;
  return {};
}
template <auto kPart, auto kMember, int64_t kLeast, int64_t kMost>
base::Status set_number(const std::string& value, Settings& settings) {
  const std::optional<int64_t> parsed = parse_number(value);
  if (!parsed || *parsed < kLeast || *parsed > kMost) return malformed();
  auto& member = settings.*kPart.*kMember;
  member = static_cast<std::remove_reference_t<decltype(member)>>(*parsed);
  return {};
}
template <auto kPart, auto kMember>
base::Status set_template(const std::string& value, Settings& settings) {
  base::Result<TemplatePtr> parsed = Template::parse(value);
  if (!parsed.ok()) return std::move(parsed).error();
  settings.*kPart.*kMember = *parsed;
  return {};
}
template <auto kPart, auto kMember>
base::Status set_object(const std::string& value, Settings& settings) {
  if (!parse_object_name(value, "x")) return malformed();
  settings.*kPart.*kMember = value;
  return {};
}

}  // namespace server::gateway
