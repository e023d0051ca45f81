#include "store/base/loop.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <uv.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "store/base/fd.h"

namespace base {
namespace {

// Only a machine out of memory or descriptors gets here, before anything runs.
void require(int status, const char* what) {
  if (status == 0) return;
  fprintf(stderr, "io loop: %s: %s\n", what, uv_strerror(status));
  abort();
}

// What one wait brings at most; the rest waits its turn.
constexpr int kEventsAtOnce = 512;

struct Watch {
  Loop::Id id = 0;
  int fd = -1;
  std::function<void(Loop::Ready)> on_ready;
  Loop::Interest interest = Loop::Interest::kNone;
  bool gone = false;  // Cancelled; freed when the pass ends, for its events may have been fetched already.
};

// Belongs to libuv from the start to the end of uv_close(), which frees it.
struct Timer {
  Loop::Id id = 0;
  std::function<void()> on_timer;
  uv_timer_t timer;
};

bool wants_read(Loop::Interest interest) { return interest == Loop::Interest::kReadable || interest == Loop::Interest::kBoth; }
bool wants_write(Loop::Interest interest) { return interest == Loop::Interest::kWritable || interest == Loop::Interest::kBoth; }

uint64_t as_milliseconds(std::chrono::milliseconds duration) {
  return static_cast<uint64_t>(std::max<std::chrono::milliseconds::rep>(duration.count(), 0));
}

}  // namespace

// Descriptors are watched by an epoll of our own, which holds libuv's, too: a watch then costs one system call where
// libuv's poll handles take five, and a pass in which libuv has nothing to do never enters it. Timers, waking up and
// closing are libuv's.
struct Loop::State {
  uv_loop_t loop{};
  uv_async_t wake{};
  Fd epoll;
  std::thread thread;

  std::mutex mutex;
  std::deque<std::function<void()>> posted;  // Guarded by mutex.
  std::atomic<bool> stopping = false;        // Written under the mutex.

  // The loop thread's own.
  std::unordered_map<Id, std::unique_ptr<Watch>> watches;
  std::unordered_map<Id, Timer*> timers;
  std::vector<std::unique_ptr<Watch>> gone;
  Id last_id = 0;
  bool closed = false;  // Nothing new is accepted.

  void run(const std::string& name);
  bool serve_watches(int timeout);
  void free_gone();
  bool timers_due();
  void run_posted();
  void close_all();
  bool may_add() const;
  bool apply(Watch& watch, Interest interest);
  void retire(std::unique_ptr<Watch> watch);

  static void release(Timer* timer);
  static void on_timer(uv_timer_t* timer);
};

void Loop::State::run(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  uv_run(&loop, UV_RUN_NOWAIT);  // libuv hands its watches to its epoll only here.
  epoll_event libuv{};
  libuv.events = EPOLLIN;
  ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, uv_backend_fd(&loop), &libuv);
  // Not alive: close_all() has left no handle.
  while (uv_loop_alive(&loop)) {
    uv_update_time(&loop);
    if (serve_watches(uv_backend_timeout(&loop)) || timers_due()) uv_run(&loop, UV_RUN_NOWAIT);
  }
  free_gone();
}

// True: libuv has something to do.
bool Loop::State::serve_watches(int timeout) {
  epoll_event events[kEventsAtOnce];
  int count = ::epoll_wait(epoll.get(), events, kEventsAtOnce, timeout);
  bool libuv = false;
  for (int i = 0; i < count; ++i) {
    auto* watch = static_cast<Watch*>(events[i].data.ptr);
    if (watch == nullptr) {
      libuv = true;
      continue;
    }
    if (watch->gone || stopping.load(std::memory_order_relaxed)) continue;
    uint32_t seen = events[i].events;
    Ready ready{(seen & EPOLLIN) != 0, (seen & EPOLLOUT) != 0, false};
    if ((seen & (EPOLLERR | EPOLLHUP)) != 0) {
      // Told as what was asked for, because reading and writing now give the error.
      ready.readable = wants_read(watch->interest);
      ready.writable = wants_write(watch->interest);
      ready.error = (seen & EPOLLERR) != 0 || watch->interest == Interest::kError;
    }
    if (ready.readable || ready.writable || ready.error) watch->on_ready(ready);
  }
  free_gone();
  return libuv;
}

// The callbacks' destructors may cancel others.
void Loop::State::free_gone() {
  while (!gone.empty()) std::exchange(gone, {}).clear();
}

bool Loop::State::timers_due() {
  uv_update_time(&loop);
  return uv_backend_timeout(&loop) == 0;
}

void Loop::State::run_posted() {
  std::deque<std::function<void()>> batch;
  {
    std::lock_guard lock(mutex);
    batch.swap(posted);
  }
  // One at a time, so that destruction waits for the running function only.
  for (; !batch.empty() && !stopping; batch.pop_front()) batch.front()();
  if (stopping) close_all();
}

void Loop::State::close_all() {
  if (std::exchange(closed, true)) return;
  // Moved out first: the destructors of the callbacks may call cancel().
  for (auto& [id, watch] : std::exchange(watches, {})) retire(std::move(watch));
  for (auto& [id, timer] : std::exchange(timers, {})) release(timer);
  uv_close(reinterpret_cast<uv_handle_t*>(&wake), nullptr);
}

bool Loop::State::may_add() const {
  assert(std::this_thread::get_id() == thread.get_id() && "Loop: only post() may be called from other threads");
  return !closed;
}

// kNone is not watched at all: epoll tells of errors and hang-ups whether asked to or not.
bool Loop::State::apply(Watch& watch, Interest interest) {
  Interest before = std::exchange(watch.interest, interest);
  if (before == interest) return true;
  epoll_event event{};
  event.events = (wants_read(interest) ? EPOLLIN : 0u) | (wants_write(interest) ? EPOLLOUT : 0u);
  event.data.ptr = &watch;
  int what = before == Interest::kNone ? EPOLL_CTL_ADD : interest == Interest::kNone ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  return ::epoll_ctl(epoll.get(), what, watch.fd, &event) == 0;
}

void Loop::State::retire(std::unique_ptr<Watch> watch) {
  apply(*watch, Interest::kNone);
  watch->gone = true;
  gone.push_back(std::move(watch));
}

// uv_close() stops the handle at once and calls back later in this turn of the loop. The callback that may be running
// right now is a member of `timer`, so it stays whole until then.
void Loop::State::release(Timer* timer) {
  uv_close(reinterpret_cast<uv_handle_t*>(&timer->timer), [](uv_handle_t* handle) { delete static_cast<Timer*>(handle->data); });
}

void Loop::State::on_timer(uv_timer_t* handle) {
  auto* state = static_cast<State*>(handle->loop->data);
  auto* timer = static_cast<Timer*>(handle->data);
  if (state->stopping) return;
  if (uv_timer_get_repeat(handle) == 0) {
    state->timers.erase(timer->id);
    release(timer);
  }
  timer->on_timer();
}

Loop::Loop(const std::string& name) : state_(std::make_unique<State>()) {
  require(uv_loop_init(&state_->loop), "create");
  state_->loop.data = state_.get();
  state_->epoll = Fd(::epoll_create1(EPOLL_CLOEXEC));
  require(state_->epoll ? 0 : -errno, "create an epoll");
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
  if (!state_->may_add()) return 0;
  auto watch = std::make_unique<Watch>();
  watch->fd = fd;
  watch->on_ready = std::move(callback);
  int on = 1;
  if (::ioctl(fd, FIONBIO, &on) != 0) return 0;
  if (interest == Interest::kNone) {
    // Whether it can be watched is found out now all the same.
    if (!state_->apply(*watch, Interest::kError)) return 0;
  }
  if (!state_->apply(*watch, interest)) return 0;
  Id id = watch->id = ++state_->last_id;
  state_->watches.emplace(id, std::move(watch));
  return id;
}

void Loop::change(Id id, Interest interest) {
  auto it = state_->watches.find(id);
  if (it != state_->watches.end()) state_->apply(*it->second, interest);
}

Loop::Id Loop::timer(std::chrono::milliseconds delay, std::chrono::milliseconds period, std::function<void()> callback) {
  if (!state_->may_add()) return 0;
  auto* timer = new Timer();
  timer->id = ++state_->last_id;
  timer->on_timer = std::move(callback);
  uv_timer_init(&state_->loop, &timer->timer);
  timer->timer.data = timer;
  // libuv counts from the start of this turn of the loop, which a long callback may have put far back.
  uv_update_time(&state_->loop);
  uv_timer_start(&timer->timer, &State::on_timer, as_milliseconds(delay), as_milliseconds(period));
  state_->timers.emplace(timer->id, timer);
  return timer->id;
}

void Loop::cancel(Id id) {
  if (auto it = state_->watches.find(id); it != state_->watches.end()) {
    std::unique_ptr<Watch> watch = std::move(it->second);
    state_->watches.erase(it);
    state_->retire(std::move(watch));
    return;
  }
  auto it = state_->timers.find(id);
  if (it == state_->timers.end()) return;
  Timer* timer = it->second;
  state_->timers.erase(it);
  State::release(timer);
}

}  // namespace base
