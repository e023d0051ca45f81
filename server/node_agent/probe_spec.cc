#include "server/node_agent/probe_spec.h"

#include <string.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server {
namespace {

using store::get_array;
using store::get_int;
using store::get_object;
using store::get_string;

void project_port(const json& container, const json& port, Action& out) {
  if (port.is_number_integer()) {
    out.port = static_cast<int>(port.get<int64_t>());
  } else if (port.is_string()) {
    const std::string name = port.get<std::string>();
    for (const json& p : get_array(container, "ports")) {
      if (get_string(p, "name") == name) out.port = static_cast<int>(get_int(p, "containerPort"));
    }
    if (out.port != 0) return;
    // The kubelet's last resort: a number in quotes.
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), out.port);
    if (error != std::errc() || end != name.data() + name.size()) out.port_problem = "strconv.Atoi: parsing \"" + name + "\": invalid syntax";
  }
  if (out.port_problem.empty() && (out.port < 1 || out.port > 65535)) out.port_problem = "invalid port number: " + std::to_string(out.port);
}

const json& port_of(const json& handler) {
  static const json none;
  const json* port = store::find(handler, "port");
  return port == nullptr ? none : *port;
}

void project_http(const json& container, const json& http, Action& out) {
  out.kind = Action::Kind::kHttp;
  out.host = get_string(http, "host");
  out.https = get_string(http, "scheme", "HTTP") == "HTTPS";
  out.path = get_string(http, "path", "/");
  for (const json& h : get_array(http, "httpHeaders")) out.headers.emplace_back(get_string(h, "name"), get_string(h, "value"));
  project_port(container, port_of(http), out);
}

Action project_action(const json& container, const json& handler) {
  Action out;
  if (const json* exec = store::find(handler, "exec")) {
    out.kind = Action::Kind::kExec;
    for (const json& word : get_array(*exec, "command")) {
      if (word.is_string()) out.command.push_back(word.get<std::string>());
    }
  } else if (const json* http = store::find(handler, "httpGet")) {
    project_http(container, *http, out);
  } else if (const json* tcp = store::find(handler, "tcpSocket")) {
    out.kind = Action::Kind::kTcp;
    out.host = get_string(*tcp, "host");
    project_port(container, port_of(*tcp), out);
  } else if (const json* grpc = store::find(handler, "grpc")) {
    out.kind = Action::Kind::kGrpc;
    out.service = get_string(*grpc, "service");
    project_port(container, port_of(*grpc), out);
  } else if (const json* sleep = store::find(handler, "sleep")) {
    out.kind = Action::Kind::kSleep;
    out.sleep = std::chrono::seconds(get_int(*sleep, "seconds"));
  }
  return out;
}

// The API has filled in the defaults; a pod of an older store may lack them.
std::chrono::seconds positive(const json& probe, const char* field, int64_t fallback) {
  int64_t value = get_int(probe, field, fallback);
  return std::chrono::seconds(value > 0 ? value : fallback);
}

std::optional<ProbePlan> project_probe(const json& container, const char* field) {
  const json* probe = store::find(container, field);
  if (probe == nullptr) return std::nullopt;
  ProbePlan out;
  out.action = project_action(container, *probe);
  out.initial_delay = std::chrono::seconds(std::max<int64_t>(get_int(*probe, "initialDelaySeconds"), 0));
  out.period = positive(*probe, "periodSeconds", 10);
  out.timeout = positive(*probe, "timeoutSeconds", 1);
  out.success_threshold = static_cast<int>(std::max<int64_t>(get_int(*probe, "successThreshold", 1), 1));
  out.failure_threshold = static_cast<int>(std::max<int64_t>(get_int(*probe, "failureThreshold", 3), 1));
  if (store::find(*probe, "terminationGracePeriodSeconds") != nullptr) out.grace = std::chrono::seconds(get_int(*probe, "terminationGracePeriodSeconds"));
  return out;
}

}  // namespace

const char* probe_name(ProbeKind kind) { return kind == ProbeKind::kStartup ? "Startup" : kind == ProbeKind::kReadiness ? "Readiness" : "Liveness"; }

int parse_signal(const std::string& name) {
  if (name.rfind("SIG", 0) != 0) return 0;
  const std::string rest = name.substr(3);
  for (int n = 1; n < 32; ++n) {
    const char* known = ::sigabbrev_np(n);
    if (known != nullptr && rest == known) return n;
  }
  // Real-time signals count from either end: SIGRTMIN+3, SIGRTMAX-2.
  for (int n = SIGRTMIN; n <= SIGRTMAX; ++n) {
    std::string low = "RTMIN" + (n == SIGRTMIN ? "" : "+" + std::to_string(n - SIGRTMIN)), high = "RTMAX" + (n == SIGRTMAX ? "" : "-" + std::to_string(SIGRTMAX - n));
    if (rest == low || rest == high) return n;
  }
  return 0;
}

ProbePlans project_probes(const json& container) {
  ProbePlans out;
  out.startup = project_probe(container, "startupProbe");
  out.readiness = project_probe(container, "readinessProbe");
  out.liveness = project_probe(container, "livenessProbe");
  out.post_start = project_action(container, get_object(container, "lifecycle.postStart"));
  out.pre_stop = project_action(container, get_object(container, "lifecycle.preStop"));
  out.stop_signal = parse_signal(get_string(container, "lifecycle.stopSignal"));
  return out;
}

ProbeEvent compile_probe_event(ProbeKind kind, const Outcome& outcome) {
  const std::string name = probe_name(kind);
  switch (outcome.result) {
    case Outcome::Result::kSuccess:
      return {};
    case Outcome::Result::kWarning:
      return {"ProbeWarning", name + " probe warning: " + outcome.text};
    case Outcome::Result::kFailure:
      return {"Unhealthy", name + " probe failed: " + outcome.text};
    case Outcome::Result::kError:
      return {"Unhealthy", name + " probe errored and resulted in unknown state: " + outcome.text};
  }
  return {};
}

ProbeTally::Verdict ProbeTally::count(const ProbePlan& plan, const Outcome& outcome) {
  if (outcome.result == Outcome::Result::kError) return Verdict::kNone;
  bool passed = outcome.result != Outcome::Result::kFailure;
  run_ = passed == passed_ ? run_ + 1 : 1;
  passed_ = passed;
  if (run_ < (passed ? plan.success_threshold : plan.failure_threshold)) return Verdict::kNone;
  return passed ? Verdict::kPassed : Verdict::kFailed;
}

}  // namespace server
