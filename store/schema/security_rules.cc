// Security contexts of pods and containers, and what the operating system of a pod rules out.
#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "store/schema/go_struct.h"
#include "store/schema/pod_parts.h"

namespace store {
namespace {

constexpr std::string_view kProfiles[] = {"Localhost", "RuntimeDefault", "Unconfined"};
constexpr std::string_view kProcMounts[] = {"Default", "Unmasked"};
constexpr std::string_view kGroupChanges[] = {"Always", "OnRootMismatch"}, kGroupPolicies[] = {"Merge", "Strict"};
constexpr std::string_view kSeLinuxChanges[] = {"Recursive"};  // MountOption waits for a feature that is off by default.

constexpr GoField kProfile[] = {{"Type", "type", "\"\""}, {"LocalhostProfile", "localhostProfile"}};
constexpr GoField kCapabilities[] = {{"Add", "add"}, {"Drop", "drop"}};
constexpr GoField kSeLinux[] = {{"User", "user", "\"\""}, {"Role", "role", "\"\""}, {"Type", "type", "\"\""}, {"Level", "level", "\"\""}};
constexpr GoField kWindows[] = {{"GMSACredentialSpecName", "gmsaCredentialSpecName"}, {"GMSACredentialSpec", "gmsaCredentialSpec"},
                                {"RunAsUserName", "runAsUserName"}, {"HostProcess", "hostProcess"}};
constexpr GoField kContextFields[] = {{"Capabilities", "capabilities", "null", kCapabilities}, {"Privileged", "privileged"},
                                {"SELinuxOptions", "seLinuxOptions", "null", kSeLinux}, {"WindowsOptions", "windowsOptions", "null", kWindows},
                                {"RunAsUser", "runAsUser"}, {"RunAsGroup", "runAsGroup"}, {"RunAsNonRoot", "runAsNonRoot"},
                                {"ReadOnlyRootFilesystem", "readOnlyRootFilesystem"}, {"AllowPrivilegeEscalation", "allowPrivilegeEscalation"},
                                {"ProcMount", "procMount"}, {"SeccompProfile", "seccompProfile", "null", kProfile},
                                {"AppArmorProfile", "appArmorProfile", "null", kProfile}};

void check_id(const json& id, const std::string& field, Causes& causes) {
  if (!id.is_number_integer()) return;
  const int64_t number = id.get<int64_t>();
  if (number < 0 || number > INT32_MAX) causes.push_back(cause_invalid(field, id, "must be between 0 and 2147483647, inclusive"));
}

void check_ids(const json& context, std::initializer_list<const char*> fields, const std::string& path, Causes& causes) {
  for (const char* field : fields) {
    if (has(context, field)) check_id(context[field], path + "." + field, causes);
  }
}

void check_seccomp(const json& context, const std::string& owner, Causes& causes) {
  if (!has(context, "seccompProfile")) return;
  const json& profile = context["seccompProfile"];
  const std::string type = string_at(profile, "type"), path = owner + ".seccompProfile", field = path + ".localhostProfile";
  if (type.empty()) causes.push_back(cause_required(path + ".type", "type is required when seccompProfile is set"));
  else check_supported(profile, "type", kProfiles, path, causes);
  const bool named = has(profile, "localhostProfile");
  if (type != "Localhost") {
    if (named) causes.push_back(cause_invalid_go(field, go_struct(profile, kProfile), "can only be set when seccomp type is Localhost"));
  } else if (!named) {
    causes.push_back(cause_required(field, "must be set when seccomp type is Localhost"));
  } else {
    check_descending_path(string_at(profile, "localhostProfile"), field, causes);
  }
}

void check_app_armor(const json& context, const std::string& owner, Causes& causes) {
  constexpr size_t kLongest = 4095;  // PATH_MAX without the zero at the end.
  if (!has(context, "appArmorProfile")) return;
  const json& profile = context["appArmorProfile"];
  const std::string type = string_at(profile, "type"), path = owner + ".appArmorProfile", field = path + ".localhostProfile";
  const std::string name = string_at(profile, "localhostProfile");
  if (type.empty()) {
    causes.push_back(cause_required(path + ".type", "type is required when appArmorProfile is set"));
  } else if (type == "Localhost") {
    auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
    if (name.empty()) causes.push_back(cause_required(field, "must be set when AppArmor type is Localhost"));
    else if (space(name.front()) || space(name.back())) causes.push_back(cause_invalid(field, name, "must not be padded with whitespace"));
    if (name.size() > kLongest) causes.push_back({"FieldValueTooLong", "Too long: may not be more than " + std::to_string(kLongest) + " bytes", field});
  } else if ((type == "RuntimeDefault" || type == "Unconfined") && has(profile, "localhostProfile")) {
    causes.push_back(cause_invalid(field, name, "can only be set when AppArmor type is Localhost"));
  } else {
    check_supported(profile, "type", kProfiles, path, causes);
  }
}

// Segments of lower case letters, digits, '-' and '_', parted by '.' or '/'.
bool is_sysctl_name(const std::string& name) {
  auto edge = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  auto parting = [](char c) { return c == '.' || c == '/'; };
  if (name.size() > 253) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool first = i == 0 || parting(name[i - 1]), last = i + 1 == name.size() || parting(name[i + 1]);
    if (parting(c) ? first || last : !edge(c) && (first || last || (c != '-' && c != '_'))) return false;
  }
  return true;
}

// A parameter of a namespace that the pod shares with the node is the node's.
std::string shared_with_node(const json& spec, std::string name) {
  std::replace(name.begin(), name.end(), '/', '.');
  const bool ipc = name == "kernel.sem" || name.starts_with("kernel.shm") || name.starts_with("kernel.msg") || name.starts_with("fs.mqueue.");
  if (name.starts_with("net.") && flag_at(spec, "hostNetwork")) return "may not be specified when 'hostNetwork' is true";
  if (ipc && flag_at(spec, "hostIPC")) return "may not be specified when 'hostIPC' is true";
  return {};
}

void check_sysctls(const json& context, const json& spec, const std::string& path, Causes& causes) {
  const json& sysctls = array_at(context, "sysctls");
  std::set<std::string> names;
  for (size_t i = 0; i < sysctls.size(); ++i) {
    const std::string field = item(path, "sysctls", i) + ".name", name = string_at(sysctls[i], "name");
    if (name.empty()) {
      causes.push_back(cause_required(field));
    } else if (!is_sysctl_name(name)) {
      causes.push_back(cause_invalid(field, name,
                                     "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"));
    } else if (!names.insert(name).second) {
      causes.push_back(cause_duplicate(field, name));
    }
    add_problem(causes, field, name, shared_with_node(spec, name));
  }
}

// Each as the path below the pod spec.
constexpr std::string_view kNotOnWindows[] = {
    "securityContext.appArmorProfile", "securityContext.seLinuxOptions", "hostUsers", "hostPID", "hostIPC", "securityContext.seccompProfile",
    "securityContext.fsGroup", "securityContext.fsGroupChangePolicy", "securityContext.sysctls", "shareProcessNamespace", "securityContext.runAsUser",
    "securityContext.runAsGroup", "securityContext.supplementalGroups", "securityContext.supplementalGroupsPolicy", "securityContext.seLinuxChangePolicy"};
constexpr std::string_view kNotInWindowsContainers[] = {"appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
                                                        "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup"};

// Set at all; false and an empty list count as not set where Go has no pointer.
bool is_named(const json& object, std::string_view key) {
  if (!has(object, key)) return false;
  const json& value = object[std::string(key)];
  return !((key == "hostPID" || key == "hostIPC") && value == false) && !(value.is_array() && value.empty());
}

void check_windows(const json& spec, const std::string& path, Causes& causes) {
  constexpr const char* kNot = "cannot be set for a windows pod";
  constexpr std::string_view kContext = "securityContext.";
  for (std::string_view field : kNotOnWindows) {
    const bool in_context = field.starts_with(kContext);
    const json& holder = in_context ? object_at(spec, "securityContext") : spec;
    if (is_named(holder, in_context ? field.substr(kContext.size()) : field)) causes.push_back(cause_forbidden(path + "." + std::string(field), kNot));
  }
  each_container_of(spec, path, [&](const json& container, const std::string& here) {
    const json& context = object_at(container, "securityContext");
    for (std::string_view field : kNotInWindowsContainers) {
      if (is_named(context, field)) causes.push_back(cause_forbidden(here + ".securityContext." + std::string(field), kNot));
    }
  });
}

void check_linux(const json& spec, const std::string& path, Causes& causes) {
  auto check = [&](const json& holder, const std::string& here) {
    if (!has(object_at(holder, "securityContext"), "windowsOptions")) return;
    causes.push_back(cause_forbidden(here + ".securityContext.windowsOptions", "windows options cannot be set for a linux pod"));
  };
  check(spec, path);
  each_container_of(spec, path, check);
}

}  // namespace

void check_os(const json& spec, const std::string& path, Causes& causes) {
  static constexpr std::string_view kSystems[] = {"linux", "windows"};
  if (!has(spec, "os")) return;
  const std::string name = string_at(spec["os"], "name");
  if (name.empty()) causes.push_back(cause_required(path + ".os.name"));
  else if (name == "linux") check_linux(spec, path, causes);
  else if (name == "windows") check_windows(spec, path, causes);
  else causes.push_back(cause_not_supported(path + ".os", name, kSystems));
}

// A user namespace of its own goes with no namespace of the node. The last two are spelled as upstream spells them.
void check_user_namespace(const json& spec, const std::string& path, Causes& causes) {
  if (!has(spec, "hostUsers") || flag_at(spec, "hostUsers")) return;
  for (const auto& [field, spelled] : {std::pair("hostNetwork", ".hostNetwork"), std::pair("hostPID", ".HostPID"), std::pair("hostIPC", ".HostIPC")}) {
    if (flag_at(spec, field)) causes.push_back(cause_forbidden(path + spelled, "when `hostUsers` is false"));
  }
  each_container_of(spec, path, [&](const json& container, const std::string& here) {
    if (!array_at(container, "volumeDevices").empty()) causes.push_back(cause_forbidden(here + ".volumeDevices", "when `hostUsers` is false"));
  });
}

void check_container_security(const json& context, const json& spec, const std::string& path, Causes& causes) {
  if (context.empty()) return;
  check_ids(context, {"runAsUser", "runAsGroup"}, path, causes);
  check_supported(context, "procMount", kProcMounts, path, causes);
  const bool host_users = !has(spec, "hostUsers") || flag_at(spec, "hostUsers");
  if (host_users && string_at(context, "procMount") == "Unmasked") {
    causes.push_back(cause_invalid(path + ".procMount", "Unmasked", "`hostUsers` must be false to use `Unmasked`"));
  }
  check_seccomp(context, path, causes);
  if (has(context, "allowPrivilegeEscalation") && !flag_at(context, "allowPrivilegeEscalation")) {
    if (flag_at(context, "privileged")) {
      causes.push_back(cause_invalid_go(path, go_struct(context, kContextFields), "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
    }
    for (const json& added : array_at(object_at(context, "capabilities"), "add")) {
      if (added != "CAP_SYS_ADMIN") continue;
      causes.push_back(cause_invalid_go(path, go_struct(context, kContextFields),
                                        "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"));
    }
  }
  check_app_armor(context, path, causes);
}

void check_pod_security(const json& spec, const std::string& path, Causes& causes) {
  const json& context = object_at(spec, "securityContext");
  const std::string here = path + ".securityContext";
  check_ids(context, {"fsGroup", "runAsUser", "runAsGroup"}, here, causes);
  const json& groups = array_at(context, "supplementalGroups");
  for (size_t i = 0; i < groups.size(); ++i) check_id(groups[i], item(here, "supplementalGroups", i), causes);
  if (flag_at(spec, "shareProcessNamespace") && flag_at(spec, "hostPID")) {
    causes.push_back(cause_invalid(here + ".shareProcessNamespace", true, "ShareProcessNamespace and HostPID cannot both be enabled"));
  }
  check_sysctls(context, spec, here, causes);
  check_supported(context, "fsGroupChangePolicy", kGroupChanges, here, causes);
  check_seccomp(context, here, causes);
  check_app_armor(context, here, causes);
  check_supported(context, "supplementalGroupsPolicy", kGroupPolicies, here, causes);
  check_supported(context, "seLinuxChangePolicy", kSeLinuxChanges, here, causes);
}

}  // namespace store
