// Environment variables of a container.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/schema/pod_parts.h"

namespace store {
namespace {

std::string variable_problem(const std::string& name) {
  const bool printable = std::all_of(name.begin(), name.end(), [](char c) { return c > 0x1f && c < 0x7f && c != '='; });
  return printable ? "" : "a valid environment variable name must consist only of printable ASCII characters other than '='";
}

// A key of a config map or a secret.
void check_key_ref(const json& ref, const std::string& path, Causes& causes) {
  const std::string name = string_at(ref, "name"), key = string_at(ref, "key");
  add_problem(causes, path + ".name", name, name_problem(name, NameRule::kDnsSubdomain));
  if (key.empty()) causes.push_back(cause_required(path + ".key"));
  else add_problem(causes, path + ".key", key, config_key_problem(key));
}

void check_file_key(const json& ref, const std::string& path, Causes& causes) {
  const std::string key = string_at(ref, "key"), volume = string_at(ref, "volumeName"), file = string_at(ref, "path");
  if (key.empty()) causes.push_back(cause_required(path + ".key"));
  else add_problem(causes, path + ".key", key, variable_problem(key));
  if (volume.empty()) causes.push_back(cause_required(path + ".volumeName"));
  else add_problem(causes, path + ".volumeName", volume, name_problem(volume, NameRule::kDnsLabel));
  if (file.empty()) causes.push_back(cause_required(path + ".path"));
  else check_no_backsteps(file, path + ".path", causes);
}

void check_value_source(const json& variable, const std::string& path, Causes& causes) {
  const json& source = variable["valueFrom"];
  size_t sources = 0;
  auto found = [&](const char* kind) { return has(source, kind) && ++sources > 0; };
  if (found("fieldRef")) check_field_ref(source["fieldRef"], FactIn::kVariable, path + ".fieldRef", causes);
  if (found("resourceFieldRef")) check_resource_field_ref(source["resourceFieldRef"], FactIn::kVariable, path + ".resourceFieldRef", causes);
  if (found("configMapKeyRef")) check_key_ref(source["configMapKeyRef"], path + ".configMapKeyRef", causes);
  if (found("secretKeyRef")) check_key_ref(source["secretKeyRef"], path + ".secretKeyRef", causes);
  if (found("fileKeyRef")) check_file_key(source["fileKeyRef"], path + ".fileKeyRef", causes);
  if (sources == 0) {
    causes.push_back(cause_invalid(path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"));
  } else if (!string_at(variable, "value").empty()) {
    causes.push_back(cause_invalid(path, "", "may not be specified when `value` is not empty"));
  } else if (sources > 1) {
    causes.push_back(cause_invalid(path, "", "may not have more than one field specified at a time"));
  }
}

// All keys of a config map or a secret.
void check_all_of(const json& from, const std::string& path, Causes& causes) {
  const std::string name = string_at(from, "name");
  if (name.empty()) causes.push_back(cause_required(path + ".name"));
  else add_problem(causes, path + ".name", name, name_problem(name, NameRule::kDnsSubdomain));
}

}  // namespace

void check_environment(const json& container, const std::string& path, Causes& causes) {
  const json& env = array_at(container, "env");
  for (size_t i = 0; i < env.size(); ++i) {
    const std::string here = item(path, "env", i), name = string_at(env[i], "name");
    if (name.empty()) causes.push_back(cause_required(here + ".name"));
    else add_problem(causes, here + ".name", name, variable_problem(name));
    if (has(env[i], "valueFrom")) check_value_source(env[i], here + ".valueFrom", causes);
  }
  const json& from = array_at(container, "envFrom");
  for (size_t i = 0; i < from.size(); ++i) {
    const std::string here = item(path, "envFrom", i), prefix = string_at(from[i], "prefix");
    if (!prefix.empty()) add_problem(causes, here + ".prefix", prefix, variable_problem(prefix));
    size_t sources = 0;
    for (const char* kind : {"configMapRef", "secretRef"}) {
      if (!has(from[i], kind)) continue;
      ++sources;
      check_all_of(from[i][kind], here + "." + kind, causes);
    }
    if (sources == 0) causes.push_back(cause_invalid(path + ".envFrom", "", "must specify one of: `configMapRef` or `secretRef`"));
    if (sources > 1) causes.push_back(cause_invalid(path + ".envFrom", "", "may not have more than one field specified at a time"));
  }
}

// A file that variables are read from is in a folder that lives as long as the pod.
void check_file_volumes(const json& spec, const std::string& path, Causes& causes) {
  const json& volumes = array_at(spec, "volumes");
  each_container_of(spec, path, [&](const json& container, const std::string& here) {
    const json& env = array_at(container, "env");
    for (size_t i = 0; i < env.size(); ++i) {
      const json& from = object_at(env[i], "valueFrom");
      if (!has(from, "fileKeyRef")) continue;
      const std::string name = string_at(from["fileKeyRef"], "volumeName"), field = item(here, "env", i) + ".valueFrom.fileKeyRef.volumeName";
      const auto volume = std::find_if(volumes.begin(), volumes.end(), [&](const json& other) { return string_at(other, "name") == name; });
      if (volume == volumes.end()) causes.push_back({"FieldValueNotFound", "Not found: " + shown(name), field});
      else if (!has(*volume, "emptyDir")) causes.push_back(cause_invalid(field, name, "referenced volume must be of type emptyDir"));
    }
  });
}

}  // namespace store
