// store/history.h - private to store/: the recent events, for watches from a revision and lists at one.
// Not thread-safe; EventLog's state lock guards it. Holds the events (start, end] without gap.
#pragma once

#include <deque>
#include <vector>

#include "store/index.h"
#include "store/store.h"

namespace store {

class History {
 public:
  explicit History(Revision start) : start_(start) {}

  Revision start() const { return start_; }
  size_t bytes() const { return bytes_; }  // Of the JSON of all versions.
  // `event` has the next revision. Superseded versions are kept as bytes only: their trees, ten times the size,
  // are seldom looked at again.
  void push(const Event& event);
  // Puts older events, the last of which has revision start(), before all others.
  void prepend(std::vector<Event> events);
  // Drops events up to and including `floor`.
  void drop_until(Revision floor);

  std::vector<Event> since(const WatchQuery& query) const;
  // What undoing every event after `at` changes in `resource`.
  Overlay state_at(const std::string& resource, Revision at) const;

 private:
  std::deque<Event> events_;
  Revision start_;  // The revision before the first event.
  size_t bytes_ = 0;
};

// Does an event of `key` concern this watch?
inline bool concerns(const WatchQuery& query, const Key& key) {
  return (query.resource.empty() || query.resource == key.resource) && (query.ns.empty() || query.ns == key.ns);
}

}  // namespace store
