// server/node_agent/probe_spec.h - the probes and lifecycle hooks of a container, as structs, and how the results of
// a probe add up. Pure; any thread.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace server {

using json = nlohmann::json;

// What a probe or hook does.
struct Action {
  enum class Kind { kNone, kExec, kHttp, kTcp, kGrpc, kSleep };
  Kind kind = Kind::kNone;
  std::vector<std::string> command;
  std::string host;                    // "": the pod's address.
  int port = 0;                        // Named ports are looked up in the container already.
  std::string port_problem;            // Why there is no port.
  bool https = false;
  std::string path;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string service;                 // kGrpc
  std::chrono::seconds sleep{0};
};

struct ProbePlan {
  Action action;
  std::chrono::seconds initial_delay{0};
  std::chrono::seconds period{10};
  std::chrono::seconds timeout{1};
  int success_threshold = 1;
  int failure_threshold = 3;
  std::optional<std::chrono::seconds> grace;  // In place of the pod's.
};

enum class ProbeKind { kStartup, kReadiness, kLiveness };
inline constexpr ProbeKind kProbeKinds[] = {ProbeKind::kStartup, ProbeKind::kReadiness, ProbeKind::kLiveness};
const char* probe_name(ProbeKind kind);  // "Startup", "Readiness", "Liveness"

struct ProbePlans {
  std::optional<ProbePlan> startup, readiness, liveness;
  const std::optional<ProbePlan>& of(ProbeKind kind) const { return kind == ProbeKind::kStartup ? startup : kind == ProbeKind::kReadiness ? readiness : liveness; }
  Action post_start, pre_stop;
  int stop_signal = 0;                 // 0: the image's.
};
// Of a container's JSON.
ProbePlans project_probes(const json& container);
// "SIGTERM" -> 15; 0 for what is no signal.
int parse_signal(const std::string& name);

struct Outcome {
  // kWarning passes, with an Event. kError: no answer was to be had; it does not count either way.
  enum class Result { kSuccess, kWarning, kFailure, kError };
  Result result = Result::kSuccess;
  std::string text;
};
struct ProbeEvent {
  std::string reason, message;  // Of type Warning. No reason: none is told.
};
ProbeEvent compile_probe_event(ProbeKind kind, const Outcome& outcome);

// Results in a row against the thresholds.
class ProbeTally {
 public:
  enum class Verdict { kNone, kPassed, kFailed };
  // kNone: below the threshold, what was before stays.
  Verdict count(const ProbePlan& plan, const Outcome& outcome);
  void reset() { run_ = 0; }

 private:
  bool passed_ = false;
  int run_ = 0;
};

// When to look again, for a look begun at `begun` that ended at `now`: one period later, or at once when it took longer.
template <class Time>
std::chrono::milliseconds next_look(const ProbePlan& plan, Time begun, Time now) {
  auto wait = std::chrono::ceil<std::chrono::milliseconds>(begun + plan.period - now);
  return std::max(wait, std::chrono::milliseconds(0));
}

}  // namespace server
