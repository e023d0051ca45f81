// server/proxy/table.h - what a node's kernel has, and the way from there to what it should have, as bounded nft
// transactions. Pure state and bytes: no kernel, no thread. One owner at a time.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "netns/nft/batch.h"
#include "server/proxy/elements.h"
#include "server/proxy/plan.h"
#include "server/proxy/wheels.h"

namespace server::proxy {

// Numbers for targets, the same on every node, kept while the service lives, never used twice. A port has two: an even one
// for all its endpoints and the next for those on the node.
class TargetIds {
 public:
  void assign(const ServiceKey& key, ServicePlan& plan);
  void forget(const ServiceKey& key);

 private:
  using Name = std::pair<std::string, Protocol>;
  std::map<ServiceKey, std::map<Name, uint32_t>> ids_;
  uint32_t next_ = 2;
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
  std::vector<Transaction> apply(const std::vector<Change>& changes);

  // What is spare. To be run some time after the transactions of apply(), and again while has_retired().
  std::vector<Transaction> take_retired();
  bool has_retired() const { return wheels_.has_surplus(); }

  // The node has the bare ruleset again.
  void forget();

  // What the kernel must have beside the bare ruleset. Order: as the kernel's keys.
  std::map<Set, std::map<netns::NftValue, netns::NftElement>> expected_elements() const;
  std::set<std::string> expected_chains() const;

  // For tests: transactions carry their text.
  void tell() { telling_ = true; }

 private:
  struct AppliedTarget {
    std::vector<Backend> slots;
    std::vector<uint32_t> numbers;  // Of the slots' endpoints, with affinity.
    Spread spread = Spread::kRoundRobin;
    WheelId wheel = 0;              // 0: none.
    bool quiet = false;
    std::chrono::seconds affinity{0};
  };
  struct Applied {
    std::map<ClaimKey, uint32_t> claims;  // Value: way, 0 for plain sets.
    std::map<uint32_t, AppliedTarget> targets;
    std::map<std::pair<uint32_t, Backend>, uint32_t> numbers;  // Port's even target, endpoint -> number.
  };
  using TargetElements = std::map<TargetKey, TargetValue>;
  struct Step {  // One service's change, while apply() runs.
    Applied before, after;
    TargetElements elements_before, elements_after;
  };
  static TargetElements elements_of(const Applied& service);
  void claim_all(const ServiceKey& key, const ServicePlan& plan, const Applied& before, Applied& after);
  void number_endpoints(const ServicePlan& plan, const Applied& before, Applied& after);
  AppliedTarget place_target(const Target& target, const AppliedTarget* before, const Applied& service, Script& script);
  static void put_differences(const TargetElements& before, const TargetElements& after, bool additions, Script& script);
  void switch_claims(Script& script, bool additions);

  base::Family family_;
  bool telling_ = false;
  std::map<ServiceKey, Applied> services_;
  std::map<ClaimKey, std::map<ServiceKey, uint32_t>> claims_;
  std::map<ClaimKey, std::pair<bool, uint32_t>> touched_;  // During apply(): had it, and with which value.
  WheelPool wheels_;
  std::set<int64_t> remembering_;                          // remember-SECONDS that exist.
  uint32_t next_number_ = kFirstNumber;                    // Never used twice, so that an old client's entry leads nowhere.
};

}  // namespace server::proxy
