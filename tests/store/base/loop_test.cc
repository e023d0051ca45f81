#include "store/base/loop.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "store/base/fd.h"

namespace base {
namespace {

using std::chrono::milliseconds;
constexpr std::chrono::seconds kDeadline(10);

// Runs fn on the loop and waits for its end.
void on_loop(Loop& loop, const std::function<void()>& fn) {
  std::promise<void> done;
  loop.post([&] {
    fn();
    done.set_value();
  });
  ASSERT_EQ(done.get_future().wait_for(kDeadline), std::future_status::ready);
}

// A value that callbacks push to and the test waits for.
template <class T>
class Seen {
 public:
  void add(T value) {
    std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    changed_.notify_all();
  }
  std::vector<T> wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kDeadline, [&] { return values_.size() >= count; });
    return values_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<T> values_;
};

TEST(Loop, StartsAndStopsIdle) { Loop loop("test"); }

TEST(Loop, RunsPostedInOrderOnItsThread) {
  Loop loop("a-name-longer-than-fifteen");
  Seen<int> seen;
  std::atomic<bool> elsewhere{false};
  for (int i = 0; i < 1000; ++i) {
    loop.post([&, i, me = std::this_thread::get_id()] {
      if (std::this_thread::get_id() == me) elsewhere = true;
      seen.add(i);
    });
  }
  std::vector<int> values = seen.wait_for(1000);
  ASSERT_EQ(values.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(values[static_cast<size_t>(i)], i);
  EXPECT_FALSE(elsewhere);
}

TEST(Loop, PostFromManyThreadsKeepsEachThreadsOrder) {
  Loop loop("test");
  Seen<std::pair<int, int>> seen;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) loop.post([&seen, t, i] { seen.add({t, i}); });
    });
  }
  for (std::thread& t : threads) t.join();
  auto values = seen.wait_for(2000);
  ASSERT_EQ(values.size(), 2000u);
  int next[4] = {};
  for (auto [t, i] : values) EXPECT_EQ(i, next[t]++);
}

TEST(Loop, PostedFunctionMayPost) {
  Loop loop("test");
  Seen<int> seen;
  loop.post([&] {
    seen.add(1);
    loop.post([&] { seen.add(3); });
    seen.add(2);
  });
  EXPECT_EQ(seen.wait_for(3), (std::vector<int>{1, 2, 3}));
}

TEST(Loop, ReadableIsLevelTriggered) {
  SocketPair pair = make_socket_pair(SOCK_STREAM).value();
  Loop loop("test");
  Seen<std::string> seen;
  Loop::Id id = 0;
  on_loop(loop, [&] {
    id = loop.watch(pair.first.get(), Loop::Interest::kReadable, [&](Loop::Ready ready) {
      EXPECT_TRUE(ready.readable);
      EXPECT_FALSE(ready.writable);
      char c;
      if (::read(pair.first.get(), &c, 1) == 1) seen.add(std::string(1, c));  // One byte a call: the rest calls again.
    });
    EXPECT_NE(id, 0u);
  });
  ASSERT_TRUE(write_all(pair.second.get(), "abc", 3).ok());
  EXPECT_EQ(seen.wait_for(3), (std::vector<std::string>{"a", "b", "c"}));
  on_loop(loop, [&] { loop.cancel(id); });
}

TEST(Loop, WritableAndBoth) {
  SocketPair pair = make_socket_pair(SOCK_STREAM).value();
  ASSERT_TRUE(write_all(pair.second.get(), "x", 1).ok());
  Loop loop("test");
  Seen<Loop::Ready> seen;
  Loop::Id a = 0;
  Loop::Id b = 0;
  on_loop(loop, [&] {
    a = loop.watch(pair.first.get(), Loop::Interest::kBoth, [&](Loop::Ready ready) {
      seen.add(ready);
      loop.cancel(a);
    });
    b = loop.watch(pair.second.get(), Loop::Interest::kWritable, [&](Loop::Ready ready) {
      seen.add(ready);
      loop.cancel(b);
    });
  });
  auto values = seen.wait_for(2);
  ASSERT_EQ(values.size(), 2u);
  int readable = 0;
  for (Loop::Ready ready : values) {
    EXPECT_TRUE(ready.writable);
    readable += ready.readable ? 1 : 0;
  }
  EXPECT_EQ(readable, 1);
}

TEST(Loop, ChangedInterestPausesAndResumes) {
  SocketPair pair = std::move(make_socket_pair(SOCK_STREAM)).value();
  Loop loop("test");
  Seen<Loop::Ready> seen;
  Loop::Id id = 0;
  on_loop(loop, [&] {
    id = loop.watch(pair.first.get(), Loop::Interest::kNone, [&](Loop::Ready ready) {
      loop.change(id, Loop::Interest::kNone);
      seen.add(ready);
    });
    loop.change(id + 1, Loop::Interest::kBoth);  // Not one of ours.
  });
  ASSERT_EQ(::write(pair.second.get(), "x", 1), 1);
  on_loop(loop, [] {});
  EXPECT_TRUE(seen.wait_for(0).empty());
  on_loop(loop, [&] { loop.change(id, Loop::Interest::kReadable); });
  ASSERT_EQ(seen.wait_for(1).size(), 1u);
  EXPECT_TRUE(seen.wait_for(1)[0].readable);
  EXPECT_FALSE(seen.wait_for(1)[0].writable);
  on_loop(loop, [&] { loop.change(id, Loop::Interest::kWritable); });
  ASSERT_EQ(seen.wait_for(2).size(), 2u);
  EXPECT_TRUE(seen.wait_for(2)[1].writable);
  on_loop(loop, [] {});
  EXPECT_EQ(seen.wait_for(2).size(), 2u);
}

TEST(Loop, HangUpIsReadable) {
  SocketPair pair = make_socket_pair(SOCK_STREAM).value();
  Loop loop("test");
  Seen<ssize_t> seen;
  Loop::Id id = 0;
  on_loop(loop, [&] {
    id = loop.watch(pair.first.get(), Loop::Interest::kReadable, [&](Loop::Ready) {
      char c;
      seen.add(::read(pair.first.get(), &c, 1));
      loop.cancel(id);
    });
  });
  pair.second.reset();
  EXPECT_EQ(seen.wait_for(1), std::vector<ssize_t>{0});
}

// A connected UDP socket gets ECONNREFUSED when nobody listens there; the watch must go on afterwards.
TEST(Loop, SocketErrorIsReportedAndDoesNotEndTheWatch) {
  auto bind_udp = [](sockaddr_in& address) {
    Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t size = sizeof address;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return fd;
  };
  sockaddr_in mine;
  sockaddr_in peer;
  Fd fd = bind_udp(mine);
  Fd closed = bind_udp(peer);
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&peer), sizeof peer), 0);
  closed.reset();

  Loop loop("test");
  Seen<std::string> seen;
  Loop::Id id = 0;
  on_loop(loop, [&] {
    id = loop.watch(fd.get(), Loop::Interest::kReadable, [&](Loop::Ready ready) {
      EXPECT_TRUE(ready.readable);
      char buffer[16];
      ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
      seen.add(n < 0 ? "error" : std::string(buffer, static_cast<size_t>(n)));
    });
    EXPECT_EQ(::send(fd.get(), "?", 1, 0), 1);
  });
  EXPECT_EQ(seen.wait_for(1), std::vector<std::string>{"error"});
  Fd again(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(again.get(), reinterpret_cast<sockaddr*>(&peer), sizeof peer), 0);
  ASSERT_EQ(::sendto(again.get(), "hello", 5, 0, reinterpret_cast<sockaddr*>(&mine), sizeof mine), 5);
  EXPECT_EQ(seen.wait_for(2), (std::vector<std::string>{"error", "hello"}));
  on_loop(loop, [&] { loop.cancel(id); });
}

TEST(Loop, WhatCannotBeWatchedGivesZero) {
  SocketPair pair = make_socket_pair(SOCK_STREAM).value();
  Loop loop("test");
  on_loop(loop, [&] {
    auto never = [](Loop::Ready) { ADD_FAILURE(); };
    EXPECT_EQ(loop.watch(-1, Loop::Interest::kReadable, never), 0u);
    Loop::Id id = loop.watch(pair.first.get(), Loop::Interest::kReadable, never);
    EXPECT_NE(id, 0u);
    EXPECT_EQ(loop.watch(pair.first.get(), Loop::Interest::kReadable, never), 0u);
    loop.cancel(id);
    Loop::Id next = loop.watch(pair.first.get(), Loop::Interest::kReadable, never);
    EXPECT_NE(next, 0u);
    EXPECT_NE(next, id);
    loop.cancel(next);
  });
}

TEST(Loop, CancelOfAnotherInTheSameTurn) {
  SocketPair one = make_socket_pair(SOCK_STREAM).value();
  SocketPair two = make_socket_pair(SOCK_STREAM).value();
  Loop loop("test");
  Seen<int> seen;
  Loop::Id a = 0;
  Loop::Id b = 0;
  on_loop(loop, [&] {
    // Both are ready in one poll; whichever comes first silences the other and closes its descriptor.
    auto callback = [&](int which) {
      seen.add(which);
      loop.cancel(a);
      loop.cancel(b);
      one.first.reset();
      two.first.reset();
    };
    a = loop.watch(one.first.get(), Loop::Interest::kReadable, [callback](Loop::Ready) { callback(1); });
    b = loop.watch(two.first.get(), Loop::Interest::kReadable, [callback](Loop::Ready) { callback(2); });
    ASSERT_TRUE(write_all(one.second.get(), "x", 1).ok());
    ASSERT_TRUE(write_all(two.second.get(), "x", 1).ok());
  });
  seen.wait_for(1);
  for (int i = 0; i < 3; ++i) on_loop(loop, [] {});  // A few turns more.
  EXPECT_EQ(seen.wait_for(1).size(), 1u);
}

TEST(Loop, SelfCancelKeepsTheRunningCallbackWhole) {
  SocketPair pair = make_socket_pair(SOCK_STREAM).value();
  ASSERT_TRUE(write_all(pair.second.get(), "x", 1).ok());
  Loop loop("test");
  Seen<std::string> seen;
  Loop::Id id = 0;
  on_loop(loop, [&] {
    id = loop.watch(pair.first.get(), Loop::Interest::kReadable, [&, owned = std::make_shared<std::string>("still here")](Loop::Ready) {
      loop.cancel(id);
      seen.add(*owned);
    });
  });
  EXPECT_EQ(seen.wait_for(1), std::vector<std::string>{"still here"});
}

TEST(Loop, OneShotTimersFireInOrderOfTheirTime) {
  Loop loop("test");
  Seen<int> seen;
  auto start = std::chrono::steady_clock::now();
  on_loop(loop, [&] {
    loop.timer(milliseconds(30), milliseconds(0), [&] { seen.add(3); });
    loop.timer(milliseconds(0), milliseconds(0), [&] { seen.add(1); });
    loop.timer(milliseconds(10), milliseconds(0), [&] { seen.add(2); });
  });
  EXPECT_EQ(seen.wait_for(3), (std::vector<int>{1, 2, 3}));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(29));
}

TEST(Loop, PeriodicTimerCancelsItself) {
  Loop loop("test");
  Seen<int> seen;
  Loop::Id id = 0;
  int count = 0;
  on_loop(loop, [&] {
    id = loop.timer(milliseconds(1), milliseconds(1), [&] {
      seen.add(++count);
      if (count == 5) loop.cancel(id);
    });
  });
  seen.wait_for(5);
  Seen<int> later;
  on_loop(loop, [&] { loop.timer(milliseconds(20), milliseconds(0), [&] { later.add(0); }); });
  later.wait_for(1);
  EXPECT_EQ(seen.wait_for(5).size(), 5u);
}

TEST(Loop, CancelledTimerDoesNotFireAndStaleIdsAreIgnored) {
  Loop loop("test");
  Seen<int> seen;
  Loop::Id fired = 0;
  on_loop(loop, [&] {
    Loop::Id never = loop.timer(milliseconds(0), milliseconds(0), [&] { seen.add(-1); });
    loop.cancel(never);
    loop.cancel(never);
    loop.cancel(0);
    loop.cancel(12345);
    fired = loop.timer(milliseconds(0), milliseconds(0), [&] { seen.add(1); });
  });
  EXPECT_EQ(seen.wait_for(1), std::vector<int>{1});
  on_loop(loop, [&] { loop.cancel(fired); });
  EXPECT_EQ(seen.wait_for(1).size(), 1u);
}

TEST(Loop, TimerCountsFromTheCallNotFromTheTurn) {
  Loop loop("test");
  Seen<milliseconds> seen;
  on_loop(loop, [&] {
    auto until = std::chrono::steady_clock::now() + milliseconds(40);
    while (std::chrono::steady_clock::now() < until) {
    }
    auto start = std::chrono::steady_clock::now();
    loop.timer(milliseconds(30), milliseconds(0), [&seen, start] {
      seen.add(std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start));
    });
  });
  auto values = seen.wait_for(1);
  ASSERT_EQ(values.size(), 1u);
  EXPECT_GE(values[0], milliseconds(29));
}

// What callbacks own is freed, and their destructors may use the loop.
TEST(Loop, DestructionFreesCallbacksThatUseTheLoop) {
  SocketPair pair = make_socket_pair(SOCK_STREAM).value();
  std::atomic<int> freed{0};
  struct Guard {
    Guard(Loop* l, std::atomic<int>* f) : loop(l), freed(f) {}
    Loop* loop;
    std::atomic<int>* freed;
    Loop::Id id = 0;
    ~Guard() {
      loop->cancel(id);
      loop->post([] { ADD_FAILURE(); });
      ++*freed;
    }
  };
  {
    Loop loop("test");
    on_loop(loop, [&] {
      auto timer_guard = std::make_shared<Guard>(&loop, &freed);
      loop.timer(std::chrono::hours(1), milliseconds(0), [timer_guard] {});
      auto watch_guard = std::make_shared<Guard>(&loop, &freed);
      watch_guard->id = loop.watch(pair.first.get(), Loop::Interest::kReadable, [watch_guard](Loop::Ready) {});
    });
  }
  EXPECT_EQ(freed, 2);
}

TEST(Loop, DestructionDropsWhatIsPosted) {
  std::atomic<int> ran{0};
  std::promise<void> running;
  std::promise<void> go_on;
  auto loop = std::make_unique<Loop>("test");
  loop->post([&] {
    running.set_value();
    go_on.get_future().wait();
    ++ran;
  });
  running.get_future().wait();
  // Posted while the first one runs; it may still get its turn, but never after the destruction.
  auto owned = std::make_shared<int>(0);
  loop->post([&ran, owned] { ++ran; });
  std::thread destroyer([&] { loop.reset(); });
  go_on.set_value();
  destroyer.join();
  EXPECT_GE(ran, 1);
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(Loop, ManyLoopsComeAndGoUnderLoad) {
  for (int round = 0; round < 50; ++round) {
    SocketPair pair = make_socket_pair(SOCK_STREAM).value();
    ASSERT_TRUE(write_all(pair.second.get(), "x", 1).ok());
    Loop loop("test");
    loop.post([&] {
      loop.watch(pair.first.get(), Loop::Interest::kBoth, [](Loop::Ready) {});  // Ready all the time.
      loop.timer(milliseconds(0), milliseconds(1), [] {});
    });
  }
}

}  // namespace
}  // namespace base
