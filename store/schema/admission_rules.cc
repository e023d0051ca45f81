// Webhook configurations, of both kinds.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "store/object/label_syntax.h"
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


void check_supported(const json& object, const char* key, std::span<const std::string_view> known, const std::string& path, Causes& causes) {
  const json word = value_at(object, key);
  if (!word.is_string() || std::find(known.begin(), known.end(), word.get_ref<const std::string&>()) != known.end()) return;
  causes.push_back(cause_not_supported(path + "." + key, word, known));
}

// What of "pods/log", "pods/*" and "*/*" makes another entry pointless.
void check_resources(const json& rule, const std::string& path, Causes& causes) {
  const json& words = array_at(rule, "resources");
  const std::string field = path + ".resources";
  if (words.empty()) causes.push_back(cause_required(field));
  std::set<std::string> all_parts_of, part_of_all;
  bool all = false, everything = false, plain = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string word = words[i].is_string() ? words[i].get<std::string>() : "", here = item(path, "resources", i);
    if (word.empty()) {
      causes.push_back(cause_required(here));
      continue;
    }
    everything |= word == "*/*";
    all |= word == "*";
    const size_t slash = word.find('/');
    if (slash == std::string::npos) {
      plain = word != "*";
      continue;
    }
    const std::string resource = word.substr(0, slash), part = word.substr(slash + 1);
    if (all_parts_of.count(resource)) causes.push_back(cause_invalid(here, word, "if '" + resource + "/*' is present, must not specify " + word));
    if (part_of_all.count(part)) causes.push_back(cause_invalid(here, word, "if '*/" + part + "' is present, must not specify " + word));
    if (part == "*") all_parts_of.insert(resource);
    if (resource == "*") part_of_all.insert(part);
  }
  if (words.size() > 1 && everything) causes.push_back(cause_invalid(field, words, "if '*/*' is present, must not specify other resources"));
  if (all && plain) causes.push_back(cause_invalid(field, words, "if '*' is present, must not specify other resources without subresources"));
}

void check_admission_rule(const json& rule, const std::string& path, Causes& causes) {
  static constexpr std::string_view kOperations[] = {"*", "CONNECT", "CREATE", "DELETE", "UPDATE"}, kScopes[] = {"*", "Cluster", "Namespaced"};
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
  check_resources(rule, path, causes);
  check_supported(rule, "scope", kScopes, path, causes);
}

// The parts of a URL that matter here; none of them has a meaning without the one before.
void check_webhook_url(const std::string& text, const std::string& field, Causes& causes) {
  constexpr std::string_view kForm = "; desired format: https://host[/path]";
  const size_t colon = text.find("://");
  const std::string scheme = colon == std::string::npos ? "" : text.substr(0, colon);
  std::string rest = colon == std::string::npos ? text : text.substr(colon + 3), fragment, query;
  auto cut = [&rest](char mark) {
    const size_t at = rest.find(mark);
    const std::string tail = at == std::string::npos ? "" : rest.substr(at + 1);
    if (at != std::string::npos) rest.resize(at);
    return tail;
  };
  fragment = cut('#');
  query = cut('?');
  std::string host = colon == std::string::npos ? "" : rest.substr(0, rest.find('/')), user;
  if (const size_t at = host.rfind('@'); at != std::string::npos) {
    user = host.substr(0, at);
    host = host.substr(at + 1);
  }
  if (scheme != "https") causes.push_back(cause_invalid(field, scheme, "'https' is the only allowed URL scheme" + std::string(kForm)));
  if (host.empty()) causes.push_back(cause_invalid(field, "", "host must be specified" + std::string(kForm)));
  if (!user.empty()) causes.push_back(cause_invalid(field, user, "user information is not permitted in the URL"));
  if (!fragment.empty()) causes.push_back(cause_invalid(field, fragment, "fragments are not permitted in the URL"));
  if (!query.empty()) causes.push_back(cause_invalid(field, query, "query parameters are not permitted in the URL"));
}

void check_service_path(const std::string& text, const std::string& field, Causes& causes) {
  if (text.empty() || text == "/") return;
  if (text == "//") return causes.push_back(cause_invalid(field, text, "segment[0] may not be empty"));
  if (text[0] != '/') causes.push_back(cause_invalid(field, text, "must start with a '/'"));
  std::string rest = text.substr(1);
  if (rest.ends_with('/')) rest.pop_back();
  for (size_t start = 0, i = 0; start <= rest.size(); ++i) {
    const size_t end = std::min(rest.find('/', start), rest.size());
    const std::string segment = rest.substr(start, end - start), here = "segment[" + std::to_string(i) + "]";
    const std::string problem = name_problem(segment, NameRule::kDnsSubdomain);
    if (segment.empty()) causes.push_back(cause_invalid(field, text, here + " may not be empty"));
    else if (!problem.empty()) causes.push_back(cause_invalid(field, text, here + ": " + problem));
    start = end + 1;
  }
}

void check_webhook_client(const json& client, const std::string& path, Causes& causes) {
  const json url = value_at(client, "url"), service = value_at(client, "service");
  if (url.is_null() == service.is_null()) return causes.push_back(cause_required(path, "exactly one of url or service is required"));
  if (url.is_string()) return check_webhook_url(url.get<std::string>(), path + ".url", causes);
  const std::string here = path + ".service";
  // The two are mixed up upstream.
  if (string_at(service, "namespace").empty()) causes.push_back(cause_required(here + ".name"));
  if (string_at(service, "name").empty()) causes.push_back(cause_required(here + ".namespace"));
  const int64_t port = integer_at(service, "port");
  if (const std::string problem = port_number_problem(port); !problem.empty()) causes.push_back(cause_invalid(here + ".port", port, "port is not valid: " + problem));
  check_service_path(string_at(service, "path"), here + ".path", causes);
}

void check_reviews(const json& webhook, const std::string& path, Causes& causes) {
  const json& reviews = array_at(webhook, "admissionReviewVersions");
  const std::string field = path + ".admissionReviewVersions";
  if (reviews.empty()) return causes.push_back(cause_required(field, "must specify one of v1, v1beta1"));
  std::set<std::string> seen;
  for (size_t i = 0; i < reviews.size(); ++i) {
    const std::string version = reviews[i].is_string() ? reviews[i].get<std::string>() : "", here = item(path, "admissionReviewVersions", i);
    if (seen.insert(version).second) add_problem(causes, here, version, name_problem(version, NameRule::kDns1035Label));
    else causes.push_back(cause_invalid(here, version, "duplicate version"));
  }
  if (!seen.count("v1") && !seen.count("v1beta1")) causes.push_back(cause_invalid(field, reviews, "must include at least one of v1, v1beta1"));
}

void check_conditions(const json& webhook, const std::string& path, Causes& causes) {
  const json& conditions = array_at(webhook, "matchConditions");
  std::set<std::string> names;
  for (size_t i = 0; i < conditions.size(); ++i) {
    const std::string here = item(path, "matchConditions", i), name = string_at(conditions[i], "name");
    if (string_at(conditions[i], "expression").empty()) causes.push_back(cause_required(here + ".expression"));
    if (name.empty()) causes.push_back(cause_required(here + ".name"));
    else add_problem(causes, here + ".name", name, label_key_problem(name));
    if (!name.empty() && !names.insert(name).second) causes.push_back(cause_duplicate(here + ".name", name));
  }
}

void check_webhook(const json& webhook, const std::string& path, Causes& causes) {
  static constexpr std::string_view kSideEffects[] = {"None", "NoneOnDryRun"}, kFailures[] = {"Fail", "Ignore"}, kMatches[] = {"Equivalent", "Exact"},
                                    kAgain[] = {"IfNeeded", "Never"};
  check_domain(string_at(webhook, "name"), path + ".name", causes);
  const json& rules = array_at(webhook, "rules");
  for (size_t i = 0; i < rules.size(); ++i) check_admission_rule(rules[i], item(path, "rules", i), causes);
  check_supported(webhook, "failurePolicy", kFailures, path, causes);
  check_supported(webhook, "matchPolicy", kMatches, path, causes);
  if (value_at(webhook, "sideEffects").is_null()) causes.push_back(cause_required(path + ".sideEffects", "must specify one of None, NoneOnDryRun"));
  check_supported(webhook, "sideEffects", kSideEffects, path, causes);
  const int64_t timeout = integer_at(webhook, "timeoutSeconds");
  if (timeout < 1 || timeout > kMaxTimeoutSeconds) {
    causes.push_back(cause_invalid(path + ".timeoutSeconds", timeout, "the timeout value must be between 1 and " + std::to_string(kMaxTimeoutSeconds) + " seconds"));
  }
  for (const char* selector : {"namespaceSelector", "objectSelector"}) check_label_selector(object_at(webhook, selector), path + "." + selector, causes);
  check_supported(webhook, "reinvocationPolicy", kAgain, path, causes);
  check_webhook_client(object_at(webhook, "clientConfig"), path + ".clientConfig", causes);
  check_conditions(webhook, path, causes);
  check_reviews(webhook, path, causes);
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
