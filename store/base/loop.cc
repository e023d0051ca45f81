#include "store/base/loop.h"

#include <pthread.h>
#include <uv.h>

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

namespace base {
namespace {

// Only a machine out of memory or descriptors gets here, before anything runs.
void require(int status, const char* what) {
  if (status == 0) return;
  fprintf(stderr, "io loop: %s: %s\n", what, uv_strerror(status));
  abort();
}

// One watch or timer. Belongs to libuv from the start to the end of uv_close(), which frees it.
struct Entry {
  Loop::Id id = 0;
  std::function<void(Loop::Ready)> on_ready;
  std::function<void()> on_timer;
  int poll_events = 0;
  union {
    uv_handle_t handle;
    uv_poll_t poll;
    uv_timer_t timer;
  };
};

int poll_events_of(Loop::Interest interest) {
  switch (interest) {
    case Loop::Interest::kReadable:
      return UV_READABLE;
    case Loop::Interest::kWritable:
      return UV_WRITABLE;
    case Loop::Interest::kBoth:
      return UV_READABLE | UV_WRITABLE;
    case Loop::Interest::kError:
      return UV_PRIORITIZED;  // Urgent data, which nobody sends: what is left are the events that epoll always tells.
    case Loop::Interest::kNone:
      return 0;
  }
  return 0;
}

uint64_t as_milliseconds(std::chrono::milliseconds duration) {
  return static_cast<uint64_t>(std::max<std::chrono::milliseconds::rep>(duration.count(), 0));
}

}  // namespace

struct Loop::State {
  uv_loop_t loop{};
  uv_async_t wake{};
  std::thread thread;

  std::mutex mutex;
  std::deque<std::function<void()>> posted;  // Guarded by mutex, as is `stopping`.
  bool stopping = false;

  // The loop thread's own.
  std::unordered_map<Id, Entry*> entries;
  Id last_id = 0;
  bool closed = false;  // Nothing new is accepted.

  void run(const std::string& name);
  void run_posted();
  void close_all();
  bool is_stopping();
  Entry* add();
  void release(Entry* entry);

  static void on_poll(uv_poll_t* poll, int status, int events);
  static void on_timer(uv_timer_t* timer);
};

void Loop::State::run(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  uv_run(&loop, UV_RUN_DEFAULT);  // Returns when close_all() has left no handle.
}

bool Loop::State::is_stopping() {
  std::lock_guard lock(mutex);
  return stopping;
}

void Loop::State::run_posted() {
  std::deque<std::function<void()>> batch;
  {
    std::lock_guard lock(mutex);
    batch.swap(posted);
  }
  // One at a time, so that destruction waits for the running function only.
  for (; !batch.empty() && !is_stopping(); batch.pop_front()) batch.front()();
  if (is_stopping()) close_all();
}

void Loop::State::close_all() {
  if (std::exchange(closed, true)) return;
  // Moved out first: the destructors of the callbacks may call cancel().
  auto all = std::exchange(entries, {});
  for (auto& [id, entry] : all) release(entry);
  uv_close(reinterpret_cast<uv_handle_t*>(&wake), nullptr);
}

Entry* Loop::State::add() {
  assert(std::this_thread::get_id() == thread.get_id() && "Loop: only post() may be called from other threads");
  if (closed) return nullptr;
  auto* entry = new Entry();
  entry->id = ++last_id;
  return entry;
}

// uv_close() stops the handle at once and calls back later in this turn of the loop. The callback that may be running
// right now is a member of `entry`, so it stays whole until then.
void Loop::State::release(Entry* entry) {
  uv_close(&entry->handle, [](uv_handle_t* handle) { delete static_cast<Entry*>(handle->data); });
}

void Loop::State::on_poll(uv_poll_t* poll, int status, int events) {
  auto* state = static_cast<State*>(poll->loop->data);
  auto* entry = static_cast<Entry*>(poll->data);
  if (state->is_stopping()) return;
  Ready ready{(events & UV_READABLE) != 0, (events & UV_WRITABLE) != 0, status < 0 || (events & UV_PRIORITIZED) != 0};
  if (status < 0) {
    // libuv stops a handle on POLLERR. For us that is an event as any other (on a UDP socket: an ICMP error to be
    // read), so watch on; and report what was asked for, because reading and writing now give the error.
    uv_poll_start(poll, entry->poll_events, &State::on_poll);
    ready.readable = (entry->poll_events & UV_READABLE) != 0;
    ready.writable = (entry->poll_events & UV_WRITABLE) != 0;
  }
  entry->on_ready(ready);
}

void Loop::State::on_timer(uv_timer_t* timer) {
  auto* state = static_cast<State*>(timer->loop->data);
  auto* entry = static_cast<Entry*>(timer->data);
  if (state->is_stopping()) return;
  if (uv_timer_get_repeat(timer) == 0) {
    state->entries.erase(entry->id);
    state->release(entry);
  }
  entry->on_timer();
}

Loop::Loop(const std::string& name) : state_(std::make_unique<State>()) {
  require(uv_loop_init(&state_->loop), "create");
  state_->loop.data = state_.get();
  require(uv_async_init(&state_->loop, &state_->wake, [](uv_async_t* wake) { static_cast<State*>(wake->loop->data)->run_posted(); }),
          "create a wake-up");
  // Under the mutex, so that no posted function runs before `thread` is set.
  std::lock_guard lock(state_->mutex);
  state_->thread = std::thread([state = state_.get(), name] {
    { std::lock_guard started(state->mutex); }
    state->run(name);
  });
}

Loop::~Loop() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    uv_async_send(&state_->wake);
  }
  state_->thread.join();
  uv_loop_close(&state_->loop);
  // Here and not with State's members: what these functions own may call cancel() or post().
  std::deque<std::function<void()>> never_run = std::move(state_->posted);
}

void Loop::post(std::function<void()> fn) {
  std::lock_guard lock(state_->mutex);
  // The wake-up handle may be closed once `stopping` is set.
  if (state_->stopping) return;
  state_->posted.push_back(std::move(fn));
  uv_async_send(&state_->wake);
}

void Loop::call(const std::function<void()>& fn) {
  // Shared: set_value() may still be at work in it when the waiter is through.
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> ended = done->get_future();
  post([&fn, done] {
    fn();
    done->set_value();
  });
  ended.wait();
}

Loop::Id Loop::watch(int fd, Interest interest, std::function<void(Ready)> callback) {
  Entry* entry = state_->add();
  if (entry == nullptr) return 0;
  entry->on_ready = std::move(callback);
  entry->poll_events = poll_events_of(interest);
  if (uv_poll_init(&state_->loop, &entry->poll, fd) != 0) {
    delete entry;
    return 0;
  }
  entry->poll.data = entry;
  if (entry->poll_events != 0) uv_poll_start(&entry->poll, entry->poll_events, &State::on_poll);
  state_->entries.emplace(entry->id, entry);
  return entry->id;
}

void Loop::change(Id id, Interest interest) {
  auto it = state_->entries.find(id);
  if (it == state_->entries.end() || it->second->handle.type != UV_POLL) return;
  Entry* entry = it->second;
  entry->poll_events = poll_events_of(interest);
  if (entry->poll_events == 0) uv_poll_stop(&entry->poll);
  else uv_poll_start(&entry->poll, entry->poll_events, &State::on_poll);
}

Loop::Id Loop::timer(std::chrono::milliseconds delay, std::chrono::milliseconds period, std::function<void()> callback) {
  Entry* entry = state_->add();
  if (entry == nullptr) return 0;
  entry->on_timer = std::move(callback);
  uv_timer_init(&state_->loop, &entry->timer);
  entry->timer.data = entry;
  // libuv counts from the start of this turn of the loop, which a long callback may have put far back.
  uv_update_time(&state_->loop);
  uv_timer_start(&entry->timer, &State::on_timer, as_milliseconds(delay), as_milliseconds(period));
  state_->entries.emplace(entry->id, entry);
  return entry->id;
}

void Loop::cancel(Id id) {
  auto it = state_->entries.find(id);
  if (it == state_->entries.end()) return;
  Entry* entry = it->second;
  state_->entries.erase(it);
  state_->release(entry);
}

}  // namespace base
