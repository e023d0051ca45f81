// store/store.h - the only door to persisted state: objects, revisions, watches.
//
// Thread-safe. Writes block on the disk (usually well under 1 ms), so never call from an io loop; reads and
// watches are served from memory. Every successful write has one revision; revisions are dense, increasing
// and never reused, across restarts too. A write that was acknowledged survives SIGKILL (with a path; not
// with an in-memory store).
//
// Shape: one append-only `event` table whose row id is the revision, and one `live` table, written in one
// transaction by one writer; watchers are fed after commit from a ring in memory. See store/README.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/base/result.h"
#include "store/object/object.h"

namespace store {

enum class EventType { kAdded, kModified, kDeleted };

inline constexpr size_t kMaxObject = 3 << 19;  // Bytes of its JSON: 1.5 MiB, as etcd has it.

struct Event {
  EventType type = EventType::kAdded;
  Object object;    // For kDeleted: the last state, carrying the deletion's revision as resourceVersion.
  Object previous;  // The state before; empty for kAdded.
  Revision revision = 0;
};

// A subscription. Owned by one consumer; next() may be called from one thread at a time, close() from any.
class Watch {
 public:
  virtual ~Watch() = default;
  // Waits for events, at most `wait`; empty vector = nothing yet. Events come in order, without gap or
  // duplicate. kExpired: this watcher lagged more than its buffer and was closed; list again.
  // kUnavailable: the store is closing (or close() was called).
  virtual base::Result<std::vector<Event>> next(std::chrono::milliseconds wait) = 0;
  // Every event with a revision <= this one has been handed out (for bookmarks).
  virtual Revision progress() const = 0;
  virtual void close() = 0;
};

struct ListQuery {
  std::string resource;       // Storage name.
  std::string ns;             // Empty: all namespaces.
  std::optional<Revision> at; // Exactly this revision (continued lists); kExpired when compacted, kTimeout when not reached.
  std::string after_ns;       // Continue strictly after this namespace/name.
  std::string after_name;
  size_t limit = 0;           // 0: all.
};
struct ListPage {
  std::vector<Object> items;  // Ordered by namespace, name.
  Revision revision = 0;      // The store's revision at the time of the (first) read.
  bool more = false;
  size_t remaining = 0;       // Items after this page.
};

struct WatchQuery {
  std::string resource;  // Empty: every resource (informers).
  std::string ns;        // Empty: all.
  Revision after = 0;    // Events with revision > after. kExpired when compacted; a future one is allowed.
};

class Store {
 public:
  struct Options {
    std::string path;                 // SQLite file; empty: in memory (--ephemeral).
    size_t watch_buffer = 8192;       // Events a watcher may lag.
    size_t history = 16384;           // Revisions kept for watch-from and list-at before compaction,
    size_t history_bytes = 128 << 20; // of no more than this much JSON together.
    size_t watch_bytes = 64 << 20;    // As much JSON may a watcher lag.
  };

  // Creates the file (mode 0600), not its folder. kInvalid naming the remedy when the file was written by a newer
  // kubelan or is no store; kConflict when another process has it open; kInternal on I/O errors.
  static base::Result<std::unique_ptr<Store>> open(const Options& options);
  virtual ~Store() = default;

  virtual Revision revision() const = 0;
  // Blocks until revision() >= r or `wait` passed or the store is closed; false then.
  virtual bool wait_for(Revision r, std::chrono::milliseconds wait) const = 0;

  // kNotFound if absent.
  virtual base::Result<Object> get(const Key& key) const = 0;
  virtual base::Result<ListPage> list(const ListQuery& query) const = 0;
  // Stores `tree` with metadata.resourceVersion set to its new revision; returns what was stored. In this and the two
  // below: name and namespace of `key` win over those of the tree; kInternal when the disk refuses or the object has
  // more than kMaxObject bytes (nothing changed then), kUnavailable after close().
  // kAlreadyExists if the key is taken.
  virtual base::Result<Object> create(const Key& key, json tree) = 0;
  // Writes only if the stored revision equals `expected` (0: whatever it is); kConflict otherwise, kNotFound if absent.
  virtual base::Result<Object> update(const Key& key, json tree, Revision expected) = 0;
  // Removes; `last_state` (with the deletion's revision set) goes to the watchers. Returns it.
  virtual base::Result<Object> remove(const Key& key, json last_state, Revision expected) = 0;
  virtual base::Result<std::unique_ptr<Watch>> watch(const WatchQuery& query) = 0;
  // Forgets history older than `keep_from`: later watches from before it are kExpired.
  virtual base::Status compact(Revision keep_from) = 0;
  // Closes all watches (they return kUnavailable); no write is accepted afterwards.
  virtual void close() = 0;
};

}  // namespace store
