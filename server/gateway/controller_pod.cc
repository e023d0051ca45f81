#include "server/gateway/controller_pod.h"

#include <map>
#include <nlohmann/json.hpp>
#include <variant>

#include "server/gateway/objects.h"
#include "store/base/text.h"
#include "store/object/access.h"

namespace server {
namespace {

using json = nlohmann::json;
using store::get_array;
using store::get_bool;
using store::get_string;

// server/images gives it to whatever registry and tag the image has.
constexpr char kImageId[] = "kubelan://builtin/ingress-nginx/controller";

using Member = std::variant<std::string ControllerSettings::*, bool ControllerSettings::*>;
struct Flag {
  const char* name;
  Member member;
};
const Flag kFlags[] = {
    {"controller-class", &ControllerSettings::controller_class},
    {"ingress-class", &ControllerSettings::ingress_class},
    {"watch-ingress-without-class", &ControllerSettings::without_class},
    {"ingress-class-by-name", &ControllerSettings::class_by_name},
    {"watch-namespace", &ControllerSettings::watch_namespace},
    {"configmap", &ControllerSettings::config_map},
    {"tcp-services-configmap", &ControllerSettings::tcp_services},
    {"udp-services-configmap", &ControllerSettings::udp_services},
    {"default-ssl-certificate", &ControllerSettings::default_certificate},
    {"default-backend-service", &ControllerSettings::default_backend},
    {"publish-service", &ControllerSettings::publish_service},
    {"enable-ssl-passthrough", &ControllerSettings::passthrough},
};

void set(ControllerSettings& settings, const Member& member, const std::optional<std::string>& value) {
  if (const auto* text = std::get_if<std::string ControllerSettings::*>(&member)) settings.*(*text) = value.value_or("");
  if (const auto* flag = std::get_if<bool ControllerSettings::*>(&member)) settings.*(*flag) = value.value_or("true") != "false";
}

// What the usual manifests set: values, and the pod's own name and namespace.
std::map<std::string, std::string> environment(const json& pod, const json& container) {
  std::map<std::string, std::string> out;
  for (const json& e : get_array(container, "env")) {
    const std::string field = get_string(e, "valueFrom.fieldRef.fieldPath");
    out[get_string(e, "name")] = field == "metadata.name" || field == "metadata.namespace" ? get_string(pod, field) : get_string(e, "value");
  }
  return out;
}

std::string expand(std::string text, const std::map<std::string, std::string>& env) {
  for (const auto& [name, value] : env) {
    const std::string reference = "$(" + name + ")";
    for (size_t at = 0; (at = text.find(reference, at)) != std::string::npos; at += value.size()) text.replace(at, reference.size(), value);
  }
  return text;
}

ControllerSettings settings_of(const json& pod, const std::string& name) {
  for (const json& container : get_array(pod, "spec.containers")) {
    if (get_string(container, "name") != name) continue;
    const std::map<std::string, std::string> env = environment(pod, container);
    std::vector<std::string> args;
    for (const char* field : {"command", "args"}) {
      for (const json& word : get_array(container, field)) {
        if (word.is_string()) args.push_back(expand(word.get<std::string>(), env));
      }
    }
    return parse_controller_args(args);
  }
  return {};
}

}  // namespace

ControllerSettings parse_controller_args(const std::vector<std::string>& args) {
  ControllerSettings out;
  for (size_t i = 0; i < args.size(); ++i) {
    const size_t dashes = args[i].find_first_not_of('-');
    if (dashes == 0 || dashes == std::string::npos || dashes > 2) continue;
    const std::string word = args[i].substr(dashes);
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    std::optional<std::string> value;
    if (equals != std::string::npos) value = word.substr(equals + 1);
    for (const Flag& flag : kFlags) {
      if (name != flag.name) continue;
      const bool takes_word = std::holds_alternative<std::string ControllerSettings::*>(flag.member);
      if (!value && takes_word && i + 1 < args.size()) value = args[++i];
      set(out, flag.member, value);
    }
    if (name == "publish-status-address" && (value || i + 1 < args.size())) out.publish_addresses = base::split_by_comma(value ? *value : args[++i]);
  }
  return out;
}

std::optional<ControllerPod> project_controller_pod(const store::Object& object) {
  const json& pod = object.tree();
  for (const json& status : get_array(pod, "status.containerStatuses")) {
    if (get_string(status, "imageID") != kImageId || store::find(status, "state.running") == nullptr) continue;
    ControllerPod out;
    out.uid = get_string(pod, "metadata.uid");
    out.container = get_string(status, "name");
    out.container_id = get_string(status, "containerID");
    out.deleting = store::find(pod, "metadata.deletionTimestamp") != nullptr;
    for (const json& gate : get_array(pod, "spec.readinessGates")) out.gated = out.gated || get_string(gate, "conditionType") == kIngressGate;
    for (const json& condition : get_array(pod, "status.conditions")) {
      if (get_string(condition, "type") == kIngressGate) out.gate_open = get_string(condition, "status") == "True";
    }
    out.settings = settings_of(pod, out.container);
    return out;
  }
  return std::nullopt;
}

}  // namespace server
