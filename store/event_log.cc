#include "store/event_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "store/object/access.h"

namespace store {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

Error key_error(Code code, const Key& key, const std::string& message) {
  Error error(code, message);
  size_t dot = key.resource.find('.');
  error.name = key.name;
  error.kind = key.resource.substr(0, dot);
  if (dot != std::string::npos) error.group = key.resource.substr(dot + 1);
  return error;
}

std::string render(const Key& key) { return key.resource + " \"" + key.name + "\""; }

Error not_found(const Key& key) { return key_error(Code::kNotFound, key, render(key) + " not found"); }

Error expired(Revision asked, Revision floor) {
  return Error(Code::kExpired, "too old resource version: " + std::to_string(asked) + " (" + std::to_string(floor) + ")");
}

Error store_closed() { return Error(Code::kUnavailable, "the store is closed"); }

// An object is found under its key, so the tree must say the same.
void set_identity(json& tree, const Key& key) {
  json& metadata = ensure(tree, "metadata");
  if (get_string(metadata, "name") != key.name) set(metadata, "name", key.name);
  if (get_string(metadata, "namespace") == key.ns) return;
  if (key.ns.empty()) erase(metadata, "namespace");
  else set(metadata, "namespace", key.ns);
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const Options& options) {
  std::unique_ptr<sqlite::Disk> disk;
  if (!options.path.empty()) disk = TRY(sqlite::Disk::open(options.path));
  std::unique_ptr<EventLog> log = TRY(EventLog::make(options, std::move(disk)));
  return std::unique_ptr<Store>(std::move(log));
}

Result<std::unique_ptr<EventLog>> EventLog::make(const Options& options, std::unique_ptr<sqlite::Disk> disk) {
  std::unique_ptr<EventLog> log(new EventLog(options, std::move(disk)));
  if (log->disk_) TRY_STATUS(log->disk_->load_live([&](Object object) { log->index_.put(object); }));
  return log;
}

EventLog::EventLog(const Options& options, std::unique_ptr<sqlite::Disk> disk)
    : watch_buffer_(std::max<size_t>(options.watch_buffer, 1)),
      watch_bytes_(options.watch_bytes),
      history_size_(options.history),
      history_bytes_(options.history_bytes),
      disk_(std::move(disk)),
      history_(disk_ ? disk_->revision() : 0),
      revision_(disk_ ? disk_->revision() : 0),
      floor_(disk_ ? disk_->floor() : 0),
      hub_(std::make_shared<WatchHub>(revision_)) {
  // An earlier run may have kept more.
  if (revision_ > history_size_) floor_ = std::max(floor_, revision_ - history_size_);
}

EventLog::~EventLog() { EventLog::close(); }

Revision EventLog::revision() const {
  std::shared_lock state(state_lock_);
  return revision_;
}

bool EventLog::wait_for(Revision r, std::chrono::milliseconds wait) const { return hub_->wait_for(r, wait); }

Result<Object> EventLog::get(const Key& key) const {
  std::shared_lock state(state_lock_);
  const Object* object = index_.find(key);
  if (object == nullptr) return not_found(key);
  return *object;
}

Result<ListPage> EventLog::list(const ListQuery& query) const {
  if (query.at) TRY_STATUS(load_history(*query.at));
  std::shared_lock state(state_lock_);
  Revision at = query.at.value_or(revision_);
  if (at > revision_) {
    return Error(Code::kTimeout,
                 "Timeout: Too large resource version: " + std::to_string(at) + ", current: " + std::to_string(revision_));
  }
  if (at < revision_ && at < floor_) return Error(Code::kExpired, "The resourceVersion for the provided list is too old.");
  ListPage page = index_.list(query, at == revision_ ? Overlay() : history_.state_at(query.resource, at));
  page.revision = at;
  return page;
}

Result<Object> EventLog::create(const Key& key, json tree) {
  set_identity(tree, key);
  std::lock_guard write(write_mutex_);
  if (index_.find(key) != nullptr) return key_error(Code::kAlreadyExists, key, render(key) + " already exists");
  return commit(EventType::kAdded, key, std::move(tree), Object());
}

Result<Object> EventLog::update(const Key& key, json tree, Revision expected) {
  set_identity(tree, key);
  std::lock_guard write(write_mutex_);
  Object current = TRY(check_stored(key, expected));
  return commit(EventType::kModified, key, std::move(tree), std::move(current));
}

Result<Object> EventLog::remove(const Key& key, json last_state, Revision expected) {
  set_identity(last_state, key);
  std::lock_guard write(write_mutex_);
  Object current = TRY(check_stored(key, expected));
  return commit(EventType::kDeleted, key, std::move(last_state), std::move(current));
}

// Reads index_ without state_lock_: only a writer changes it, and this thread is the writer.
Result<Object> EventLog::check_stored(const Key& key, Revision expected) const {
  const Object* current = index_.find(key);
  if (current == nullptr) return not_found(key);
  if (expected != 0 && current->revision() != expected) {
    return key_error(Code::kConflict, key,
                     "Operation cannot be fulfilled on " + render(key) +
                         ": the object has been modified; please apply your changes to the latest version and try again");
  }
  return *current;
}

Result<Object> EventLog::commit(EventType type, const Key& key, json tree, Object current) {
  if (closed_) return store_closed();
  Event event;
  event.type = type;
  event.revision = revision_ + 1;
  event.previous = std::move(current);
  set(tree, "metadata.resourceVersion", std::to_string(event.revision));
  event.object = Object(key.resource, std::move(tree));
  // Serialised here, once, so that no reader pays for it. What is too large is told as clients know it.
  if (event.object.bytes().size() > kMaxObject && type != EventType::kDeleted) return Error(Code::kInternal, "etcdserver: request is too large");
  if (disk_) TRY_STATUS(disk_->append(event));
  apply(event);
  hub_->deliver(event);
  compact_disk(std::clamp<Revision>(history_size_ / 16, 1, 256));
  return event.object;
}

void EventLog::apply(const Event& event) {
  std::unique_lock state(state_lock_);
  if (event.type == EventType::kDeleted) index_.erase(event.object.key());
  else index_.put(event.object);
  history_.push(event);
  revision_ = event.revision;
  if (revision_ > history_size_) raise_floor(revision_ - history_size_);
  while (history_.bytes() > history_bytes_) raise_floor(history_.start() + 1);
}

void EventLog::raise_floor(Revision floor) {
  floor_ = std::max(floor_, floor);
  history_.drop_until(floor_);
}

// A few events at a time, so that no single write pays for a large deletion. A failure (disk full) costs nothing but
// space: what is behind the floor is not handed out, and the next write tries again.
void EventLog::compact_disk(Revision behind) {
  if (disk_ && floor_ >= disk_->floor() + behind) base::ignore(disk_->compact(floor_), "tried again after the next write");
}

Status EventLog::load_history(Revision revision) const {
  {
    std::shared_lock state(state_lock_);
    if (!disk_ || revision >= history_.start() || revision < floor_) return {};
  }
  std::lock_guard write(write_mutex_);
  // Only writers move start and floor, and they are locked out now.
  if (history_.start() <= floor_) return {};
  std::vector<Event> events = TRY(disk_->load_events(floor_, history_.start()));
  if (events.size() != history_.start() - floor_) {
    return Error(Code::kInternal, "the store's file lacks events; watch from a newer revision");
  }
  std::unique_lock state(state_lock_);
  history_.prepend(std::move(events));
  return {};
}

Result<std::unique_ptr<Watch>> EventLog::watch(const WatchQuery& query) {
  TRY_STATUS(load_history(query.after));
  std::shared_lock state(state_lock_);
  if (query.after < floor_) return expired(query.after, floor_);
  auto queue = std::make_shared<WatchQueue>(query, history_.since(query), revision_, WatchQueue::Limits{watch_buffer_, watch_bytes_});
  // While the state is locked: a commit after revision_ finds the queue, and the queue refuses one up to it.
  hub_->add(queue);
  return make_watch(hub_, std::move(queue));
}

Status EventLog::compact(Revision keep_from) {
  std::lock_guard write(write_mutex_);
  if (closed_) return store_closed();
  if (keep_from == 0) return {};
  {
    std::unique_lock state(state_lock_);
    raise_floor(std::min(keep_from - 1, revision_));
  }
  return disk_ ? disk_->compact(floor_) : Status();
}

void EventLog::close() {
  {
    std::lock_guard write(write_mutex_);
    closed_ = true;
  }
  hub_->close();
}

}  // namespace store
