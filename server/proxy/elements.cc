#include "server/proxy/elements.h"

#include <netinet/in.h>

namespace server::proxy {
namespace {

// An unprivileged netlink socket takes about 400 KB; less where an administrator made buffers small.
constexpr size_t kMaxTransaction = 128 * 1024;
constexpr size_t kOperationOverhead = 96;  // Attributes around an element, or a chain with its rule.

uint8_t protocol_number(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTcp:
      return IPPROTO_TCP;
    case Protocol::kUdp:
      return IPPROTO_UDP;
    case Protocol::kSctp:
      return IPPROTO_SCTP;
  }
  return IPPROTO_TCP;
}

std::string port_text(const Frontend& at) { return std::string(model::protocol_text(at.protocol)) + " . " + std::to_string(at.port); }

}  // namespace

const char* family_text(base::Family family) { return family == base::Family::kIpv4 ? "ip" : "ip6"; }
std::string table_text(base::Family family) { return std::string(family_text(family)) + " " + kTableName; }

const char* set_name(Set set) {
  static constexpr std::array<const char*, kSets> kNames = {"services", "node_ports", "allowed_sources", "cluster_ips", "hairpin", "affinity",
                                                            "numbers",  "targets",    "quiet",           "endpoints",   "wheels"};
  return kNames[static_cast<size_t>(set)];
}

uint32_t compile_way(const FrontendPlan& entry, const ServicePlan& plan) {
  const Target& target = plan.targets[entry.target];
  uint32_t way = target.id;
  if (!entry.source_ranges.empty()) way |= kRestricted;
  if (entry.outside_target) way |= kLocalPolicy;  // Marks the node's own connections itself.
  if (entry.masquerade == Masquerade::kNonPods) way |= kMasqueradeNonPods;
  if (entry.masquerade == Masquerade::kEverybody) way |= kMasqueradeAll;
  if (target.affinity.count() > 0) way |= kStay;
  return way;
}

netns::NftElement claim_element(const ClaimKey& key, uint32_t way) {
  netns::NftElement out;
  const uint8_t protocol = protocol_number(key.at.protocol);
  switch (key.set) {
    case Set::kServices:
      out.key.ip(key.at.ip).protocol(protocol).port(key.at.port);
      out.data.mark(way);
      break;
    case Set::kNodePorts:
      out.key.protocol(protocol).port(key.at.port);
      out.data.mark(way);
      break;
    case Set::kAllowedSources:
      out.key.range_mark(key.target).ip(key.range.address());
      out.key_end.range_mark(key.target).ip(key.range.last());
      break;
    case Set::kHairpin:
      out.key.ip(key.at.ip).ip(key.at.ip);
      break;
    default:
      out.key.ip(key.at.ip);
  }
  return out;
}

std::string claim_text(const ClaimKey& key, uint32_t way, bool with_value) {
  const std::string ip = key.at.ip.text();
  char hex[16];
  std::snprintf(hex, sizeof hex, " : 0x%08x", way);
  const std::string value = with_value ? hex : "";
  switch (key.set) {
    case Set::kServices:
      return ip + " . " + port_text(key.at) + value;
    case Set::kNodePorts:
      return port_text(key.at) + value;
    case Set::kAllowedSources:
      return std::to_string(key.target) + " . " + key.range.text();
    case Set::kHairpin:
      return ip + " . " + ip;
    default:
      return ip;
  }
}

netns::NftElement target_element(const TargetKey& key, const TargetValue& value) {
  netns::NftElement out;
  out.key.mark(key.target);
  switch (key.set) {
    case Set::kEndpoints:
      out.key.mark(key.sub);
      out.data.ip(value.backend.ip).port(value.backend.port);
      break;
    case Set::kNumbers:
      out.key.mark(key.sub);
      out.data.mark(value.number);
      break;
    case Set::kTargets:
      out.data.mark(value.number);
      break;
    case Set::kAffinity:
      out.verdict = netns::NftVerdict{netns::NftVerdict::Kind::kJump, remember_chain(value.number)};
      break;
    default:
      break;
  }
  return out;
}

std::string target_element_text(const TargetKey& key, const TargetValue& value, bool with_value) {
  std::string out = std::to_string(key.target);
  if (key.set == Set::kEndpoints || key.set == Set::kNumbers) out += " . " + std::to_string(key.sub);
  if (!with_value || key.set == Set::kQuiet) return out;
  if (key.set == Set::kEndpoints) return out + " : " + value.backend.ip.text() + " . " + std::to_string(value.backend.port);
  if (key.set == Set::kAffinity) return out + " : jump " + remember_chain(value.number);
  return out + " : " + std::to_string(value.number);
}

std::string remember_chain(int64_t seconds) { return "remember-" + std::to_string(seconds); }

std::string remember_commands(base::Family family, std::chrono::seconds affinity) {
  const std::string chain = table_text(family) + " " + remember_chain(affinity.count());
  return "add chain " + chain + "\nadd rule " + chain + " update @clients { ct mark and 0x00fffffe . " + family_text(family) + " saddr timeout " +
         std::to_string(affinity.count()) + "s : meta mark }\n";
}

netns::NftElement wheel_element(uint32_t id, const std::string& chain) {
  netns::NftElement out;
  out.key.mark(id);
  out.verdict = netns::NftVerdict{netns::NftVerdict::Kind::kJump, chain};
  return out;
}

Script::Operation Script::addition(const ClaimKey& key, uint32_t way) const {
  return {Operation::Kind::kAdd, key.set, claim_element(key, way), telling_ ? claim_text(key, way, true) : "", 0, false};
}
Script::Operation Script::removal(const ClaimKey& key) const {
  return {Operation::Kind::kDelete, key.set, claim_element(key, 0), telling_ ? claim_text(key, 0, false) : "", 0, false};
}
Script::Operation Script::addition(const TargetKey& key, const TargetValue& value) const {
  return {Operation::Kind::kAdd, key.set, target_element(key, value), telling_ ? target_element_text(key, value, true) : "", 0, false};
}
Script::Operation Script::removal(const TargetKey& key) const {
  return {Operation::Kind::kDelete, key.set, target_element(key, {}), telling_ ? target_element_text(key, {}, false) : "", 0, false};
}

void Script::remove(Order order, const ClaimKey& key) { put(order, {removal(key)}); }

void Script::pack(const Unit& unit) {
  size_t size = 0;
  for (const Operation& operation : unit) {
    const netns::NftElement& element = operation.element;
    size += kOperationOverhead + element.key.bytes().size() + element.key_end.bytes().size() + element.data.bytes().size();
    if (operation.kind == Operation::Kind::kAddChain) size += 2 * kOperationOverhead;
  }
  if (size_ > 0 && size_ + size > kMaxTransaction) flush();
  size_ += size;
  packed_.insert(packed_.end(), unit.begin(), unit.end());
}

// Elements of one set that follow each other share a message: operations are sorted by set where that changes nothing, which
// is all but the order of chains before what leads to them, and of deletion before addition.
void Script::flush() {
  Transaction out{netns::NftBatch(family_, kTableName), std::exchange(commands_, ""), ""};
  const std::string table = table_text(family_) + " ";
  auto tell = [&](const char* verb, const std::string& what) {
    if (telling_) out.text += std::string(verb) + " " + table + what + "\n";
  };
  auto elements = [&](Operation::Kind kind, Set set) {
    std::string told;
    for (const Operation& operation : packed_) {
      if (operation.kind != kind || operation.set != set) continue;
      if (kind == Operation::Kind::kAdd) {
        out.batch.add_element(set_name(set), operation.element);
      } else {
        out.batch.delete_element(set_name(set), operation.element.key, operation.element.key_end);
      }
      told += (told.empty() ? "" : ", ") + operation.text;
    }
    if (!told.empty()) tell(kind == Operation::Kind::kAdd ? "add element" : "delete element", std::string(set_name(set)) + " { " + told + " }");
  };
  for (const Operation& operation : packed_) {
    if (operation.kind != Operation::Kind::kAddChain) continue;
    out.batch.add_chain(operation.text);
    out.batch.add_numgen_rule(operation.text, operation.random ? netns::NftBatch::Numgen::kRandom : netns::NftBatch::Numgen::kIncrement, operation.modulus);
    tell("add chain", operation.text);
  }
  for (size_t set = 0; set < kSets; ++set) elements(Operation::Kind::kDelete, static_cast<Set>(set));
  // What a packet meets last is put there first.
  for (size_t set = kSets; set-- > 0;) elements(Operation::Kind::kAdd, static_cast<Set>(set));
  for (const Operation& operation : packed_) {
    if (operation.kind != Operation::Kind::kDeleteChain) continue;
    out.batch.delete_chain(operation.text);
    tell("delete chain", operation.text);
  }
  if (!packed_.empty() || !out.commands.empty()) transactions_.push_back(std::move(out));
  packed_.clear();
  size_ = 0;
}

void Script::begin_stage() {
  for (std::vector<Unit>& units : waiting_) {
    for (const Unit& unit : units) pack(unit);
    units.clear();
  }
  if (size_ > 0 || !commands_.empty()) flush();
}

std::vector<Transaction> Script::finish() {
  begin_stage();
  return std::move(transactions_);
}

}  // namespace server::proxy
