#include "server/gateway/policy/substitute.h"

#include <optional>

#include "server/gateway/policy/encoding.h"
#include "store/base/regex.h"

namespace server::gateway {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string render(const Substitution& rule, const TemplateContext* context, const std::vector<std::string_view>* groups) {
  if (rule.to.find('$') == std::string::npos) return rule.to;
  base::Result<TemplatePtr> text = Template::parse(rule.to);
  if (!text.ok()) return rule.to;
  TemplateContext names = context != nullptr ? *context : TemplateContext();
  names.captures = groups;
  return (*text)->render(names);
}

bool is_off(const Substitution& rule) { return rule.from.empty() || rule.from == "off"; }

// The new value by the first rule that fits.
template <class Replace>
std::optional<std::string> apply_first(const std::vector<Substitution>& rules, const TemplateContext* context, std::string_view value, Replace replace_plain) {
  for (const Substitution& rule : rules) {
    if (is_off(rule)) continue;
    if (rule.regex) {
      std::vector<std::string_view> groups;
      if (rule.regex->search(value, &groups)) return render(rule, context, &groups);
      continue;
    }
    if (std::optional<std::string> changed = replace_plain(rule, value)) return changed;
  }
  return std::nullopt;
}

std::optional<std::string> replace_prefix(const std::vector<Substitution>& rules, const TemplateContext* context, std::string_view value) {
  return apply_first(rules, context, value, [context](const Substitution& rule, std::string_view text) -> std::optional<std::string> {
    if (text.substr(0, rule.from.size()) != rule.from) return std::nullopt;
    return render(rule, context, nullptr).append(text.substr(rule.from.size()));
  });
}

std::string_view without_dot(std::string_view domain) { return !domain.empty() && domain[0] == '.' ? domain.substr(1) : domain; }

// A leading dot does not count in the comparison, and stays.
std::optional<std::string> replace_domain(const std::vector<Substitution>& rules, const TemplateContext* context, std::string_view value) {
  return apply_first(rules, context, value, [context](const Substitution& rule, std::string_view text) -> std::optional<std::string> {
    std::string_view plain = without_dot(text);
    if (!equal_names(without_dot(rule.from), plain)) return std::nullopt;
    return std::string(plain.size() < text.size() ? "." : "").append(without_dot(render(rule, context, nullptr)));
  });
}

// One Set-Cookie line; nothing when it stays. One that is changed comes out with "; " between its attributes, as nginx writes it.
std::optional<std::string> change_cookie(const std::vector<Substitution>& domains, const std::vector<Substitution>& paths, const TemplateContext* context, std::string_view line) {
  std::string out;
  bool changed = false;
  for (size_t at = 0; at <= line.size();) {
    size_t end = std::min(line.find(';', at), line.size());
    std::string_view part = trim(line.substr(at, end - at));
    size_t equal = part.find('=');
    std::optional<std::string> value;
    if (at > 0 && equal != std::string_view::npos) {
      std::string_view name = trim(part.substr(0, equal)), old = trim(part.substr(equal + 1));
      if (equal_names(name, "domain")) value = replace_domain(domains, context, old);
      else if (equal_names(name, "path")) value = replace_prefix(paths, context, old);
      if (value) {
        changed = true;
        make_header_safe(&*value);
        part = name;
      }
    }
    if (at > 0 && !part.empty()) out.append("; ");
    out.append(part);
    if (value) out.append("=").append(*value);
    at = end + 1;
  }
  return changed ? std::optional<std::string>(std::move(out)) : std::nullopt;
}

// "5; url=http://..." -> where the URL begins.
size_t url_in_refresh(std::string_view value) {
  for (size_t i = 0; i + 4 <= value.size(); ++i) {
    if (equal_names(value.substr(i, 4), "url=")) return i + 4;
  }
  return std::string_view::npos;
}

}  // namespace

void substitute_redirects(const std::vector<Substitution>& rules, Headers& response, const TemplateContext* context) {
  if (rules.empty()) return;
  if (std::optional<std::string_view> location = response.find("location")) {
    if (std::optional<std::string> changed = replace_prefix(rules, context, *location)) {
      make_header_safe(&*changed);
      response.set("Location", *changed);
    }
  }
  std::optional<std::string_view> refresh = response.find("refresh");
  size_t at = refresh ? url_in_refresh(*refresh) : std::string_view::npos;
  if (at == std::string_view::npos) return;
  std::optional<std::string> changed = replace_prefix(rules, context, refresh->substr(at));
  if (!changed) return;
  changed->insert(0, refresh->substr(0, at));
  make_header_safe(&*changed);
  response.set("Refresh", *changed);
}

void substitute_cookies(const std::vector<Substitution>& domains, const std::vector<Substitution>& paths, Headers& response, const TemplateContext* context) {
  if ((domains.empty() && paths.empty()) || !response.has("set-cookie")) return;
  std::vector<std::string> lines;
  bool changed = false;
  for (size_t i = 0; i < response.size(); ++i) {
    Headers::Field field = response[i];
    if (!equal_names(field.name, "set-cookie")) continue;
    std::optional<std::string> line = change_cookie(domains, paths, context, field.value);
    changed = changed || line;
    lines.push_back(line ? std::move(*line) : std::string(field.value));
  }
  if (!changed) return;
  response.remove("set-cookie");
  for (const std::string& line : lines) response.add("Set-Cookie", line);
}

}  // namespace server::gateway
