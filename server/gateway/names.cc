#include "server/gateway/names.h"

#include <algorithm>

namespace server {
namespace {

constexpr std::chrono::seconds kSoonest{1}, kLatest{300}, kAfterFailure{5};

}  // namespace

Names::Names(ControlLoop& loop, LookUp look_up, std::function<void()> on_change) : loop_(loop), look_up_(std::move(look_up)), on_change_(std::move(on_change)) {}

Names::~Names() { *alive_ = false; }

void Names::want(const std::set<std::string>& names) {
  if (look_up_ == nullptr) return;
  std::erase_if(entries_, [&](const auto& entry) {
    if (names.contains(entry.first)) return false;
    known_.erase(entry.first);
    first_ -= entry.second.asked_first;
    return true;
  });
  for (const std::string& name : names) {
    if (!entries_.try_emplace(name).second) continue;
    ++first_;
    ask(name);
  }
}

void Names::ask(const std::string& name) {
  const uint64_t round = entries_.at(name).round = ++last_round_;
  look_up_(name, [this, alive = std::weak_ptr<bool>(alive_), &loop = loop_, name, round](NameAnswer answer) {
    loop.post([this, alive, name, round, answer = std::move(answer)] {
      const std::shared_ptr<bool> here = alive.lock();
      if (here != nullptr && *here) answered(name, round, answer);
    });
  });
}

void Names::answered(const std::string& name, uint64_t round, const NameAnswer& answer) {
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.round != round) return;
  const bool was_asking = asking();
  if (std::exchange(found->second.asked_first, false)) --first_;
  bool changed = false;
  if (answer.answered) {
    std::vector<base::Ip>& ips = known_[name];
    changed = ips != answer.ips;
    ips = answer.ips;
  }
  loop_.post_after(answer.answered ? std::clamp(answer.ttl, kSoonest, kLatest) : kAfterFailure, [this, alive = std::weak_ptr<bool>(alive_), name, round] {
    const std::shared_ptr<bool> here = alive.lock();
    if (here == nullptr || !*here) return;
    const auto entry = entries_.find(name);
    if (entry != entries_.end() && entry->second.round == round) ask(name);
  });
  if (changed || (was_asking && !asking())) on_change_();
}

}  // namespace server
