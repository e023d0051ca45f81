// server/proxy/table.h - what a node's kernel has, and the way from there to what it should have, as bounded nft
// transactions. Pure state and text: no kernel, no thread. One owner at a time.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/proxy/plan.h"

namespace server::proxy {

// An unprivileged netlink socket cannot grow its send buffer and a transaction is one message: bound the text.
constexpr size_t kMaxTransactionText = 60 * 1024;

// Numbers for targets, the same on every node, kept while the service lives, never used twice.
class TargetIds {
 public:
  void assign(const ServiceKey& key, ServicePlan& plan);
  void forget(const ServiceKey& key);

 private:
  using Name = std::pair<std::string, Protocol>;
  std::map<ServiceKey, std::map<Name, uint32_t>> ids_;
  uint32_t next_ = 1;
};

// Keeps endpoints in their slots: slot i of the result is current[i] if that is still wanted; holes are filled by
// new endpoints first, then from the end. The result has exactly the wanted endpoints, without gap.
std::vector<Backend> assign_slots(const std::vector<Backend>& current, const std::vector<Backend>& wanted);

class NodeTable {
 public:
  explicit NodeTable(base::Family family) : family_(family) {}

  struct Change {
    ServiceKey key;
    ServicePlan plan;  // Empty: the service is gone. Targets have ids.
  };
  // The transactions, in order, that make these changes; the table is then taken to have them. Traffic never
  // stops: whatever a packet may still be sent to is added before, and removed in a transaction after, the one
  // that switches it. Several services may claim one address (a name reused before its old Service is gone);
  // the first by name has it.
  std::vector<std::string> apply(const std::vector<Change>& changes);

  // Chains of targets that are gone. To be deleted some time after the transactions of apply(): before Linux 6.2
  // a chain counts as used for a moment after its last element went. Empty: nothing to do.
  std::vector<std::string> take_retired();

  bool has_retired() const { return !retired_.empty(); }

  // The node has the bare ruleset again.
  void forget() { *this = NodeTable(family_); }

 private:
  enum class Set : uint8_t { kServices, kClusterIps, kHairpin, kTargets, kEndpoints };
  struct ElementKey {  // Of the sets that services may share.
    Set set = Set::kServices;
    Frontend at;
    auto operator<=>(const ElementKey&) const = default;
  };
  struct AppliedTarget {
    bool known = false;  // False: the node has nothing of it yet.
    std::vector<Backend> slots;
    Spread spread = Spread::kRoundRobin;
    bool has_wheel = false;  // Its chain exists; kept until the target goes.
  };
  struct Applied {
    std::map<ElementKey, uint32_t> claims;  // Value: target id, 0 for plain sets.
    std::map<uint32_t, AppliedTarget> targets;
  };
  class Script;

  void claim_all(const ServiceKey& key, const ServicePlan& plan, const Applied& before, Applied& after);
  void grow_target(const Target& target, AppliedTarget& applied, Script& script);
  void shrink_target(uint32_t id, const AppliedTarget& before, size_t keep, Script& script);
  void switch_claims(Script& script, bool additions);
  std::string verdict(uint32_t id, Spread spread, size_t count) const;
  std::string element(const ElementKey& key, uint32_t value, bool with_value) const;

  base::Family family_;
  std::map<ServiceKey, Applied> services_;
  std::map<ElementKey, std::map<ServiceKey, uint32_t>> claims_;
  std::map<ElementKey, std::pair<bool, uint32_t>> touched_;  // During apply(): had it, and with which value.
  std::set<size_t> random_chains_;                           // random-N that exist.
  std::vector<uint32_t> retired_;
};

}  // namespace server::proxy
