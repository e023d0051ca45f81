#include "server/proxy/table.h"

#include <algorithm>
#include <array>
#include <optional>

namespace server::proxy {
namespace {

constexpr std::array<const char*, 5> kSetNames = {"services", "cluster_ips", "hairpin", "targets", "endpoints"};
constexpr size_t kSets = kSetNames.size();
constexpr size_t kCommandText = 48;  // "delete element ip6 kubelan cluster_ips {  }\n", counted once a set.

std::string slot_key(uint32_t target, size_t slot) { return std::to_string(target) + " . " + std::to_string(slot); }
std::string backend_text(const Backend& backend) { return backend.ip.text() + " . " + std::to_string(backend.port); }
std::string wheel_name(uint32_t target) { return "wheel-" + std::to_string(target); }

}  // namespace

// Collects changes into transactions. Units are never split; begin_stage() starts a new transaction.
class NodeTable::Script {
 public:
  explicit Script(base::Family family) : table_(family == base::Family::kIpv4 ? "ip kubelan" : "ip6 kubelan") {}

  struct Unit {
    std::string chains, rules;                                // Whole commands.
    std::vector<std::pair<Set, std::string>> removed, added;  // Element texts.
    size_t size() const {
      size_t total = chains.size() + rules.size();
      for (const auto* list : {&removed, &added}) {
        for (const auto& [set, text] : *list) total += text.size() + 2;
      }
      return total;
    }
  };
  const std::string& table() const { return table_; }

  void put(Unit unit) {
    // Chains come after the elements they lead to and before the frontends that lead to them; besides, every
    // transaction makes libnftables list all chains and the kernel check them: while there are few it is cheap.
    auto touches = [](const auto& list, Set set) { return !list.empty() && list.front().first == set; };
    const bool chain =
        !unit.chains.empty() || !unit.rules.empty() || touches(unit.removed, Set::kTargets) || touches(unit.added, Set::kTargets);
    const size_t order = chain ? 1 : touches(unit.added, Set::kServices) ? 2 : 0;
    waiting_[order].push_back(std::move(unit));
  }
  void add(Set set, std::string text) { put({.added = {{set, std::move(text)}}}); }
  void remove(Set set, std::string text) { put({.removed = {{set, std::move(text)}}}); }

  void begin_stage() {
    for (std::vector<Unit>& units : waiting_) {
      for (const Unit& unit : units) pack(unit);
      units.clear();
    }
    if (size_ > 0) flush();
  }
  std::vector<std::string> finish() {
    begin_stage();
    return std::move(transactions_);
  }

 private:
  void pack(const Unit& unit) {
    const size_t size = unit.size();
    if (size_ > 0 && size_ + size > kMaxTransactionText - 2 * kSets * kCommandText) flush();
    size_ += size;
    chains_ += unit.chains;
    rules_ += unit.rules;
    for (const auto& [set, text] : unit.removed) append(removed_[static_cast<size_t>(set)], text);
    for (const auto& [set, text] : unit.added) append(added_[static_cast<size_t>(set)], text);
  }
  static void append(std::string& list, const std::string& text) {
    if (!list.empty()) list += ", ";
    list += text;
  }
  void flush() {
    std::string text = chains_ + rules_;
    for (size_t set = 0; set < kSets; ++set) {
      if (!removed_[set].empty()) text += "delete element " + table_ + " " + kSetNames[set] + " { " + removed_[set] + " }\n";
    }
    // Sets are in the order of a packet's way; what it meets last is put there first.
    for (size_t set = kSets; set-- > 0;) {
      if (!added_[set].empty()) text += "add element " + table_ + " " + kSetNames[set] + " { " + added_[set] + " }\n";
    }
    transactions_.push_back(std::move(text));
    chains_.clear();
    rules_.clear();
    removed_ = {};
    added_ = {};
    size_ = 0;
  }

  std::string table_;
  std::array<std::vector<Unit>, 3> waiting_;  // Elements, chains, frontends.
  std::string chains_, rules_;
  std::array<std::string, kSets> removed_, added_;
  size_t size_ = 0;
  std::vector<std::string> transactions_;
};

void TargetIds::assign(const ServiceKey& key, ServicePlan& plan) {
  if (plan.targets.empty()) {
    forget(key);
    return;
  }
  auto& known = ids_[key];
  std::map<Name, uint32_t> kept;
  for (Target& target : plan.targets) {
    const Name name{target.name, target.protocol};
    auto it = known.find(name);
    target.id = it != known.end() ? it->second : next_++;
    kept.emplace(name, target.id);
  }
  known = std::move(kept);
}

void TargetIds::forget(const ServiceKey& key) { ids_.erase(key); }

std::vector<Backend> assign_slots(const std::vector<Backend>& current, const std::vector<Backend>& wanted) {
  const std::set<Backend> want(wanted.begin(), wanted.end());
  const std::set<Backend> have(current.begin(), current.end());
  std::vector<Backend> fresh;
  for (const Backend& backend : want) {
    if (!have.contains(backend)) fresh.push_back(backend);
  }
  std::vector<std::optional<Backend>> slots(want.size());
  std::vector<Backend> displaced;
  for (size_t i = 0; i < current.size(); ++i) {
    if (!want.contains(current[i])) continue;
    if (i < slots.size()) {
      slots[i] = current[i];
    } else {
      displaced.push_back(current[i]);
    }
  }
  fresh.insert(fresh.end(), displaced.begin(), displaced.end());
  auto next = fresh.begin();
  std::vector<Backend> out;
  for (auto& slot : slots) out.push_back(slot ? *slot : *next++);
  return out;
}

std::string NodeTable::element(const ElementKey& key, uint32_t value, bool with_value) const {
  const std::string ip = key.at.ip.text();
  switch (key.set) {
    case Set::kServices: {
      std::string text = ip + " . " + model::protocol_text(key.at.protocol) + " . " + std::to_string(key.at.port);
      return with_value ? text + " : " + std::to_string(value) : text;
    }
    case Set::kHairpin:
      return ip + " . " + ip;
    default:
      return ip;
  }
}

// The element of `targets`; empty: none is needed.
std::string NodeTable::verdict(uint32_t id, Spread spread, size_t count) const {
  if (count == 0) return "goto refuse";
  if (count == 1) return "";
  return spread == Spread::kRandom ? "jump random-" + std::to_string(count) : "jump " + wheel_name(id);
}

void NodeTable::claim_all(const ServiceKey& key, const ServicePlan& plan, const Applied& before, Applied& after) {
  for (const base::Ip& ip : plan.cluster_ips) after.claims[{Set::kClusterIps, {ip, {}, 0}}] = 0;
  for (const FrontendPlan& entry : plan.frontends) after.claims[{Set::kServices, entry.frontend}] = plan.targets[entry.target].id;
  for (const base::Ip& ip : plan.hairpins) after.claims[{Set::kHairpin, {ip, {}, 0}}] = 0;
  auto touch = [this](const ElementKey& element_key) {
    auto it = claims_.find(element_key);
    touched_.try_emplace(element_key, it != claims_.end(), it != claims_.end() ? it->second.begin()->second : 0);
  };
  for (const auto& [element_key, value] : before.claims) {
    auto kept = after.claims.find(element_key);
    if (kept != after.claims.end() && kept->second == value) continue;
    touch(element_key);
    auto it = claims_.find(element_key);
    it->second.erase(key);
    if (it->second.empty()) claims_.erase(it);
  }
  for (const auto& [element_key, value] : after.claims) {
    auto had = before.claims.find(element_key);
    if (had != before.claims.end() && had->second == value) continue;
    touch(element_key);
    claims_[element_key][key] = value;
  }
}

// Everything but what a packet of the old state may still need: that goes in shrink_target().
void NodeTable::grow_target(const Target& target, AppliedTarget& applied, Script& script) {
  const std::vector<Backend> slots = assign_slots(applied.slots, target.backends);
  const size_t before = applied.slots.size();
  for (size_t i = 0; i < slots.size(); ++i) {
    const std::string key = slot_key(target.id, i);
    if (i >= before) {
      script.add(Set::kEndpoints, key + " : " + backend_text(slots[i]));
    } else if (slots[i] != applied.slots[i]) {
      script.put({.removed = {{Set::kEndpoints, key}}, .added = {{Set::kEndpoints, key + " : " + backend_text(slots[i])}}});
    }
  }
  Script::Unit unit;
  const size_t count = slots.size();
  const bool resized = count != before || target.spread != applied.spread;
  if (count > 1 && target.spread == Spread::kRandom && random_chains_.insert(count).second) {
    const std::string chain = script.table() + " random-" + std::to_string(count);
    unit.chains = "add chain " + chain + "\n";
    unit.rules = "add rule " + chain + " meta mark set numgen random mod " + std::to_string(count) + "\n";
  } else if (count > 1 && target.spread == Spread::kRoundRobin && resized) {
    const std::string chain = script.table() + " " + wheel_name(target.id);
    if (applied.has_wheel) {
      unit.rules = "flush chain " + chain + "\n";
    } else {
      unit.chains = "add chain " + chain + "\n";
    }
    unit.rules += "add rule " + chain + " meta mark set numgen inc mod " + std::to_string(count) + "\n";
    applied.has_wheel = true;
  }
  // A target that is not there yet has no element, like one with a single endpoint.
  const std::string old_verdict = applied.known ? verdict(target.id, applied.spread, before) : "";
  const std::string new_verdict = verdict(target.id, target.spread, count);
  if (old_verdict != new_verdict) {
    if (!old_verdict.empty()) unit.removed.emplace_back(Set::kTargets, std::to_string(target.id));
    if (!new_verdict.empty()) unit.added.emplace_back(Set::kTargets, std::to_string(target.id) + " : " + new_verdict);
  }
  if (unit.size() > 0) script.put(std::move(unit));
  applied.slots = slots;
  applied.spread = target.spread;
  applied.known = true;
}

void NodeTable::shrink_target(uint32_t id, const AppliedTarget& before, size_t keep, Script& script) {
  for (size_t i = keep; i < before.slots.size(); ++i) script.remove(Set::kEndpoints, slot_key(id, i));
}

// additions: new elements and changed values, and frontends that are gone. Else: what is only tidied up.
void NodeTable::switch_claims(Script& script, bool additions) {
  for (const auto& [key, old] : touched_) {
    auto it = claims_.find(key);
    const bool has = it != claims_.end();
    const uint32_t value = has ? it->second.begin()->second : 0;
    const auto& [had, old_value] = old;
    if (!has) {
      if (had && additions == (key.set == Set::kServices)) script.remove(key.set, element(key, 0, false));
      continue;
    }
    if (!additions || (had && value == old_value)) continue;
    Script::Unit unit;
    if (had) unit.removed.emplace_back(key.set, element(key, 0, false));
    unit.added.emplace_back(key.set, element(key, value, true));
    script.put(std::move(unit));
  }
}

std::vector<std::string> NodeTable::apply(const std::vector<Change>& changes) {
  Script script(family_);
  struct Done {
    const Change* change;
    Applied before;
  };
  std::vector<Done> all;
  touched_.clear();
  for (const Change& change : changes) {
    Applied before;
    if (auto it = services_.find(change.key); it != services_.end()) before = std::move(it->second);
    Applied after;
    claim_all(change.key, change.plan, before, after);
    for (const Target& target : change.plan.targets) {
      AppliedTarget& applied = after.targets[target.id];
      if (auto it = before.targets.find(target.id); it != before.targets.end()) applied = it->second;
      grow_target(target, applied, script);
    }
    if (change.plan.empty()) {
      services_.erase(change.key);
    } else {
      services_[change.key] = std::move(after);
    }
    all.push_back({&change, std::move(before)});
  }
  switch_claims(script, true);

  script.begin_stage();  // From here on nobody reads what goes.
  switch_claims(script, false);
  for (const Done& done : all) {
    auto now = services_.find(done.change->key);
    for (const auto& [id, target] : done.before.targets) {
      const AppliedTarget* kept = nullptr;
      if (now != services_.end()) {
        if (auto it = now->second.targets.find(id); it != now->second.targets.end()) kept = &it->second;
      }
      shrink_target(id, target, kept ? kept->slots.size() : 0, script);
      if (kept) continue;
      if (!verdict(id, target.spread, target.slots.size()).empty()) script.remove(Set::kTargets, std::to_string(id));
      if (target.has_wheel) retired_.push_back(id);
    }
  }
  touched_.clear();
  return script.finish();
}

std::vector<std::string> NodeTable::take_retired() {
  Script script(family_);
  for (uint32_t id : retired_) script.put({.chains = "delete chain " + script.table() + " " + wheel_name(id) + "\n"});
  retired_.clear();
  return script.finish();
}

}  // namespace server::proxy
