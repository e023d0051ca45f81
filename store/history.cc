#include "store/history.h"

#include <algorithm>
#include <utility>

namespace store {
void History::push(const Event& event) {
  Event kept = event;
  if (kept.previous) {
    kept.previous = event.previous.without_tree();
    Revision old = event.previous.revision();
    if (old > start_) events_[old - start_ - 1].object = kept.previous;
  }
  if (kept.type == EventType::kDeleted) kept.object = event.object.without_tree();
  bytes_ += kept.object.bytes().size();
  events_.push_back(std::move(kept));
}

void History::prepend(std::vector<Event> events) {
  start_ -= events.size();
  for (const Event& event : events) bytes_ += event.object.bytes().size();
  events_.insert(events_.begin(), std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
}

void History::drop_until(Revision floor) {
  for (; start_ < floor && !events_.empty(); ++start_) {
    bytes_ -= events_.front().object.bytes().size();
    events_.pop_front();
  }
  start_ = std::max(start_, floor);
}

std::vector<Event> History::since(const WatchQuery& query) const {
  std::vector<Event> out;
  for (size_t i = query.after > start_ ? query.after - start_ : 0; i < events_.size(); ++i) {
    if (concerns(query, events_[i].object.key())) out.push_back(events_[i]);
  }
  return out;
}

Overlay History::state_at(const std::string& resource, Revision at) const {
  Overlay out;
  for (size_t i = at > start_ ? at - start_ : 0; i < events_.size(); ++i) {
    const Event& event = events_[i];
    // The first change after `at` knows what was there; later ones of the same object do not matter.
    if (event.object.key().resource == resource) out.try_emplace({event.object.ns(), event.object.name()}, event.previous);
  }
  return out;
}

}  // namespace store
