#include "server/proxy/table.h"

#include <algorithm>
#include <optional>

namespace server::proxy {
namespace {

// The sets that decide: what is gone there nobody is led to, so it goes at once. Elsewhere it goes later.
bool is_switch(Set set) { return set == Set::kTargets || set == Set::kQuiet; }

}  // namespace

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
    auto [entry, fresh] = kept.try_emplace(name, 0);
    if (fresh) {
      entry->second = it != known.end() ? it->second : next_;
      if (it == known.end()) next_ += 2;
    }
    target.id = entry->second + (target.here ? 1 : 0);
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

// Everything its targets have in the kernel.
NodeTable::TargetElements NodeTable::elements_of(const Applied& service) {
  TargetElements out;
  for (const auto& [id, target] : service.targets) {
    const bool sticky = target.affinity.count() > 0;
    for (uint32_t slot = 0; slot < target.slots.size(); ++slot) {
      out[{Set::kEndpoints, id, slot}] = {target.slots[slot], 0};
      if (!sticky) continue;
      out[{Set::kEndpoints, id, target.numbers[slot]}] = {target.slots[slot], 0};
      out[{Set::kNumbers, id, slot}] = {{}, target.numbers[slot]};
    }
    if (target.wheel != 0) out[{Set::kTargets, id, 0}] = {{}, target.wheel};
    if (target.quiet) out[{Set::kQuiet, id, 0}] = {};
    // A port's: both its targets remember alike.
    if (sticky) out[{Set::kAffinity, id & kPortMask, 0}] = {{}, static_cast<uint32_t>(target.affinity.count())};
  }
  return out;
}

void NodeTable::claim_all(const ServiceKey& key, const ServicePlan& plan, const Applied& before, Applied& after) {
  for (const base::Ip& ip : plan.cluster_ips) after.claims[{Set::kClusterIps, {ip, {}, 0}, {}, 0}] = 0;
  for (const FrontendPlan& entry : plan.frontends) {
    const Set set = entry.kind == FrontendKind::kNodePort ? Set::kNodePorts : Set::kServices;
    after.claims[{set, entry.frontend, {}, 0}] = compile_way(entry, plan);
    for (const base::Cidr& range : entry.source_ranges) after.claims[{Set::kAllowedSources, {}, range, plan.targets[entry.target].id & kPortMask}] = 0;
  }
  for (const base::Ip& ip : plan.hairpins) after.claims[{Set::kHairpin, {ip, {}, 0}, {}, 0}] = 0;
  auto touch = [this](const ClaimKey& claim) {
    auto it = claims_.find(claim);
    touched_.try_emplace(claim, it != claims_.end(), it != claims_.end() ? it->second.begin()->second : 0);
  };
  for (const auto& [claim, value] : before.claims) {
    auto kept = after.claims.find(claim);
    if (kept != after.claims.end() && kept->second == value) continue;
    touch(claim);
    auto it = claims_.find(claim);
    it->second.erase(key);
    if (it->second.empty()) claims_.erase(it);
  }
  for (const auto& [claim, value] : after.claims) {
    auto had = before.claims.find(claim);
    if (had != before.claims.end() && had->second == value) continue;
    touch(claim);
    claims_[claim][key] = value;
  }
}

// An endpoint keeps its number while one of the port's targets has it.
void NodeTable::number_endpoints(const ServicePlan& plan, const Applied& before, Applied& after) {
  for (const Target& target : plan.targets) {
    if (target.affinity.count() == 0) continue;
    for (const Backend& backend : target.backends) {
      const std::pair<uint32_t, Backend> key{target.id & kPortMask, backend};
      if (after.numbers.contains(key)) continue;
      auto known = before.numbers.find(key);
      after.numbers[key] = known != before.numbers.end() ? known->second : next_number_++;
    }
  }
}

NodeTable::AppliedTarget NodeTable::place_target(const Target& target, const AppliedTarget* before, const Applied& service, Script& script) {
  AppliedTarget out;
  out.slots = assign_slots(before ? before->slots : std::vector<Backend>{}, target.backends);
  out.spread = target.spread;
  out.affinity = target.affinity;
  out.quiet = out.slots.empty() && target.on_empty == OnEmpty::kDrop;
  if (out.affinity.count() > 0) {
    for (const Backend& backend : out.slots) out.numbers.push_back(service.numbers.at({target.id & kPortMask, backend}));
    if (remembering_.insert(out.affinity.count()).second) script.run_first(remember_commands(family_, out.affinity));
  }
  const bool same = before && before->slots.size() == out.slots.size() && before->spread == out.spread;
  if (same) {
    out.wheel = before->wheel;
  } else if (out.slots.size() > 1) {
    out.wheel = wheels_.take(out.slots.size(), out.spread, script);
  }
  return out;
}

// additions: new elements and changed values, and frontends that are gone. Else: what is only tidied up.
void NodeTable::switch_claims(Script& script, bool additions) {
  Script::Unit ranges;  // What goes and what comes at once: a wider range cannot come before a narrower one is gone.
  for (const auto& [key, old] : touched_) {
    auto it = claims_.find(key);
    const bool has = it != claims_.end();
    const uint32_t value = has ? it->second.begin()->second : 0;
    const auto& [had, old_value] = old;
    const bool frontend = key.set == Set::kServices || key.set == Set::kNodePorts;
    const Script::Order order = frontend ? Script::kFrontends : Script::kEndpoints;
    if (key.set == Set::kAllowedSources) {
      if (additions && had && !has) ranges.insert(ranges.begin(), script.removal(key));
      if (additions && has && !had) ranges.push_back(script.addition(key, value));
      continue;
    }
    if (!has) {
      if (had && additions == frontend) script.remove(order, key);
      continue;
    }
    if (!additions || (had && value == old_value)) continue;
    Script::Unit unit;
    if (had) unit.push_back(script.removal(key));
    unit.push_back(script.addition(key, value));
    script.put(order, std::move(unit));
  }
  if (!ranges.empty()) script.put(Script::kEndpoints, std::move(ranges));
}

std::vector<Transaction> NodeTable::apply(const std::vector<Change>& changes) {
  Script script(family_, telling_);
  std::vector<Step> steps;
  touched_.clear();
  for (const Change& change : changes) {
    Step step;
    if (auto it = services_.find(change.key); it != services_.end()) step.before = std::move(it->second);
    claim_all(change.key, change.plan, step.before, step.after);
    number_endpoints(change.plan, step.before, step.after);
    for (const Target& target : change.plan.targets) {
      auto old = step.before.targets.find(target.id);
      const AppliedTarget* before = old != step.before.targets.end() ? &old->second : nullptr;
      step.after.targets[target.id] = place_target(target, before, step.after, script);
    }
    step.elements_before = elements_of(step.before);
    step.elements_after = elements_of(step.after);
    put_differences(step.elements_before, step.elements_after, true, script);
    if (change.plan.empty()) {
      services_.erase(change.key);
    } else {
      services_[change.key] = step.after;
    }
    steps.push_back(std::move(step));
  }
  switch_claims(script, true);

  script.begin_stage();  // From here on nobody reads what goes.
  switch_claims(script, false);
  for (const Step& step : steps) {
    put_differences(step.elements_before, step.elements_after, false, script);
    for (const auto& [id, target] : step.before.targets) {
      auto now = step.after.targets.find(id);
      if (target.wheel != 0 && (now == step.after.targets.end() || now->second.wheel != target.wheel)) wheels_.give_back(target.wheel);
    }
  }
  touched_.clear();
  return script.finish();
}

// additions: as for switch_claims().
void NodeTable::put_differences(const TargetElements& before, const TargetElements& after, bool additions, Script& script) {
  for (const auto& [key, value] : before) {
    const bool gone = !after.contains(key);
    if (gone && additions == is_switch(key.set)) script.put(Script::kSwitches, {script.removal(key)});
  }
  if (!additions) return;
  for (const auto& [key, value] : after) {
    auto old = before.find(key);
    const Script::Order order = is_switch(key.set) || key.set == Set::kAffinity ? Script::kSwitches : Script::kEndpoints;
    if (old == before.end()) {
      script.put(order, {script.addition(key, value)});
    } else if (old->second != value) {
      script.put(order, {script.removal(key), script.addition(key, value)});
    }
  }
}

std::vector<Transaction> NodeTable::take_retired() {
  Script script(family_, telling_);
  wheels_.give_up_surplus(script);
  return script.finish();
}

void NodeTable::forget() {
  services_.clear();
  claims_.clear();
  wheels_ = {};
  remembering_.clear();
}

std::map<Set, std::map<netns::NftValue, netns::NftElement>> NodeTable::expected_elements() const {
  std::map<Set, std::map<netns::NftValue, netns::NftElement>> out;
  for (size_t set = 0; set < kSets; ++set) out[static_cast<Set>(set)];
  auto put = [&out](Set set, netns::NftElement element) {
    netns::NftValue key = element.key;
    out[set].emplace(std::move(key), std::move(element));
  };
  for (const auto& [key, owners] : claims_) put(key.set, claim_element(key, owners.begin()->second));
  for (const auto& [key, service] : services_) {
    for (const auto& [at, value] : elements_of(service)) put(at.set, target_element(at, value));
  }
  for (const auto& [id, chain] : wheels_.all()) put(Set::kWheels, wheel_element(id, chain));
  return out;
}

std::set<std::string> NodeTable::expected_chains() const {
  std::set<std::string> out;
  for (const auto& [id, chain] : wheels_.all()) out.insert(chain);
  out.insert(wheels_.leaving().begin(), wheels_.leaving().end());
  for (int64_t seconds : remembering_) out.insert(remember_chain(seconds));
  return out;
}

}  // namespace server::proxy
