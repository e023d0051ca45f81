// server/proxy/tracer.h - what a node does with a connection's first packet, answered from the plans alone: no
// kernel, no namespace. The ruleset must give the same answer (tests/server/proxy/behaviours.txt asks both).
//
// Thread rule: one owner; values in and out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "server/proxy/plan.h"
#include "server/proxy/proxy.h"

namespace server::proxy {

struct TracedFlow {
  base::Ip source;
  base::Ip destination;
  Protocol protocol = Protocol::kTcp;
  uint16_t port = 0;
  bool from_node = false;  // Sent by the node itself (or a pod in its network), not passed on by it.
};

enum class Verdict : uint8_t {
  kPass,     // No Service has to do with it.
  kForward,  // To one of Trace::choices.
  kRefuse,   // TCP reset, else ICMP port unreachable.
  kDrop,
};
const char* verdict_text(Verdict verdict);

struct Choice {
  Backend backend;
  bool masqueraded = false;  // The endpoint sees the node's address.
  auto operator<=>(const Choice&) const = default;
};

struct Trace {
  Verdict verdict = Verdict::kPass;
  ServiceKey service;           // Whose frontend it met; empty: none's.
  std::string target;           // Target::name
  std::vector<Choice> choices;  // kForward only.
  bool sticky = false;          // A client stays with the one it got.
  std::string reason;           // For people: which rule decided.
};
// One line for the verdict, one an endpoint.
std::string render_trace(const Trace& trace);

// The services of one node in one family. A flow of the other family passes.
class Tracer {
 public:
  Tracer(NodeView node, ProxyOptions options) : node_(std::move(node)), options_(std::move(options)) {}
  void put(const ServiceKey& key, ServicePlan plan);  // An empty plan: the service is gone.
  Trace trace(const TracedFlow& flow) const;

 private:
  struct Met {
    const ServiceKey* key = nullptr;
    const ServicePlan* plan = nullptr;
    const FrontendPlan* entry = nullptr;
  };
  enum class SourceKind { kPod, kNode, kOutside };
  Met find_frontend(const TracedFlow& flow) const;
  SourceKind source_kind(const TracedFlow& flow) const;
  Trace without_frontend(const TracedFlow& flow) const;

  const NodeView node_;
  const ProxyOptions options_;
  std::map<ServiceKey, ServicePlan> plans_;
};

}  // namespace server::proxy
