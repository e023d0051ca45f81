// What probes and lifecycle hooks must satisfy beyond their tables of fields.
#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <utility>

#include "store/schema/rules.h"

namespace store {
namespace {

int64_t probe_number(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number_integer() ? at->get<int64_t>() : 0;
}

void check_probe_port(const json& action, const std::string& path, Causes& causes) {
  const std::string name = string_at(action, "port");
  const int64_t number = probe_number(action, "port");
  const auto port = action.find("port");
  if (port != action.end() && port->is_string()) add_problem(causes, path + ".port", name, port_name_problem(name));
  else add_problem(causes, path + ".port", number, port_number_problem(number));
}

constexpr std::string_view kSchemes[] = {"HTTP", "HTTPS"};

void check_exec(const json& action, const std::string& path, Causes& causes) {
  if (array_at(action, "command").empty()) causes.push_back(cause_required(path + ".command"));
}

void check_http(const json& action, const std::string& path, Causes& causes) {
  if (string_at(action, "path").empty()) causes.push_back(cause_required(path + ".path"));
  check_probe_port(action, path, causes);
  check_supported(action, "scheme", kSchemes, path, causes);
  for (const json& header : array_at(action, "httpHeaders")) {
    const std::string name = string_at(header, "name");
    const bool good = std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '-'; });
    if (!name.empty() && good) continue;
    causes.push_back(cause_invalid(path + ".httpHeaders", name,
                                   "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is "
                                   "'[-A-Za-z0-9]+')"));
  }
}

void check_sleep(const json& action, int64_t grace, const std::string& path, Causes& causes) {
  const int64_t seconds = probe_number(action, "seconds");
  if (seconds >= 0 && seconds <= grace) return;
  causes.push_back(cause_invalid(path, seconds, "must be non-negative and less than terminationGracePeriodSeconds (" + std::to_string(grace) + ")"));
}

// Exactly one of the actions.
void check_handler(const json& handler, int64_t grace, const std::string& path, Causes& causes) {
  bool found = false;
  for (const char* kind : {"exec", "httpGet", "tcpSocket", "grpc", "sleep"}) {
    const auto at = handler.find(kind);
    if (at == handler.end() || !at->is_object()) continue;
    const std::string here = path + "." + kind, name = kind;
    if (std::exchange(found, true)) {
      causes.push_back(cause_forbidden(here, "may not specify more than 1 handler type"));
    } else if (name == "exec") {
      check_exec(*at, here, causes);
    } else if (name == "httpGet") {
      check_http(*at, here, causes);
    } else if (name == "tcpSocket" || name == "grpc") {
      check_probe_port(*at, here, causes);
    } else if (name == "sleep") {
      check_sleep(*at, grace, here, causes);
    }
  }
  if (!found) causes.push_back(cause_required(path, "must specify a handler type"));
}

void check_probe(const json& container, const std::string& field, int64_t grace, const std::string& container_path, Causes& causes) {
  const auto at = container.find(field);
  if (at == container.end() || !at->is_object()) return;
  const std::string path = container_path + "." + field;
  check_handler(*at, grace, path, causes);
  for (const char* number : {"initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"}) {
    check_nonnegative(*at, number, path + "." + number, causes);
  }
  const bool readiness = field == "readinessProbe";
  const auto own_grace = at->find("terminationGracePeriodSeconds");
  if (own_grace != at->end() && own_grace->is_number_integer()) {
    if (*own_grace <= 0) causes.push_back(cause_invalid(path + ".terminationGracePeriodSeconds", *own_grace, "must be greater than 0"));
    if (readiness) causes.push_back(cause_invalid(path + ".terminationGracePeriodSeconds", *own_grace, "must not be set for readinessProbes"));
  }
  const int64_t threshold = probe_number(*at, "successThreshold");
  if (!readiness && threshold != 1) causes.push_back(cause_invalid(path + ".successThreshold", threshold, "must be 1"));
}

}  // namespace

void check_probes(const json& container, ContainerRole role, const json& pod_spec, const std::string& path, Causes& causes) {
  if (!container.is_object()) return;
  if (role == ContainerRole::kInit && string_at(container, "restartPolicy") != "Always") {
    for (const char* field : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"}) {
      if (object_at(container, field).empty() && !container.contains(field)) continue;
      causes.push_back(cause_forbidden(path + "." + field, "may not be set for init containers without restartPolicy=Always"));
    }
    return;
  }
  const int64_t grace = pod_spec.contains("terminationGracePeriodSeconds") ? probe_number(pod_spec, "terminationGracePeriodSeconds") : 30;
  const json& lifecycle = object_at(container, "lifecycle");
  for (const char* hook : {"postStart", "preStop"}) {
    const auto at = lifecycle.find(hook);
    if (at != lifecycle.end() && at->is_object()) check_handler(*at, grace, path + ".lifecycle." + hook, causes);
  }
  for (const char* probe : {"livenessProbe", "readinessProbe", "startupProbe"}) check_probe(container, probe, grace, path, causes);
}

}  // namespace store
