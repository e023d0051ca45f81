#include "server/gateway/policy/limits.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/server/gateway/policy/requests.h"

namespace {

using namespace server::gateway;
using std::chrono::milliseconds;

const base::Ip kAnn = base::Ip::v4(192, 0, 2, 1), kBob = base::Ip::v4(192, 0, 2, 2);

Limits per_second(double rate, uint32_t multiplier = 5) {
  Limits limits;
  limits.key = "default/web";
  limits.requests_per_second = rate;
  limits.burst_multiplier = multiplier;
  return limits;
}

struct Times {
  base::MonoTime now{std::chrono::hours(1)};
  LimitStates states;

  int take(const Limits& limits, int tries, const base::Ip& address = kAnn) {
    int let_in = 0;
    for (int i = 0; i < tries; ++i) let_in += states.take_request(limits, address, now) ? 1 : 0;
    return let_in;
  }
};

TEST(TakeRequest, ABurstThenTheRate) {
  Times t;
  Limits limits = per_second(1);
  EXPECT_EQ(t.take(limits, 20), 6) << "nginx: burst=5 nodelay lets one and five more in";
  t.now += milliseconds(999);
  EXPECT_EQ(t.take(limits, 20), 0);
  t.now += milliseconds(1);
  EXPECT_EQ(t.take(limits, 20), 1);
  t.now += milliseconds(3'000);
  EXPECT_EQ(t.take(limits, 20), 3);
  t.now += std::chrono::hours(1);
  EXPECT_EQ(t.take(limits, 20), 6) << "no more than the bucket holds";
}

TEST(TakeRequest, WhatIsRefusedDoesNotCount) {
  Times t;
  Limits limits = per_second(1, 1);
  EXPECT_EQ(t.take(limits, 100), 2);
  t.now += milliseconds(1'000);
  EXPECT_EQ(t.take(limits, 100), 1);
}

TEST(TakeRequest, ASteadyClientUnderTheRateIsNeverRefused) {
  Times t;
  Limits limits = per_second(10, 1);
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(t.states.take_request(limits, kAnn, t.now)) << i;
    t.now += milliseconds(100);
  }
}

TEST(TakeRequest, ByMinute) {
  Times t;
  Limits limits;
  limits.key = "m";
  limits.requests_per_minute = 6;
  EXPECT_EQ(t.take(limits, 100), 31);
  t.now += milliseconds(10'000);
  EXPECT_EQ(t.take(limits, 100), 1);
  t.now += milliseconds(9'000);
  EXPECT_EQ(t.take(limits, 100), 0);
}

TEST(TakeRequest, BothMustLetIn) {
  Times t;
  Limits limits = per_second(100, 1);
  limits.requests_per_minute = 60;  // 1 a second, 60 at once.
  EXPECT_EQ(t.take(limits, 300), 61);
  t.now += milliseconds(1'000);
  EXPECT_EQ(t.take(limits, 300), 1);
}

TEST(TakeRequest, ClientsAndKeysAreApart) {
  Times t;
  Limits limits = per_second(1, 1), other = limits;
  other.key = "default/other";
  EXPECT_EQ(t.take(limits, 9), 2);
  EXPECT_EQ(t.take(limits, 9, kBob), 2);
  EXPECT_EQ(t.take(other, 9), 2);
  EXPECT_EQ(t.take(limits, 9, *base::Ip::parse("2001:db8::1")), 2);
  EXPECT_EQ(t.take(limits, 9), 0);
}

TEST(TakeRequest, ExemptOnesAndNoLimit) {
  Times t;
  Limits limits = per_second(1, 1);
  limits.exempt = {*base::Cidr::parse("192.0.2.0/31")};
  EXPECT_EQ(t.take(limits, 50), 50);
  EXPECT_EQ(t.take(limits, 50, *base::Ip::parse("::ffff:192.0.2.1")), 50);
  EXPECT_EQ(t.take(limits, 50, kBob), 2);
  EXPECT_EQ(t.take(Limits(), 50), 50);
}

TEST(TakeRequest, AClockThatGoesBackDoesNoHarm) {
  Times t;
  Limits limits = per_second(1, 1);
  EXPECT_EQ(t.take(limits, 9), 2);
  t.now -= milliseconds(60'000);
  EXPECT_EQ(t.take(limits, 9), 0);
}

TEST(TakeRequest, MemoryIsBounded) {
  Times t;
  Limits limits = per_second(1, 1);
  for (uint32_t i = 0; i < 300'000; ++i) t.states.take_request(limits, base::Ip::v4(i), t.now);
  EXPECT_LE(t.states.clients(), 131'072u);
  EXPECT_GT(t.states.clients(), 100'000u);
  EXPECT_EQ(t.take(limits, 9, base::Ip::v4(299'999)), 1) << "the last one is remembered";
}

TEST(TakeRequest, OverThreads) {
  Times t;
  Limits limits = per_second(1, 500);
  std::atomic<int> let_in{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { let_in += t.take(limits, 1'000); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(let_in, 501);
}

// ---- Connections -------------------------------------------------------------------------------------------------

TEST(TakeConnection, CountsWhatIsOpen) {
  LimitStates states;
  Limits limits;
  limits.key = "c";
  limits.connections = 2;
  auto first = states.take_connection(limits, kAnn);
  auto second = states.take_connection(limits, kAnn);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(states.take_connection(limits, kAnn));
  EXPECT_TRUE(states.take_connection(limits, kBob));
  first.reset();
  auto third = states.take_connection(limits, kAnn);
  EXPECT_TRUE(third);
  EXPECT_FALSE(states.take_connection(limits, kAnn));
  ConnectionSlot moved = std::move(*third);
  third.reset();
  EXPECT_FALSE(states.take_connection(limits, kAnn)) << "a slot that moved is held still";
  second = std::move(moved);
  EXPECT_TRUE(states.take_connection(limits, kAnn)) << "what it held before was given back";
}

TEST(TakeConnection, ExemptOnesAndNoLimit) {
  LimitStates states;
  Limits limits;
  limits.connections = 1;
  limits.exempt = {base::Cidr::host(kAnn)};
  std::vector<ConnectionSlot> kept;
  for (int i = 0; i < 5; ++i) {
    auto slot = states.take_connection(limits, kAnn);
    ASSERT_TRUE(slot);
    kept.push_back(std::move(*slot));
  }
  EXPECT_EQ(states.clients(), 0u);
}

TEST(TakeConnection, IsNotForgottenForNewcomers) {
  LimitStates states;
  Limits limits = per_second(1, 1);
  limits.connections = 1;
  auto slot = states.take_connection(limits, kAnn);
  for (uint32_t i = 0; i < 300'000; ++i) states.take_request(limits, base::Ip::v4(i), base::MonoTime());
  EXPECT_FALSE(states.take_connection(limits, kAnn));
  slot.reset();
  EXPECT_TRUE(states.take_connection(limits, kAnn));
}

// ---- Bytes -------------------------------------------------------------------------------------------------------

struct BytesRow {
  uint64_t rate, free, sent;
  int elapsed_ms;
  uint64_t want;
};

TEST(AllowedBytes, TheFirstSecondsWorthAtOnce) {
  const BytesRow rows[] = {
      {1'000, 0, 0, 0, 1'000},
      {1'000, 0, 1'000, 0, 0},
      {1'000, 0, 1'000, 500, 500},
      {1'000, 0, 1'500, 500, 0},
      {1'000, 4'096, 0, 0, 5'096},
      {1'000, 4'096, 5'096, 1'000, 1'000},
      {1'000, 0, 9'999, 100, 0},
      {0, 0, 1 << 30, 0, UINT64_MAX},
      {10'000'000'000, 0, 0, 3'600'000, 36'010'000'000'000},
      {1'000, 0, 0, -50, 1'000},
  };
  for (const BytesRow& row : rows) {
    EXPECT_EQ(allowed_bytes(row.rate, row.free, row.sent, milliseconds(row.elapsed_ms)), row.want) << row.rate << " " << row.sent << " " << row.elapsed_ms;
  }
}

TEST(AllowedBytes, TheWaitIsLongEnoughAndNotMuchLonger) {
  for (uint64_t rate : {1u, 7u, 1'000u, 1'000'000u}) {
    uint64_t sent = 0;
    milliseconds elapsed{0};
    for (int i = 0; i < 50; ++i) {
      uint64_t allowed = allowed_bytes(rate, 0, sent, elapsed);
      if (allowed == 0) {
        milliseconds wait = time_to_allowance(rate, 0, sent, elapsed);
        ASSERT_GT(wait.count(), 0);
        elapsed += wait + milliseconds(1);
        ASSERT_GT(allowed_bytes(rate, 0, sent, elapsed), 0u) << rate;
      } else {
        EXPECT_EQ(time_to_allowance(rate, 0, sent, elapsed).count(), 0);
        sent += allowed;
      }
    }
    EXPECT_LE(sent, rate * (static_cast<uint64_t>(elapsed.count()) + 1'000) / 1'000);
  }
}

}  // namespace
