// store/sqlite/disk.h - the store's file: what was committed, in revision order.
//
// Tables: event(rev, op, resource, ns, name, prev, value) holds every version that a live object or the kept
// history needs, `prev` being the revision of the same object's version before; live(resource, ns, name, rev) points
// to the current version; meta holds the compaction floor. Every append is one transaction.
// Not thread-safe (the store's writer mutex); every call may block on the disk. An error leaves the file as it was.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/base/result.h"
#include "store/object/object.h"
#include "store/sqlite/database.h"
#include "store/store.h"

namespace store::sqlite {

class Disk {
 public:
  // kInvalid: written by a newer kubelan, or no store at all (the message names the remedy). kConflict: in use.
  static base::Result<std::unique_ptr<Disk>> open(const std::string& path);

  Revision revision() const { return revision_; }  // Of the last append; kept across compaction.
  Revision floor() const { return floor_; }        // Events with a revision > this are complete.

  // Calls `visit` with every live object.
  base::Status load_live(const std::function<void(Object)>& visit);
  // Events with after < revision <= through, in order, with their previous states.
  base::Result<std::vector<Event>> load_events(Revision after, Revision through);
  // Commits one event whose revision is revision() + 1.
  base::Status append(const Event& event);
  // Drops what only events up to `floor` needed.
  base::Status compact(Revision floor);

 private:
  explicit Disk(Database db) : db_(std::move(db)) {}
  base::Status set_up();
  base::Status prepare_statements();
  base::Status write(const Event& event);
  base::Status drop_until(Revision floor);
  base::Status in_transaction(const std::function<base::Status()>& body);
  base::Result<std::optional<Object>> load_version(Revision revision);

  Database db_;
  Statement begin_, commit_, rollback_;
  Statement insert_event_, put_live_, erase_live_, version_;
  Revision revision_ = 0;
  Revision floor_ = 0;
};

}  // namespace store::sqlite
