#include "server/node_agent/environment.h"

#include <unistd.h>

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "store/base/text.h"
#include "store/object/access.h"

namespace server {
namespace {

using store::get_object;
using store::get_string;

base::Error config_error(const std::string& message) { return base::Error(base::Code::kInvalid, message); }

std::string upper_name(const std::string& name) {
  std::string out;
  for (char c : name) out += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

// The docker-link style variables of one service: NAME_SERVICE_HOST, NAME_PORT_80_TCP_ADDR ...
void add_service(const store::Object& service, Env& env) {
  std::string ip = get_string(service.tree(), "spec.clusterIP");
  const json& ports = store::get_array(service.tree(), "spec.ports");
  if (ip.empty() || ip == "None" || ports.empty()) return;
  std::string name = upper_name(service.name());
  env[name + "_SERVICE_HOST"] = ip;
  env[name + "_SERVICE_PORT"] = std::to_string(store::get_int(ports[0], "port"));
  for (size_t i = 0; i < ports.size(); ++i) {
    std::string port = std::to_string(store::get_int(ports[i], "port"));
    std::string protocol = get_string(ports[i], "protocol", "TCP");
    const std::string lower = base::lower(protocol);
    std::string port_name = get_string(ports[i], "name");
    if (!port_name.empty()) env[name + "_SERVICE_PORT_" + upper_name(port_name)] = port;
    std::string url = lower + "://" + ip + ":" + port;
    if (i == 0) env[name + "_PORT"] = url;
    std::string prefix = name + "_PORT_" + port + "_" + protocol;
    env[prefix] = url;
    env[prefix + "_PROTO"] = lower;
    env[prefix + "_PORT"] = port;
    env[prefix + "_ADDR"] = ip;
  }
}

bool is_variable_name(const std::string& name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) return false;
  for (char c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-' && c != '.') return false;
  }
  return true;
}

base::Status add_all_of(const EnvSource& source, const Lookups& lookups, Env& env) {
  bool secret = source.kind == EnvSource::Kind::kSecret;
  const store::Object* object = secret ? lookups.secret(source.object) : lookups.config_map(source.object);
  if (object == nullptr) {
    if (source.optional) return {};
    return config_error(std::string(secret ? "secret" : "configmap") + " \"" + source.object + "\" not found");
  }
  for (const auto& [key, value] : get_object(object->tree(), "data").items()) {
    // Keys that are no variable names are left out, as the kubelet does.
    if (is_variable_name(source.name + key) && value.is_string()) env[source.name + key] = secret ? base::decode_base64(value.get<std::string>()).value_or("") : value.get<std::string>();
  }
  return {};
}

// Nothing: an optional reference without a target.
base::Result<std::optional<std::string>> value_of_key(const EnvSource& source, const PodSpecView& pod, const Lookups& lookups) {
  bool secret = source.kind == EnvSource::Kind::kSecret;
  const char* kind = secret ? "secret" : "configmap";
  const store::Object* object = secret ? lookups.secret(source.object) : lookups.config_map(source.object);
  if (object == nullptr) {
    if (source.optional) return std::optional<std::string>();
    return config_error(std::string(kind) + " \"" + source.object + "\" not found");
  }
  const json* value = store::find_key(get_object(object->tree(), "data"), source.key);
  if (value != nullptr && value->is_string()) return std::optional<std::string>(secret ? base::decode_base64(value->get<std::string>()).value_or("") : value->get<std::string>());
  if (source.optional) return std::optional<std::string>();
  return config_error("couldn't find key " + source.key + " in " + (secret ? "Secret " : "ConfigMap ") + pod.meta.ns + "/" + source.object);
}

// The value of a resource quantity in base units: "250m" -> 0.25, "1Gi" -> 2^30.
double quantity(const std::string& text) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  static const std::pair<const char*, double> kSuffixes[] = {{"m", 1e-3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"P", 1e15},
                                                             {"Ki", 1024.0}, {"Mi", 1048576.0}, {"Gi", 1073741824.0}, {"Ti", 1099511627776.0}};
  for (const auto& [suffix, factor] : kSuffixes) {
    if (std::string(end) == suffix) return value * factor;
  }
  return value;
}

}  // namespace

std::string expand_references(const std::string& text, const Env& env) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
    } else if (text[i + 1] == '$') {
      out += '$';
      ++i;
    } else if (text[i + 1] == '(') {
      size_t close = text.find(')', i);
      auto found = close == std::string::npos ? env.end() : env.find(text.substr(i + 2, close - i - 2));
      if (found == env.end()) {
        out += text[i];
      } else {
        out += found->second;
        i = close;
      }
    } else {
      out += text[i];
    }
  }
  return out;
}

base::Result<std::string> resolve_field(const std::string& path, const PodSpecView& pod, const Lookups& lookups) {
  const std::pair<const char*, std::string> kPlain[] = {
      {"metadata.name", pod.meta.name}, {"metadata.namespace", pod.meta.ns}, {"metadata.uid", pod.meta.uid}, {"spec.nodeName", lookups.node},
      {"spec.serviceAccountName", pod.service_account}, {"status.podIP", lookups.pod_ip}, {"status.podIPs", lookups.pod_ips.empty() ? lookups.pod_ip : lookups.pod_ips},
      {"status.hostIP", lookups.host_ip}, {"status.hostIPs", lookups.host_ip}};
  for (const auto& [name, value] : kPlain) {
    if (path == name) return value;
  }
  for (const char* map : {"labels", "annotations"}) {
    const auto& values = map[0] == 'l' ? pod.meta.labels : pod.meta.annotations;
    std::string prefix = std::string("metadata.") + map;
    if (path == prefix) {  // Volumes only: a line an entry.
      std::string out;
      for (const auto& [key, value] : values) out += (out.empty() ? "" : "\n") + key + "=" + json(value).dump();
      return out;
    }
    if (path.rfind(prefix + "['", 0) == 0 && path.size() > prefix.size() + 4) {
      auto found = values.find(path.substr(prefix.size() + 2, path.size() - prefix.size() - 4));
      return found == values.end() ? std::string() : found->second;
    }
  }
  return config_error("unsupported fieldPath: " + path);
}

std::string resolve_resource(const std::string& which, const json& resources, const std::string& divisor) {
  std::string text;
  size_t dot = which.find('.');
  if (dot != std::string::npos) {
    const json* value = store::find_key(get_object(resources, which.substr(0, dot)), which.substr(dot + 1));
    if (value != nullptr) text = value->is_string() ? value->get<std::string>() : value->dump();
  }
  double amount = quantity(text);
  if (text.empty() && which == "limits.cpu") amount = static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN));
  if (text.empty() && which == "limits.memory") amount = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  double by = divisor.empty() || divisor == "0" ? 1 : quantity(divisor);
  return std::to_string(static_cast<long long>(std::ceil(amount / by)));
}

base::Result<Env> compile_environment(const PodSpecView& pod, const ContainerPlan& container, const Lookups& lookups) {
  Env env;
  for (const store::Object& service : lookups.services) {
    bool master = service.ns() == "default" && service.name() == "kubernetes";
    if (master || (pod.service_links && service.ns() == pod.meta.ns)) add_service(service, env);
  }
  for (const EnvSource& source : container.env_from) TRY_STATUS(add_all_of(source, lookups, env));
  for (const EnvSource& source : container.env) {
    switch (source.kind) {
      case EnvSource::Kind::kValue: env[source.name] = expand_references(source.value, env); break;
      case EnvSource::Kind::kField: env[source.name] = TRY(resolve_field(source.value, pod, lookups)); break;
      case EnvSource::Kind::kResource: env[source.name] = resolve_resource(source.value, *container.resources, ""); break;
      case EnvSource::Kind::kConfigMap:
      case EnvSource::Kind::kSecret: {
        std::optional<std::string> value = TRY(value_of_key(source, pod, lookups));
        if (value.has_value()) env[source.name] = *value;
      }
    }
  }
  return env;
}

}  // namespace server
