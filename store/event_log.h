// store/event_log.h - private to store/: the Store. See store.h for the contract and README.md for the shape.
//
// Locks, in this order: write_mutex_ (one writer; guards disk_), state_lock_ (index_, history_, revision_, floor_;
// only the writer takes it exclusively, and never while the disk works), then the hub's.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>

#include "store/history.h"
#include "store/index.h"
#include "store/rw_lock.h"
#include "store/sqlite/disk.h"
#include "store/store.h"
#include "store/watch_hub.h"

namespace store {

class EventLog final : public Store {
 public:
  // disk: null for a store in memory.
  static base::Result<std::unique_ptr<EventLog>> make(const Options& options, std::unique_ptr<sqlite::Disk> disk);
  ~EventLog() override;

  Revision revision() const override;
  bool wait_for(Revision r, std::chrono::milliseconds wait) const override;
  base::Result<Object> get(const Key& key) const override;
  base::Result<ListPage> list(const ListQuery& query) const override;
  base::Result<Object> create(const Key& key, json tree) override;
  base::Result<Object> update(const Key& key, json tree, Revision expected) override;
  base::Result<Object> remove(const Key& key, json last_state, Revision expected) override;
  base::Result<std::unique_ptr<Watch>> watch(const WatchQuery& query) override;
  base::Status compact(Revision keep_from) override;
  void close() override;

 private:
  EventLog(const Options& options, std::unique_ptr<sqlite::Disk> disk);

  // The write path; write_mutex_ is held. `current` is the object before, empty for none.
  base::Result<Object> commit(EventType type, const Key& key, json tree, Object current);
  base::Result<Object> check_stored(const Key& key, Revision expected) const;
  void apply(const Event& event);
  void raise_floor(Revision floor);
  void compact_disk(Revision behind);
  // Makes the events after `revision` available in history_; no-op when they are, or are compacted.
  base::Status load_history(Revision revision) const;

  const size_t watch_buffer_;
  const size_t watch_bytes_;
  const size_t history_size_;
  const size_t history_bytes_;
  mutable std::mutex write_mutex_;
  const std::unique_ptr<sqlite::Disk> disk_;
  bool closed_ = false;

  mutable RwLock state_lock_;
  Index index_;
  mutable History history_;  // Filled from the disk by the first reader that needs it.
  Revision revision_;
  Revision floor_;  // History before and at it is forgotten.
  std::shared_ptr<WatchHub> hub_;
};

}  // namespace store
