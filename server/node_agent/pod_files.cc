#include "server/node_agent/pod_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "store/base/fd.h"
#include "store/base/text.h"
#include "store/object/access.h"

namespace server {
namespace {

using store::get_array;
using store::get_bool;
using store::get_int;
using store::get_object;
using store::get_string;
namespace fs = std::filesystem;

struct Resolver {
  std::vector<std::string> servers, searches, options;
};

Resolver parse_resolv_conf(const std::string& text) {
  Resolver out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string keyword, word;
    words >> keyword;
    if (keyword == "search" || keyword == "domain") out.searches.clear();
    while (words >> word) {
      if (keyword == "nameserver") out.servers.push_back(word);
      if (keyword == "search" || keyword == "domain") out.searches.push_back(word);
      if (keyword == "options") out.options.push_back(word);
    }
  }
  return out;
}

void add_unique(std::vector<std::string>& list, const std::string& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

// dnsConfig.options replace those of the same name.
void merge_option(std::vector<std::string>& options, const std::string& name, const std::string& value) {
  options.erase(std::remove_if(options.begin(), options.end(), [&](const std::string& o) { return o.substr(0, o.find(':')) == name; }), options.end());
  options.push_back(value.empty() ? name : name + ":" + value);
}

std::string join(const std::vector<std::string>& items, const char* between) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : between) + item;
  return out;
}

unsigned mode_of(const json& item, const json& volume) {
  int64_t fallback = get_int(volume, "defaultMode", 0644);
  return static_cast<unsigned>(get_int(item, "mode", fallback)) & 0777;
}

// The files of a ConfigMap or Secret, all of them or those that `items` names.
base::Result<std::vector<PodFile>> object_files(const char* kind, const std::string& name, const json& volume, const store::Object* object, const json& modes) {
  std::vector<PodFile> out;
  bool secret = std::string(kind) == "secret";
  if (object == nullptr) {
    if (get_bool(volume, "optional")) return out;
    return base::Error(base::Code::kInvalid, std::string(kind) + " \"" + name + "\" not found");
  }
  std::map<std::string, std::string> content;
  for (const auto& [key, value] : get_object(object->tree(), "data").items()) {
    if (value.is_string()) content[key] = secret ? base::decode_base64(value.get<std::string>()).value_or("") : value.get<std::string>();
  }
  for (const auto& [key, value] : get_object(object->tree(), "binaryData").items()) {
    if (value.is_string()) content[key] = base::decode_base64(value.get<std::string>()).value_or("");
  }
  const json& items = get_array(volume, "items");
  if (items.empty()) {
    for (const auto& [key, value] : content) out.push_back({key, value, mode_of(json::object(), modes)});
    return out;
  }
  for (const json& item : items) {
    std::string key = get_string(item, "key");
    auto found = content.find(key);
    if (found != content.end()) out.push_back({get_string(item, "path"), found->second, mode_of(item, modes)});
    else if (!get_bool(volume, "optional")) return base::Error(base::Code::kInvalid, "references non-existent " + std::string(kind == std::string("secret") ? "secret" : "config") + " key: " + key);
  }
  return out;
}

base::Result<std::vector<PodFile>> downward_files(const json& volume, const PodSpecView& pod, const Lookups& lookups, const json& modes) {
  std::vector<PodFile> out;
  for (const json& item : get_array(volume, "items")) {
    std::string content;
    if (store::find(item, "fieldRef") != nullptr) {
      content = TRY(resolve_field(get_string(item, "fieldRef.fieldPath"), pod, lookups));
    } else {
      std::string container = get_string(item, "resourceFieldRef.containerName");
      for (const ContainerPlan& c : pod.containers) {
        if (c.name == container) content = resolve_resource(get_string(item, "resourceFieldRef.resource"), *c.resources, get_string(item, "resourceFieldRef.divisor"));
      }
    }
    out.push_back({get_string(item, "path"), content, mode_of(item, modes)});
  }
  return out;
}

void append(std::vector<PodFile>& to, std::vector<PodFile> from) {
  for (PodFile& f : from) to.push_back(std::move(f));
}

base::Result<PodFile> token_file(const json& source, const Lookups& lookups, const json& modes) {
  auto token = lookups.token(get_string(source, "audience"), get_int(source, "expirationSeconds", 3600));
  if (!token.ok()) return std::move(token).error().context("failed to fetch token");
  return PodFile{get_string(source, "path"), std::move(*token), mode_of(json::object(), modes)};
}

base::Result<std::vector<PodFile>> projected_files(const json& volume, const PodSpecView& pod, const Lookups& lookups) {
  std::vector<PodFile> out;
  for (const json& source : get_array(volume, "sources")) {
    if (const json* v = store::find(source, "configMap")) append(out, TRY(object_files("configmap", get_string(*v, "name"), *v, lookups.config_map(get_string(*v, "name")), volume)));
    else if (const json* s = store::find(source, "secret")) append(out, TRY(object_files("secret", get_string(*s, "name"), *s, lookups.secret(get_string(*s, "name")), volume)));
    else if (const json* d = store::find(source, "downwardAPI")) append(out, TRY(downward_files(*d, pod, lookups, volume)));
    else if (const json* t = store::find(source, "serviceAccountToken")) out.push_back(TRY(token_file(*t, lookups, volume)));
    else return base::Error(base::Code::kInvalid, "kubelan has no such projected source: " + (source.empty() ? "{}" : source.begin().key()) + "; it has configMap, secret, downwardAPI and serviceAccountToken");
  }
  return out;
}

base::Result<VolumePlan> compile_volume(const json& volume, const PodSpecView& pod, const Lookups& lookups) {
  VolumePlan out;
  out.name = get_string(volume, "name");
  if (const json* v = store::find(volume, "configMap")) {
    out.files = TRY(object_files("configmap", get_string(*v, "name"), *v, lookups.config_map(get_string(*v, "name")), *v));
  } else if (const json* s = store::find(volume, "secret")) {
    out.files = TRY(object_files("secret", get_string(*s, "secretName"), *s, lookups.secret(get_string(*s, "secretName")), *s));
  } else if (const json* d = store::find(volume, "downwardAPI")) {
    out.files = TRY(downward_files(*d, pod, lookups, *d));
  } else if (const json* p = store::find(volume, "projected")) {
    out.files = TRY(projected_files(*p, pod, lookups));
  } else if (const json* h = store::find(volume, "hostPath")) {
    out.kind = VolumePlan::Kind::kHostPath;
    out.host_path = get_string(*h, "path");
    if (::access(out.host_path.c_str(), F_OK) != 0) return base::Error(base::Code::kInvalid, "hostPath " + out.host_path + " does not exist (kubelan shows host paths read-only and makes none)");
  } else if (const json* c = store::find(volume, "persistentVolumeClaim")) {
    const std::string name = get_string(*c, "claimName");
    const store::Object* claim = lookups.claim(name);
    if (claim == nullptr) return base::Error(base::Code::kInvalid, "persistentvolumeclaim \"" + name + "\" not found");
    out.kind = VolumePlan::Kind::kClaim;
    out.claim = claim->uid();
  } else if (store::find(volume, "emptyDir") != nullptr || volume.size() == 1) {  // A volume of no kind is an emptyDir.
    out.kind = VolumePlan::Kind::kEmpty;
  } else {
    std::string kind;
    for (const auto& [key, value] : volume.items()) {
      if (key != "name") kind = key;
    }
    return base::Error(base::Code::kInvalid, "kubelan has no volumes of kind " + kind + "; it has configMap, secret, emptyDir, persistentVolumeClaim, downwardAPI, projected and hostPath (read-only)");
  }
  return out;
}

// Below a volume a path may have folders; upstream refuses ".." at the API, and here nothing leaves `dir`.
base::Status make_parents(const std::string& path) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (error) return base::Error(base::Code::kInternal, "create " + path + ": " + error.message());
  return {};
}

bool stays_inside(const std::string& path) {
  for (const auto& part : fs::path(path)) {
    if (part == "..") return false;
  }
  return !path.empty() && path[0] != '/';
}

// In place by rename: whoever reads sees the old content or the new. No fsync: the folder is in memory.
base::Status write_one(const std::string& path, const PodFile& file) {
  TRY_STATUS(make_parents(path));
  std::string temp = path + ".new";
  base::Fd fd(::open(temp.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return base::os_error("create " + temp);
  TRY_STATUS(base::write_all(fd.get(), file.content.data(), file.content.size()));
  if (::fchmod(fd.get(), file.mode) != 0 || ::rename(temp.c_str(), path.c_str()) != 0) return base::os_error("write " + path);
  return {};
}

}  // namespace

std::string compile_resolv_conf(const PodSpecView& pod, const DnsSettings& dns) {
  Resolver r;
  bool cluster = pod.dns_policy == "ClusterFirstWithHostNet" || (pod.dns_policy == "ClusterFirst" && !pod.host_network);
  Resolver host = parse_resolv_conf(dns.host_resolv);
  if (cluster) {
    r.servers = {dns.server};
    r.searches = {pod.meta.ns + ".svc." + dns.domain, "svc." + dns.domain, dns.domain};
    for (const std::string& s : host.searches) add_unique(r.searches, s);
    r.options = {"ndots:5"};
  } else if (pod.dns_policy != "None") {
    r = host;
  }
  for (const json& s : get_array(*pod.dns_config, "nameservers")) add_unique(r.servers, s.get<std::string>());
  for (const json& s : get_array(*pod.dns_config, "searches")) add_unique(r.searches, s.get<std::string>());
  for (const json& o : get_array(*pod.dns_config, "options")) merge_option(r.options, get_string(o, "name"), get_string(o, "value"));
  std::string out;
  if (!r.searches.empty()) out += "search " + join(r.searches, " ") + "\n";
  for (const std::string& s : r.servers) out += "nameserver " + s + "\n";
  if (!r.options.empty()) out += "options " + join(r.options, " ") + "\n";
  return out;
}

std::string compile_hosts(const PodSpecView& pod, const std::string& pod_ip, const std::string& domain, const std::vector<base::Ip>& more_ips) {
  std::string out =
      "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\n"
      "fe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n";
  std::vector<std::string> addresses = {pod_ip};
  for (const base::Ip& ip : more_ips) addresses.push_back(ip.text());
  for (const std::string& address : addresses) {
    out += address + "\t";
    if (!pod.subdomain.empty()) out += pod.hostname + "." + pod.subdomain + "." + pod.meta.ns + ".svc." + domain + "\t";
    out += pod.hostname + "\n";
  }
  if (pod.host_aliases->empty()) return out;
  out += "\n# Entries added by HostAliases.\n";
  for (const json& alias : *pod.host_aliases) {
    out += get_string(alias, "ip");
    for (const json& name : get_array(alias, "hostnames")) out += "\t" + name.get<std::string>();
    out += "\n";
  }
  return out;
}

base::Result<std::vector<VolumePlan>> compile_volumes(const PodSpecView& pod, const Lookups& lookups) {
  std::vector<VolumePlan> out;
  for (const json& volume : *pod.volumes) {
    base::Result<VolumePlan> plan = compile_volume(volume, pod, lookups);
    if (!plan.ok()) return std::move(plan).error().context("MountVolume.SetUp failed for volume \"" + get_string(volume, "name") + "\" ");
    out.push_back(std::move(plan).value());
  }
  return out;
}

base::Status write_files(const std::string& dir, const std::vector<PodFile>& files) {
  std::error_code error;
  fs::create_directories(dir, error);
  std::set<std::string> wanted;
  for (const PodFile& file : files) {
    if (!stays_inside(file.path)) return base::Error(base::Code::kInvalid, "path \"" + file.path + "\" leaves its volume");
    TRY_STATUS(write_one(dir + "/" + file.path, file));
    wanted.insert(fs::path(file.path).lexically_normal().string());
  }
  for (auto it = fs::recursive_directory_iterator(dir, error); it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (error) break;
    if (it->is_regular_file(error) && wanted.count(fs::relative(it->path(), dir, error).string()) == 0) fs::remove(it->path(), error);
  }
  return {};
}

}  // namespace server
