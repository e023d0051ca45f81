#include "server/gateway/ingress/compiler.h"

#include "server/gateway/ingress/values.h"
#include "store/base/regex.h"

namespace server::gateway {
namespace {

constexpr size_t kMostRegexes = 20'000;

}  // namespace

Origin origin_of(const Ingress& ingress, std::string field) { return {"Ingress", ingress.key.ns, ingress.key.name, std::move(field)}; }

void Compilation::tell(Origin origin, std::string reason, std::string message) {
  std::string whole = origin.kind + "|" + origin.ns + "|" + origin.name + "|" + origin.field + "|" + reason + "|" + message;
  if (told_.insert(std::move(whole)).second) result.problems.push_back({std::move(origin), std::move(reason), std::move(message)});
}

void Compilation::tell(const Ingress& ingress, std::string field, std::string reason, std::string message) {
  tell(origin_of(ingress, std::move(field)), std::move(reason), std::move(message));
}

void Compilation::tell_annotation(const Ingress& ingress, std::string_view name, std::string reason, std::string message) {
  tell(ingress, "metadata.annotations[" + key_of(name) + "]", std::move(reason), std::move(message));
}

base::Result<RegexPtr> Compilation::regex(const std::string& pattern, bool ignore_case, bool anchored) {
  if (cache.regexes.size() > kMostRegexes) cache.regexes.clear();
  std::string key = (ignore_case ? "i" : "-") + std::string(anchored ? "a" : "-") + pattern;
  const auto it = cache.regexes.find(key);
  if (it != cache.regexes.end()) return it->second;
  base::Result<RegexPtr> made = Regex::compile(pattern, ignore_case, anchored);
  cache.regexes.emplace(std::move(key), made);
  return made;
}

const Secret* Compilation::find_secret(const ObjectKey& key) {
  result.secrets.insert(key);
  const auto it = input.secrets.find(key);
  return it == input.secrets.end() ? nullptr : &it->second;
}

const ConfigMap* Compilation::find_config_map(const ObjectKey& key) {
  result.config_maps.insert(key);
  const auto it = input.config_maps.find(key);
  return it == input.config_maps.end() ? nullptr : &it->second;
}

base::Result<ObjectKey> Compilation::resolve(const Ingress& ingress, const std::string& text) const {
  const std::optional<NamePair> name = parse_object_name(text, ingress.key.ns);
  if (!name) return base::Error(base::Code::kInvalid, "\"" + text + "\" is not of the form NAME or NAMESPACE/NAME");
  if (name->ns != ingress.key.ns && !config.cross_namespace) {
    return base::Error(base::Code::kForbidden, "it is of namespace " + name->ns + ", and allow-cross-namespace-resources in the controller's ConfigMap is not true");
  }
  return ObjectKey{name->ns, name->name};
}

}  // namespace server::gateway
