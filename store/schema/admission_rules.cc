// Webhook configurations, of both kinds.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/schema/rules.h"

namespace store {
namespace {

constexpr int64_t kMaxTimeoutSeconds = 30;

void check_domain(const std::string& name, const std::string& field, Causes& causes) {
  if (name.empty()) return causes.push_back(cause_required(field));
  const std::string problem = name_problem(name, NameRule::kDnsSubdomain);
  if (!problem.empty()) return causes.push_back(cause_invalid(field, name, problem));
  if (std::count(name.begin(), name.end(), '.') < 2) {
    causes.push_back(cause_invalid(field, name, "should be a domain with at least three segments separated by dots"));
  }
}

// A list that must be there, in which "*" stands alone.
void check_words(const json& rule, const char* key, const char* what, const std::string& path, Causes& causes) {
  const json& words = array_at(rule, key);
  const std::string field = path + "." + key;
  if (words.empty()) causes.push_back(cause_required(field));
  const bool all = std::find(words.begin(), words.end(), "*") != words.end();
  if (what && all && words.size() > 1) causes.push_back(cause_invalid(field, words, std::string("if '*' is present, must not specify other ") + what));
}

void check_rule(const json& rule, const std::string& path, Causes& causes) {
  static constexpr std::string_view kOperations[] = {"*", "CONNECT", "CREATE", "DELETE", "UPDATE"};
  check_words(rule, "operations", "operations", path, causes);
  const json& operations = array_at(rule, "operations");
  for (size_t i = 0; i < operations.size(); ++i) {
    if (std::find(std::begin(kOperations), std::end(kOperations), operations[i]) == std::end(kOperations)) {
      causes.push_back(cause_not_supported(item(path, "operations", i), operations[i], kOperations));
    }
  }
  check_words(rule, "apiGroups", "API groups", path, causes);
  check_words(rule, "apiVersions", "API versions", path, causes);
  const json& versions = array_at(rule, "apiVersions");
  for (size_t i = 0; i < versions.size(); ++i) {
    if (versions[i] == "") causes.push_back(cause_required(item(path, "apiVersions", i)));
  }
  check_words(rule, "resources", nullptr, path, causes);
}

void check_client(const json& client, const std::string& path, Causes& causes) {
  const bool url = client.contains("url"), service = client.contains("service");
  if (url == service) causes.push_back(cause_required(path, "exactly one of url or service is required"));
  if (!url || service) return;
  const std::string text = string_at(client, "url"), field = path + ".url";
  constexpr std::string_view kForm = "; desired format: https://host[/path]";
  const size_t scheme = text.find("://");
  const std::string given = scheme == std::string::npos ? "" : text.substr(0, scheme);
  if (given != "https") {
    causes.push_back(cause_invalid(field, given, "'https' is the only allowed URL scheme" + std::string(kForm)));
  } else if (text.size() == scheme + 3 || text[scheme + 3] == '/') {
    causes.push_back(cause_invalid(field, "", "host must be specified" + std::string(kForm)));
  }
}

void check_webhook(const json& webhook, const std::string& path, Causes& causes) {
  static constexpr std::string_view kSideEffects[] = {"None", "NoneOnDryRun"};
  const json& reviews = array_at(webhook, "admissionReviewVersions");
  if (reviews.empty()) {
    causes.push_back(cause_required(path + ".admissionReviewVersions", "must specify one of v1, v1beta1"));
  } else if (std::none_of(reviews.begin(), reviews.end(), [](const json& version) { return version == "v1" || version == "v1beta1"; })) {
    causes.push_back(cause_invalid(path + ".admissionReviewVersions", reviews, "must include at least one of v1, v1beta1"));
  }
  check_domain(string_at(webhook, "name"), path + ".name", causes);
  const json& rules = array_at(webhook, "rules");
  for (size_t i = 0; i < rules.size(); ++i) check_rule(rules[i], item(path, "rules", i), causes);
  const std::string effects = string_at(webhook, "sideEffects");
  if (effects.empty()) {
    causes.push_back(cause_required(path + ".sideEffects", "must specify one of None, NoneOnDryRun"));
  } else if (effects != "None" && effects != "NoneOnDryRun") {
    causes.push_back(cause_not_supported(path + ".sideEffects", effects, kSideEffects));
  }
  const int64_t timeout = integer_at(webhook, "timeoutSeconds");
  if (timeout < 1 || timeout > kMaxTimeoutSeconds) {
    causes.push_back(cause_invalid(path + ".timeoutSeconds", timeout, "the timeout value must be between 1 and " + std::to_string(kMaxTimeoutSeconds) + " seconds"));
  }
  for (const char* selector : {"namespaceSelector", "objectSelector"}) check_label_selector(object_at(webhook, selector), path + "." + selector, causes);
  check_client(object_at(webhook, "clientConfig"), path + ".clientConfig", causes);
}

}  // namespace

std::vector<base::Cause> validate_webhooks(const json& tree, const json*) {
  Causes causes;
  const json& webhooks = array_at(tree, "webhooks");
  std::set<std::string> names;
  for (size_t i = 0; i < webhooks.size(); ++i) {
    const std::string here = item("", "webhooks", i), name = string_at(webhooks[i], "name");
    check_webhook(webhooks[i], here, causes);
    if (!name.empty() && !names.insert(name).second) causes.push_back(cause_duplicate(here + ".name", name));
  }
  return causes;
}

}  // namespace store
