// Which kinds hold pods, where, and what else they are warned of.
#include <nlohmann/json.hpp>

#include "store/schema/pod_parts.h"
#include "store/schema/warnings.h"

namespace store {
namespace {

// `dotted_names`: pods and their hosts take this object's name, or part of it.
struct WarningRow {
  std::string_view storage;
  std::vector<const char*> path;  // To the template.
  bool dotted_names = false;
};

const WarningRow* find_warning_row(std::string_view storage) {
  static const WarningRow kRows[] = {
      {"deployments.apps", {"spec", "template"}, true},  {"replicasets.apps", {"spec", "template"}, true},
      {"statefulsets.apps", {"spec", "template"}},       {"daemonsets.apps", {"spec", "template"}},
      {"replicationcontrollers", {"spec", "template"}, true}, {"podtemplates", {"template"}},
      {"jobs.batch", {"spec", "template"}, true},        {"cronjobs.batch", {"spec", "jobTemplate", "spec", "template"}, true},
  };
  for (const WarningRow& row : kRows) {
    if (row.storage == storage) return &row;
  }
  return nullptr;
}

// Go prints the list of problems in brackets, with nothing between.
void warn_of_name(const json& tree, const char* what, std::vector<std::string>& out) {
  const std::string name = string_at(object_at(tree, "metadata"), "name");
  std::string problem = name.empty() ? "" : name_problem(name, NameRule::kDnsLabel);
  if (problem.empty()) return;
  for (size_t at = problem.find("; "); at != std::string::npos; at = problem.find("; ")) problem.erase(at, 1);
  out.push_back(std::string("metadata.name: this is used in ") + what + ", which can result in surprising behavior; a DNS label is recommended: [" + problem + "]");
}

void warn_of_job(const json& spec, const std::string& path, std::vector<std::string>& out) {
  constexpr int64_t kManyCompletions = 100'000, kManyAtOnce = 10'000;
  if (string_at(spec, "completionMode") != "Indexed" || integer_at(spec, "completions") <= kManyCompletions || integer_at(spec, "parallelism") <= kManyAtOnce) return;
  out.push_back(path +
                ": In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track "
                "completedIndexes when a big number of indexes fail");
}

void warn_of_set(const json& tree, bool is_new, std::vector<std::string>& out) {
  const json &spec = object_at(tree, "spec"), &claims = array_at(spec, "volumeClaimTemplates");
  for (size_t i = 0; i < claims.size(); ++i) {
    for (std::string& warning : claim_warnings(object_at(claims[i], "spec"), item("spec", "volumeClaimTemplates", i) + (is_new ? "" : ".Spec"))) out.push_back(std::move(warning));
  }
  if (integer_at(spec, "revisionHistoryLimit") < 0) {
    out.push_back("spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended");
  }
}

}  // namespace

bool has_workload_warnings(std::string_view storage_name) { return storage_name == "pods" || find_warning_row(storage_name); }

std::vector<std::string> workload_warnings(std::string_view storage_name, const json& tree, const json* old) {
  std::vector<std::string> out;
  if (storage_name == "pods") {
    if (old) return out;  // Nobody reads them: programs update pods.
    warn_of_name(tree, "the Pod's hostname", out);
    for (std::string& warning : pod_warnings(tree, "")) out.push_back(std::move(warning));
    return out;
  }
  const WarningRow* row = find_warning_row(storage_name);
  if (!row) return out;
  if (!old && row->dotted_names) warn_of_name(tree, "Pod names and hostnames", out);
  const json *holder = &tree, *before = old ? old : &tree;
  std::string path;
  for (const char* step : row->path) {
    if (std::string_view(step) == "template" && (storage_name == "jobs.batch" || storage_name == "cronjobs.batch") && (!old || object_at(tree, "spec") != object_at(*old, "spec"))) {
      warn_of_job(*holder, path, out);
    }
    holder = &object_at(*holder, step);
    before = &object_at(*before, step);
    path.append(path.empty() ? "" : ".").append(step);
  }
  // An update warns when something of the spec changed; that of a daemon set, when the template did.
  const bool changed = !old || (storage_name == "daemonsets.apps" || storage_name == "podtemplates" ? *holder != *before : object_at(tree, "spec") != object_at(*old, "spec"));
  if (changed) {
    for (std::string& warning : pod_warnings(*holder, path)) out.push_back(std::move(warning));
  }
  if (storage_name == "statefulsets.apps") warn_of_set(tree, !old, out);
  return out;
}

}  // namespace store
