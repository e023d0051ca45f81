#include "server/gateway/policy/balance.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "tests/server/gateway/policy/requests.h"

namespace {

using namespace server::gateway;
using policy_test::upstream;

// ---- Round robin -------------------------------------------------------------------------------------------------

TEST(RoundRobin, IsExact) {
  for (size_t count : {1u, 2u, 3u, 7u}) {
    UpstreamState state;
    auto target = upstream("a", count);
    std::map<size_t, int> hits;
    for (size_t i = 0; i < 10 * count; ++i) ++hits[state.pick(*target, std::nullopt, {})];
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(hits[i], 10) << i << " of " << count;
  }
}

TEST(RoundRobin, IsExactOverThreads) {
  constexpr int kThreads = 4, kEach = 3'000;
  UpstreamState state;
  auto target = upstream("a", 5);
  std::atomic<int> hits[5] = {};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) ++hits[state.pick(*target, std::nullopt, {})];
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& hit : hits) EXPECT_EQ(hit, kThreads * kEach / 5);
}

TEST(RoundRobin, LeavesOutWhatWasTried) {
  UpstreamState state;
  auto target = upstream("a", 3);
  for (int i = 0; i < 9; ++i) EXPECT_NE(state.pick(*target, std::nullopt, {false, true, false}), 1u);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(state.pick(*target, std::nullopt, {true, true, false}), 2u);
  std::set<size_t> all;
  for (int i = 0; i < 9; ++i) all.insert(state.pick(*target, std::nullopt, {true, true, true}));
  EXPECT_EQ(all.size(), 3u) << "all were tried: as if none";
  EXPECT_NE(state.pick(*target, std::nullopt, {true}), 0u) << "a short list leaves out what it names";
}

// ---- Weights -----------------------------------------------------------------------------------------------------

struct WeightRow {
  std::vector<uint32_t> weights;
  std::vector<int> want;  // In one round.
};

TEST(PickBackend, SharesAreExactInEveryRound) {
  const WeightRow rows[] = {
      {{1, 1}, {1, 1}}, {{9, 1}, {9, 1}}, {{90, 10}, {9, 1}}, {{70, 30, 0}, {7, 3, 0}}, {{0, 5}, {0, 1}}, {{3, 2, 1}, {3, 2, 1}}, {{1'000'000, 1}, {1'000'000, 1}}, {{33, 33, 34}, {33, 33, 34}},
  };
  for (const WeightRow& row : rows) {
    std::vector<Backend> backends(row.weights.size());
    int round = 0;
    for (size_t i = 0; i < backends.size(); ++i) {
      backends[i].weight = row.weights[i];
      round += row.want[i];
    }
    WeightedTurns turns;
    for (int repeat = 0; repeat < 2; ++repeat) {
      std::vector<int> hits(backends.size());
      for (int i = 0; i < round; ++i) ++hits[pick_backend(backends, &turns)];
      EXPECT_EQ(hits, row.want);
    }
  }
  std::vector<Backend> none(2);
  none[0].weight = none[1].weight = 0;
  EXPECT_EQ(pick_backend(none, nullptr), 2u);
}

TEST(PickBackend, IsSpread) {
  // 9 of 10: the one is never further away than twice its distance.
  std::vector<Backend> backends(2);
  backends[0].weight = 80;
  backends[1].weight = 20;
  WeightedTurns turns;
  int since = 0, longest = 0;
  for (int i = 0; i < 1'000; ++i) {
    since = pick_backend(backends, &turns) == 1 ? 0 : since + 1;
    longest = std::max(longest, since);
  }
  EXPECT_LE(longest, 8);
}

TEST(PlaceOfTurn, VisitsEveryPlaceOnceARound) {
  for (uint64_t total : {1u, 2u, 3u, 4u, 5u, 6u, 10u, 64u, 97u, 100u, 360u, 1000u}) {
    std::set<uint64_t> seen;
    for (uint64_t turn = 7 * total; turn < 8 * total; ++turn) seen.insert(place_of_turn(turn, total));
    EXPECT_EQ(seen.size(), total);
    EXPECT_EQ(*seen.rbegin(), total - 1);
  }
}

TEST(TakeShare, OfAMirror) {
  UpstreamState state;
  Mirror mirror;
  mirror.numerator = 15;
  mirror.denominator = 100;
  int copied = 0;
  for (int i = 0; i < 100; ++i) copied += state.share_of_mirror(mirror) ? 1 : 0;
  EXPECT_EQ(copied, 15);
  mirror.numerator = 0;
  EXPECT_FALSE(state.share_of_mirror(mirror));
  mirror.numerator = mirror.denominator;
  EXPECT_TRUE(state.share_of_mirror(mirror));
}

// ---- Hashes ------------------------------------------------------------------------------------------------------

TEST(ConsistentHash, IsEvenAndStays) {
  constexpr size_t kKeys = 20'000;
  auto ten = upstream("a", 10, Balance::kHash), eleven = upstream("a", 11, Balance::kHash);
  UpstreamState state, other;
  std::vector<size_t> before(kKeys);
  std::vector<int> hits(10);
  for (size_t i = 0; i < kKeys; ++i) {
    before[i] = state.pick(*ten, hash_of("key-" + std::to_string(i)), {});
    ++hits[before[i]];
    ASSERT_EQ(before[i], other.pick(*ten, hash_of("key-" + std::to_string(i)), {})) << "the same everywhere";
  }
  for (int hit : hits) EXPECT_NEAR(hit, 2'000, 200);
  // An endpoint more takes its share of all, and nothing else moves.
  size_t moved = 0;
  for (size_t i = 0; i < kKeys; ++i) {
    size_t now = state.pick(*eleven, hash_of("key-" + std::to_string(i)), {});
    if (now == before[i]) continue;
    EXPECT_EQ(now, 10u);
    ++moved;
  }
  EXPECT_NEAR(static_cast<double>(moved), kKeys / 11.0, 200);
}

TEST(ConsistentHash, DoesNotMindTheOrderOfEndpoints) {
  auto target = upstream("a", 6);
  std::vector<Endpoint> reversed(target->endpoints.rbegin(), target->endpoints.rend());
  for (int i = 0; i < 200; ++i) {
    uint64_t key = hash_of(std::to_string(i));
    EXPECT_EQ(target->endpoints[endpoint_by_hash(target->endpoints, key)], reversed[endpoint_by_hash(reversed, key)]);
  }
}

TEST(ConsistentHash, GoesToTheNextWhenTried) {
  auto target = upstream("a", 4, Balance::kHash);
  UpstreamState state;
  uint64_t key = hash_of("k");
  size_t first = state.pick(*target, key, {});
  std::vector<bool> tried(4);
  tried[first] = true;
  size_t second = state.pick(*target, key, tried);
  EXPECT_NE(first, second);
  EXPECT_EQ(second, state.pick(*target, key, tried));
}

TEST(ConsistentHash, OverSubsets) {
  auto target = std::make_shared<Upstream>(*upstream("a", 7, Balance::kHash));
  target->hash_subset = 3;
  UpstreamState state;
  // Groups: 0 1 2, 3 4 5, 6 0 1.
  const std::set<std::set<size_t>> groups = {{0, 1, 2}, {3, 4, 5}, {6, 0, 1}};
  std::set<std::set<size_t>> seen;
  for (int key = 0; key < 50; ++key) {
    std::set<size_t> hit;
    for (int i = 0; i < 9; ++i) hit.insert(state.pick(*target, hash_of(std::to_string(key)), {}));
    EXPECT_TRUE(groups.count(hit)) << key;
    seen.insert(hit);
  }
  EXPECT_EQ(seen.size(), 3u);
  target->hash_subset = 100;
  std::set<size_t> all;
  for (int i = 0; i < 7; ++i) all.insert(state.pick(*target, 1, {}));
  EXPECT_EQ(all.size(), 7u) << "one group of all";
}

TEST(ConsistentHash, WithoutAKeyTakesTurns) {
  auto target = upstream("a", 3, Balance::kHash);
  UpstreamState state;
  std::set<size_t> seen;
  for (int i = 0; i < 3; ++i) seen.insert(state.pick(*target, std::nullopt, {}));
  EXPECT_EQ(seen.size(), 3u);
}

TEST(HashOf, EveryByteCounts) {
  std::set<uint64_t> seen;
  std::string text(19, 'a');
  seen.insert(hash_of(text));
  for (size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = 'b';
    seen.insert(hash_of(other));
    seen.insert(hash_of(std::string_view(text).substr(0, i)));
  }
  seen.insert(hash_of(std::string_view("\0", 1)));
  EXPECT_EQ(seen.size(), 1 + 2 * text.size() + 1);
}

// ---- Times -------------------------------------------------------------------------------------------------------

using std::chrono::milliseconds;

TEST(LeastTime, AvoidsTheSlowOne) {
  auto target = upstream("a", 3, Balance::kLeastTime);
  UpstreamState state;
  state.report(*target, 0, milliseconds(5));
  state.report(*target, 1, milliseconds(500));
  state.report(*target, 2, milliseconds(5));
  std::vector<int> hits(3);
  for (int i = 0; i < 300; ++i) ++hits[state.pick(*target, std::nullopt, {})];
  EXPECT_EQ(hits[1], 0) << "of any two, one is faster";
  EXPECT_GT(hits[0], 50);
  EXPECT_GT(hits[2], 50);
  // Even the best is left when it was tried.
  EXPECT_EQ(state.pick(*target, std::nullopt, {true, false, true}), 1u);
}

TEST(LeastTime, AFailureIsSlow) {
  auto target = upstream("a", 2, Balance::kLeastTime);
  UpstreamState state;
  state.report(*target, 0, milliseconds(1));
  state.report(*target, 1, milliseconds(2));
  EXPECT_EQ(state.pick(*target, std::nullopt, {}), 0u);
  state.failed(*target, 0);
  EXPECT_EQ(state.pick(*target, std::nullopt, {}), 1u);
}

TEST(LeastTime, ANewEndpointIsAverageNotFree) {
  auto two = upstream("a", 2, Balance::kLeastTime);
  UpstreamState state;
  state.report(*two, 0, milliseconds(1));
  state.report(*two, 1, milliseconds(100));
  auto three = upstream("a", 3, Balance::kLeastTime);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(state.pick(*three, std::nullopt, {false, true, false}), 0u) << "better than average";
    EXPECT_EQ(state.pick(*three, std::nullopt, {true, false, false}), 2u) << "worse than average";
  }
}

TEST(LeastTime, ForgetsEndpointsThatAreGone) {
  UpstreamState state;
  auto many = upstream("a", 1'000, Balance::kLeastTime);
  for (size_t i = 0; i < 1'000; ++i) state.report(*many, i, milliseconds(900));
  auto few = upstream("a", 2, Balance::kLeastTime);
  state.report(*few, 1, milliseconds(1'000));  // Sweeps; 0 keeps its score.
  EXPECT_EQ(state.pick(*few, std::nullopt, {}), 0u);
  state.report(*few, 5, milliseconds(1));  // No such endpoint: nothing.
}

}  // namespace
