// server/proxy/elements.h - the sets, maps and chains of the ruleset as operations on them: typed, as netlink messages
// and as text. Values; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "netns/nft/batch.h"
#include "server/proxy/plan.h"

namespace server::proxy {

inline constexpr const char* kTableName = "kubelan";
// "ip", "ip6": how nft's text says a family.
const char* family_text(base::Family family);
// "ip kubelan"
std::string table_text(base::Family family);

// In the order of a packet's way; names in set_name().
enum class Set : uint8_t {
  kServices, kNodePorts, kAllowedSources, kClusterIps, kHairpin,  // Claimed by services.
  kAffinity, kNumbers, kTargets, kQuiet, kEndpoints,              // Of targets.
  kWheels
};
inline constexpr size_t kSets = 11;
const char* set_name(Set set);

// A way: see ruleset.nft.inc.
inline constexpr uint32_t kTargetMask = 0x00ffffff, kPortMask = 0x00fffffe;
inline constexpr uint32_t kRestricted = 0x01000000, kLocalPolicy = 0x02000000, kMasqueradeNonPods = 0x04000000, kStay = 0x08000000,
                          kMasqueradeAll = 0x80000000;
uint32_t compile_way(const FrontendPlan& entry, const ServicePlan& plan);

// Numbers of endpoints, where a client stays with one; greater than any slot.
inline constexpr uint32_t kFirstNumber = 0x10000;

// An element that several services may claim.
struct ClaimKey {
  Set set = Set::kServices;
  Frontend at;          // kClusterIps, kHairpin: the address only. kNodePorts: no address. kAllowedSources: nothing.
  base::Cidr range;     // kAllowedSources
  uint32_t target = 0;  // kAllowedSources: the even one of the port.
  auto operator<=>(const ClaimKey&) const = default;
};
netns::NftElement claim_element(const ClaimKey& key, uint32_t way);
std::string claim_text(const ClaimKey& key, uint32_t way, bool with_value);

// An element of a target.
struct TargetKey {
  Set set = Set::kEndpoints;
  uint32_t target = 0;
  uint32_t sub = 0;  // Slot or number.
  auto operator<=>(const TargetKey&) const = default;
};
struct TargetValue {
  Backend backend;      // kEndpoints
  uint32_t number = 0;  // kTargets: wheel. kNumbers: number. kAffinity: seconds.
  auto operator<=>(const TargetValue&) const = default;
};
netns::NftElement target_element(const TargetKey& key, const TargetValue& value);
std::string target_element_text(const TargetKey& key, const TargetValue& value, bool with_value);

std::string remember_chain(int64_t seconds);
// Makes it, in the words of nft: keeps the client's endpoint for so long from now.
std::string remember_commands(base::Family family, std::chrono::seconds affinity);
netns::NftElement wheel_element(uint32_t id, const std::string& chain);

// All or nothing in the kernel.
struct Transaction {
  netns::NftBatch batch;
  std::string commands;  // For libnftables, before the batch; rare.
  std::string text;      // The batch, readable; only when asked for.
};

// Collects operations into transactions of bounded size. What is in one unit is never split.
class Script {
 public:
  // The order in which what is put goes out; within one, as it came.
  enum Order : uint8_t { kWheels, kEndpoints, kSwitches, kFrontends };
  Script(base::Family family, bool telling) : family_(family), telling_(telling) {}

  struct Operation {
    enum class Kind : uint8_t { kAdd, kDelete, kAddChain, kDeleteChain } kind = Kind::kAdd;
    Set set = Set::kEndpoints;
    netns::NftElement element;
    std::string text;         // Of the element, or the name of a chain.
    uint32_t modulus = 0;     // kAddChain: of its numgen rule.
    bool random = false;
  };
  using Unit = std::vector<Operation>;
  void put(Order order, Unit unit) { waiting_[order].push_back(std::move(unit)); }
  void remove(Order order, const ClaimKey& key);
  void run_first(std::string commands) { commands_ += commands; }
  // From here on a new transaction: nobody reads any more what has been switched away from.
  void begin_stage();
  std::vector<Transaction> finish();

  Operation addition(const ClaimKey& key, uint32_t way) const;
  Operation removal(const ClaimKey& key) const;
  Operation addition(const TargetKey& key, const TargetValue& value) const;
  Operation removal(const TargetKey& key) const;

 private:
  void pack(const Unit& unit);
  void flush();

  const base::Family family_;
  const bool telling_;
  std::array<std::vector<Unit>, 4> waiting_;
  std::string commands_;
  std::vector<Operation> packed_;
  size_t size_ = 0;
  std::vector<Transaction> transactions_;
};

}  // namespace server::proxy
