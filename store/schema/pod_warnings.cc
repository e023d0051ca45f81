// What upstream warns of in pods and their templates: things that are taken, and not what was meant.
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "store/base/ip.h"
#include "store/object/label_syntax.h"
#include "store/schema/pod_parts.h"
#include "store/schema/warnings.h"

namespace store {
namespace {

using Warnings = std::vector<std::string>;

struct Worded {
  std::string_view key;
  const char* text;
};
constexpr Worded kNodeLabels[] = {
    {"beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"},
    {"beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"},
    {"failure-domain.beta.kubernetes.io/region", "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"},
    {"failure-domain.beta.kubernetes.io/zone", "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"},
    {"beta.kubernetes.io/instance-type", "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"},
    {"app.kubernetes.io/created-by", "deprecated since v1.9"},
    {"scheduler.alpha.kubernetes.io/preferAvoidPods", "deprecated since v1.22; use Taints and Tolerations instead"},
    {"node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"},
};
constexpr Worded kAnnotations[] = {
    {"scheduler.alpha.kubernetes.io/critical-pod", "non-functional in v1.16+; use the \"priorityClassName\" field instead"},
    {"security.alpha.kubernetes.io/sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"},
    {"security.alpha.kubernetes.io/unsafe-sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"},
};
// In upstream's order. The path ends as upstream spells it.
struct OldVolume {
  const char* key;
  const char* spelled;
  const char* text;
};
constexpr OldVolume kOldVolumes[] = {
    {"photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
    {"gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"},
    {"scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
    {"flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"},
    {"storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"},
    {"quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"},
    {"glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
    {"cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"},
    {"rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"},
};
constexpr const char* kNullSelector = "a null labelSelector results in matching no pod";
constexpr const char* kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr const char* kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";
constexpr const char* kSeccompPod = "seccomp.security.alpha.kubernetes.io/pod";
constexpr const char* kSeccompContainer = "container.seccomp.security.alpha.kubernetes.io/";
constexpr const char* kAppArmor = "container.apparmor.security.beta.kubernetes.io/";

const char* label_text(std::string_view key) {
  const auto at = std::find_if(std::begin(kNodeLabels), std::end(kNodeLabels), [&](const Worded& row) { return row.key == key; });
  return at == std::end(kNodeLabels) ? nullptr : at->text;
}

void add(Warnings& out, const std::string& path, const std::string& text) { out.push_back(path + ": " + text); }

void warn_of_term(const json& term, bool values_too, const std::string& path, Warnings& out) {
  const json& expressions = array_at(term, "matchExpressions");
  for (size_t i = 0; i < expressions.size(); ++i) {
    const std::string here = item(path, "matchExpressions", i), key = string_at(expressions[i], "key");
    if (const char* text = label_text(key)) add(out, here + ".key", key + " is " + text);
    const json& values = array_at(expressions[i], "values");
    for (size_t v = 0; values_too && v < values.size(); ++v) {
      const std::string value = values[v].is_string() ? values[v].get<std::string>() : "", problem = label_value_problem(value);
      if (!problem.empty()) add(out, item(here, "values", v), value + " is invalid, " + problem);
    }
  }
}

void warn_of_placement(const json& spec, const std::string& path, Warnings& out) {
  const json& selector = object_at(spec, "nodeSelector");
  for (auto it = selector.begin(); it != selector.end(); ++it) {
    if (const char* text = label_text(it.key())) add(out, path + ".nodeSelector[" + it.key() + "]", text);
  }
  const json& affinity = object_at(object_at(spec, "affinity"), "nodeAffinity");
  const std::string here = path + ".affinity.nodeAffinity";
  const json &terms = array_at(object_at(affinity, kRequired), "nodeSelectorTerms"), &wishes = array_at(affinity, kPreferred);
  for (size_t i = 0; i < terms.size(); ++i) warn_of_term(terms[i], false, item(here + "." + kRequired, "nodeSelectorTerms", i), out);
  for (size_t i = 0; i < wishes.size(); ++i) warn_of_term(object_at(wishes[i], "preference"), true, item(here, kPreferred, i) + ".preference", out);
  const json& constraints = array_at(spec, "topologySpreadConstraints");
  for (size_t i = 0; i < constraints.size(); ++i) {
    const std::string at = item(path, "topologySpreadConstraints", i), key = string_at(constraints[i], "topologyKey");
    if (const char* text = label_text(key)) add(out, at + ".topologyKey", key + " is " + text);
    if (!has(constraints[i], "labelSelector")) add(out, at + ".labelSelector", kNullSelector);
  }
}

void warn_of_pod_affinity(const json& spec, const std::string& path, Warnings& out) {
  for (const char* kind : {"podAffinity", "podAntiAffinity"}) {
    const json& affinity = object_at(object_at(spec, "affinity"), kind);
    const std::string here = path + ".affinity." + kind;
    const json &terms = array_at(affinity, kRequired), &wishes = array_at(affinity, kPreferred);
    for (size_t i = 0; i < terms.size(); ++i) {
      if (!has(terms[i], "labelSelector")) add(out, item(here, kRequired, i) + ".labelSelector", kNullSelector);
    }
    for (size_t i = 0; i < wishes.size(); ++i) {
      if (!has(object_at(wishes[i], "podAffinityTerm"), "labelSelector")) add(out, item(here, kPreferred, i) + ".podAffinityTerm.labelSelector", kNullSelector);
    }
  }
}

// Files of one volume of which one is the other, or a folder in its way. `source` says where a file comes from, if needed.
struct File {
  std::string path;
  std::string source;
  std::string text() const { return go_quoted(path) + (source.empty() ? "" : " (" + source + ")"); }
  bool operator==(const File&) const = default;
};

void warn_of_overlap(std::vector<File>& there, File file, const std::string& volume, Warnings& out) {
  while (file.path.ends_with('/')) file.path.pop_back();
  for (const File& other : there) {
    if (file.path.empty() || other.path.empty()) continue;
    const bool meet = (other.path + "/").starts_with(file.path + "/") || (file.path + "/").starts_with(other.path + "/");
    if (meet) out.push_back(volume + ": overlapping paths: " + file.text() + " with " + other.text());
  }
  there.push_back(std::move(file));
}

void warn_of_items(const json& source, const std::string& volume, Warnings& out) {
  std::vector<File> files;
  for (const json& entry : array_at(source, "items")) warn_of_overlap(files, {string_at(entry, "path"), ""}, volume, out);
}

std::vector<File> projected_files(const json& source) {
  std::vector<File> out;
  auto items = [&](const char* kind, const std::string& title) {
    for (const json& entry : array_at(source[kind], "items")) out.push_back({string_at(entry, "path"), title});
  };
  if (has(source, "configMap")) items("configMap", "ConfigMap " + go_quoted(string_at(source["configMap"], "name")));
  else if (has(source, "secret")) items("secret", "Secret " + go_quoted(string_at(source["secret"], "name")));
  else if (has(source, "downwardAPI")) items("downwardAPI", "DownwardAPI");
  else if (has(source, "serviceAccountToken")) out.push_back({string_at(source["serviceAccountToken"], "path"), "ServiceAccountToken"});
  return out;
}

void warn_of_files(const json& volume, Warnings& out) {
  const std::string title = "volume " + go_quoted(string_at(volume, "name")) + " (";
  if (has(volume, "configMap")) warn_of_items(volume["configMap"], title + "ConfigMap " + go_quoted(string_at(volume["configMap"], "name")) + ")", out);
  if (has(volume, "secret")) warn_of_items(volume["secret"], title + "Secret " + go_quoted(string_at(volume["secret"], "secretName")) + ")", out);
  if (has(volume, "downwardAPI")) warn_of_items(volume["downwardAPI"], title + "DownwardAPI)", out);
  std::vector<File> files;
  for (const json& source : array_at(object_at(volume, "projected"), "sources")) {
    if (source.empty()) out.push_back(title + "Projected) has no sources provided");
    for (File& file : projected_files(source)) warn_of_overlap(files, std::move(file), title + "Projected)", out);
  }
}

void warn_of_volumes(const json& spec, const std::string& path, Warnings& out) {
  const json& volumes = array_at(spec, "volumes");
  for (size_t i = 0; i < volumes.size(); ++i) {
    for (const OldVolume& old : kOldVolumes) {
      if (has(volumes[i], old.key)) add(out, item(path, "volumes", i) + "." + old.spelled, old.text);
    }
    const json& claim = object_at(object_at(object_at(volumes[i], "ephemeral"), "volumeClaimTemplate"), "spec");
    for (std::string& warning : claim_warnings(claim, item(path, "volumes", i) + ".ephemeral.volumeClaimTemplate.spec")) out.push_back(std::move(warning));
  }
  for (const json& volume : volumes) warn_of_files(volume, out);
}

void warn_of_names(const json& spec, const std::string& path, Warnings& out) {
  auto repeated = [&](const char* list, const char* key) {
    std::set<std::string> seen;
    const json& entries = array_at(spec, list);
    for (size_t i = 0; i < entries.size(); ++i) {
      const std::string value = string_at(entries[i], key);
      if (!seen.insert(value).second) add(out, item(path, list, i) + "." + key, std::string("duplicate ") + key + " " + go_quoted(value));
    }
  };
  repeated("hostAliases", "ip");
  repeated("imagePullSecrets", "name");
  const json& secrets = array_at(spec, "imagePullSecrets");
  for (size_t i = 0; i < secrets.size(); ++i) {
    if (string_at(secrets[i], "name").empty()) add(out, item(path, "imagePullSecrets", i) + ".name", "invalid empty name \"\"");
  }
}

void warn_of_fractions(const json& amounts, const std::string& path, std::initializer_list<const char*> names, Warnings& out) {
  for (const char* name : names) {
    const auto at = amounts.find(name);
    if (at == amounts.end()) continue;
    const auto nanos = quantity_nanos(*at);
    const std::string text = at->is_string() ? at->get<std::string>() : at->dump();
    if (nanos && std::fmod(std::ceil(*nanos / 1e6L), 1000.0L) != 0) {
      add(out, path + "[" + name + "]", "fractional byte value " + go_quoted(text) + " is invalid, must be an integer");
    }
  }
}

void warn_of_environment(const json& container, const std::string& path, Warnings& out) {
  const json& env = array_at(container, "env");
  std::set<std::string> seen;
  for (size_t i = 0; i < env.size(); ++i) {
    const std::string name = string_at(env[i], "name"), value = string_at(env[i], "value"), old = "$(" + name + ")";
    if (seen.insert(name).second) continue;
    const bool builds_on_it = !has(env[i], "valueFrom") && value != old && value.find(old) != std::string::npos;
    if (!builds_on_it) add(out, item(path, "env", i), "hides previous definition of " + go_quoted(name) + ", which may be dropped when using apply");
  }
}

void warn_of_container(const json& container, const json& annotations, bool in_template, const std::string& metadata, const std::string& path, const json& pod_context,
                       Warnings& out) {
  const json& context = object_at(container, "securityContext");
  const std::string name = string_at(container, "name"), seccomp = kSeccompContainer + name, armor = kAppArmor + name;
  if (!has(context, "seccompProfile") && annotations.contains(seccomp)) {
    add(out, metadata + "[" + seccomp + "]", "non-functional in v1.27+; use the \"seccompProfile\" field instead");
  }
  if (in_template && !has(context, "appArmorProfile") && !has(pod_context, "appArmorProfile") && annotations.contains(armor)) {
    add(out, metadata + "[" + armor + "]", "deprecated since v1.30; use the \"appArmorProfile\" field instead");
  }
  const json& resources = object_at(container, "resources");
  for (const char* resource : {"memory", "ephemeral-storage"}) {
    for (const char* kind : {"limits", "requests"}) warn_of_fractions(object_at(resources, kind), path + ".resources." + kind, {resource}, out);
  }
  warn_of_environment(container, path, out);
}

struct Port {
  std::string field, ip, name;
  int64_t number = 0, host = 0;
  std::string protocol;
};

std::vector<Port> all_ports(const json& spec, const std::string& path) {
  std::vector<Port> out;
  each_container_of(spec, path, [&](const json& container, const std::string& here) {
    const json& ports = array_at(container, "ports");
    for (size_t i = 0; i < ports.size(); ++i) {
      const std::string protocol = string_at(ports[i], "protocol");
      out.push_back({item(here, "ports", i), string_at(ports[i], "hostIP"), string_at(ports[i], "name"), integer_at(ports[i], "containerPort"),
                     integer_at(ports[i], "hostPort"), protocol.empty() ? "TCP" : protocol});
    }
  });
  return out;
}

// As Go prints the port, with all its fields.
std::string port_text(const Port& port) {
  return "{Name:" + port.name + " HostPort:" + std::to_string(port.host) + " ContainerPort:" + std::to_string(port.number) + " Protocol:" + port.protocol + " HostIP:" + port.ip + "}";
}

void warn_of_ports(const json& spec, const std::string& path, Warnings& out) {
  const std::vector<Port> ports = all_ports(spec, path);
  for (size_t i = 0; i < ports.size(); ++i) {
    const Port& port = ports[i];
    if (!port.ip.empty() && port.host == 0) add(out, port.field, "hostIP set without hostPort: " + port_text(port));
    for (size_t j = 0; j < i; ++j) {
      const Port& other = ports[j];
      if (port.number != other.number || port.protocol != other.protocol) continue;
      if (port.ip == other.ip && port.host == other.host) add(out, port.field, "duplicate port definition with " + other.field);
      else if (port.host == 0 || other.host == 0) add(out, port.field, "overlapping port definition with " + other.field);
      else if (port.host == other.host && port.ip.empty() != other.ip.empty()) add(out, port.field, "dangerously ambiguous port definition with " + other.field);
    }
  }
  std::map<std::string, std::string> names;
  for (const Port& port : ports) {
    if (port.name.empty()) continue;
    const auto [at, fresh] = names.emplace(port.name, port.field);
    if (fresh) continue;
    add(out, port.field,
        "duplicate port name " + go_quoted(port.name) + " with " + at->second + ", services and probes that select ports by name will use " + at->second);
  }
}

void warn_of_address(const std::string& text, const std::string& path, Warnings& out) {
  const auto ip = base::Ip::parse(text);
  if (ip.ok() && text.find(':') != std::string::npos && ip->text() != text) {
    add(out, path, "IPv6 address " + go_quoted(text) + " should be in RFC 5952 canonical format (" + go_quoted(ip->text()) + ")");
  }
}

void warn_of_addresses(const json& spec, const std::string& path, Warnings& out) {
  const json& servers = array_at(object_at(spec, "dnsConfig"), "nameservers");
  for (size_t i = 0; i < servers.size(); ++i) {
    if (servers[i].is_string()) warn_of_address(servers[i].get<std::string>(), item(path + ".dnsConfig", "nameservers", i), out);
  }
  const json& aliases = array_at(spec, "hostAliases");
  for (size_t i = 0; i < aliases.size(); ++i) warn_of_address(string_at(aliases[i], "ip"), item(path, "hostAliases", i) + ".ip", out);
}

}  // namespace

std::vector<std::string> claim_warnings(const json& spec, const std::string& path) {
  Warnings out;
  for (const char* kind : {"requests", "limits"}) warn_of_fractions(object_at(object_at(spec, "resources"), kind), path + ".resources." + kind, {"storage"}, out);
  return out;
}

std::vector<std::string> pod_warnings(const json& pod, const std::string& path) {
  Warnings out;
  const json &spec = object_at(pod, "spec"), &annotations = object_at(object_at(pod, "metadata"), "annotations");
  const std::string prefix = path.empty() ? "" : path + ".", here = prefix + "spec", metadata = prefix + "metadata.annotations";
  warn_of_placement(spec, here, out);
  for (const Worded& old : kAnnotations) {
    if (annotations.contains(old.key)) add(out, metadata + "[" + std::string(old.key) + "]", old.text);
  }
  warn_of_volumes(spec, here, out);
  warn_of_names(spec, here, out);
  warn_of_fractions(object_at(spec, "overhead"), here + ".overhead", {"memory", "ephemeral-storage"}, out);
  const json& context = object_at(spec, "securityContext");
  if (!has(context, "seccompProfile") && annotations.contains(kSeccompPod)) {
    add(out, metadata + "[" + kSeccompPod + "]", "non-functional in v1.27+; use the \"seccompProfile\" field instead");
  }
  each_container_of(spec, here, [&](const json& container, const std::string& at) {
    if (container.is_object()) warn_of_container(container, annotations, !path.empty(), metadata, at, context, out);
  });
  warn_of_ports(spec, here, out);
  if (integer_at(spec, "terminationGracePeriodSeconds") < 0) {
    add(out, here + ".terminationGracePeriodSeconds", "must be >= 0; negative values are invalid and will be treated as 1");
  }
  warn_of_pod_affinity(spec, here, out);
  warn_of_addresses(spec, here, out);
  return out;
}

}  // namespace store
