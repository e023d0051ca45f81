#include "server/proxy/table.h"

#include <gtest/gtest.h>

#include "tests/server/proxy/golden.h"

namespace {

using base::Ip;
using namespace server::proxy;

Backend pod_at(uint8_t last) { return {Ip::v4(10, 244, 1, last), 8080}; }
std::vector<Backend> pods(std::initializer_list<uint8_t> lasts) {
  std::vector<Backend> out;
  for (uint8_t last : lasts) out.push_back(pod_at(last));
  return out;
}

ServicePlan plan_of(const Ip& ip, const std::vector<Backend>& backends, Spread spread = Spread::kRoundRobin) {
  ServicePlan plan;
  plan.cluster_ips = {ip};
  plan.targets = {{0, "80/tcp", Protocol::kTcp, spread, backends}};
  plan.frontends = {{{ip, Protocol::kTcp, 80}, 0}};
  for (const Backend& backend : backends) plan.hairpins.push_back(backend.ip);
  return plan;
}

// Keeps a table and tells each step's transactions as golden text.
struct Teller {
  NodeTable table{base::Family::kIpv4};
  TargetIds ids;
  std::string told;

  Teller() { table.tell(); }
  void step(const std::string& what, std::vector<NodeTable::Change> changes) {
    for (NodeTable::Change& change : changes) ids.assign(change.key, change.plan);
    tell(what, table.apply(changes));
  }
  void tell(const std::string& what, const std::vector<Transaction>& transactions) {
    told += "# " + what + "\n";
    if (transactions.empty()) told += "(nothing)\n";
    for (size_t i = 0; i < transactions.size(); ++i) told += (i > 0 ? "-- then\n" : "") + transactions[i].commands + transactions[i].text;
    told += "\n";
  }
};

const ServiceKey kWebKey{"default", "web"}, kApi{"default", "api"};
const Ip kWebIp = Ip::v4(10, 96, 1, 1), kApiIp = Ip::v4(10, 96, 1, 2);

TEST(Table, every_change_says_only_what_changed) {
  Teller t;
  t.step("a service without endpoints", {{kWebKey, plan_of(kWebIp, {})}});
  t.step("its first endpoint", {{kWebKey, plan_of(kWebIp, pods({5}))}});
  t.step("the same again", {{kWebKey, plan_of(kWebIp, pods({5}))}});
  t.step("two more: it needs a wheel", {{kWebKey, plan_of(kWebIp, pods({5, 6, 7}))}});
  t.step("one replaced: the wheel turns on", {{kWebKey, plan_of(kWebIp, pods({5, 7, 8}))}});
  t.step("the first goes: the last takes its slot", {{kWebKey, plan_of(kWebIp, pods({7, 8}))}});
  t.step("down to one", {{kWebKey, plan_of(kWebIp, pods({8}))}});
  t.step("up to two: the chain is still there", {{kWebKey, plan_of(kWebIp, pods({8, 9}))}});
  t.step("none", {{kWebKey, plan_of(kWebIp, {})}});
  t.step("two again", {{kWebKey, plan_of(kWebIp, pods({5, 6}))}});
  t.step("a second service with the same pods", {{kApi, plan_of(kApiIp, pods({5, 6}))}});
  t.step("the first goes", {{kWebKey, {}}});
  t.tell("and some time later its chain", t.table.take_retired());
  t.step("another service takes its address in the same round as its owner leaves", {{kApi, {}}, {kWebKey, plan_of(kApiIp, pods({5}))}});
  t.tell("chains", t.table.take_retired());
  t.step("at random", {{kApi, plan_of(kWebIp, pods({5, 6}), Spread::kRandom)}});
  t.step("at random, shared", {{{"default", "x"}, plan_of(Ip::v4(10, 96, 1, 3), pods({7, 8}), Spread::kRandom)}});
  t.step("everything goes", {{kApi, {}}, {kWebKey, {}}, {{"default", "x"}, {}}});
  t.tell("chains", t.table.take_retired());
  proxy_test::expect_golden("transactions.txt", t.told);
}

TEST(Table, two_services_that_claim_one_address) {
  Teller t;
  t.step("first", {{kWebKey, plan_of(kWebIp, pods({5}))}});
  t.step("second, first by name", {{kApi, plan_of(kWebIp, pods({6}))}});
  t.step("the first by name goes: back to the other", {{kApi, {}}});
  t.step("both at once", {{kWebKey, {}}, {kApi, plan_of(kWebIp, pods({6}))}});
  proxy_test::expect_golden("claims.txt", t.told);
}

TEST(Table, slots_stay_where_they_are) {
  struct Row {
    const char* name;
    std::vector<Backend> current, wanted, want;
  };
  const Row rows[] = {
      {"fresh", {}, pods({1, 2, 3}), pods({1, 2, 3})},
      {"added", pods({2, 3}), pods({1, 2, 3}), pods({2, 3, 1})},
      {"replaced", pods({1, 2, 3}), pods({1, 3, 4}), pods({1, 4, 3})},
      {"first removed", pods({1, 2, 3}), pods({2, 3}), pods({3, 2})},
      {"last removed", pods({1, 2, 3}), pods({1, 2}), pods({1, 2})},
      {"fewer and new", pods({1, 2, 3, 4}), pods({4, 5}), pods({5, 4})},
      {"none", pods({1, 2}), {}, {}},
      {"all new", pods({1, 2}), pods({3, 4, 5}), pods({3, 4, 5})},
  };
  for (const Row& row : rows) EXPECT_EQ(assign_slots(row.current, row.wanted), row.want) << row.name;
}

TEST(Table, transactions_are_bounded) {
  NodeTable table(base::Family::kIpv4);
  TargetIds ids;
  std::vector<NodeTable::Change> changes, gone;
  for (int i = 0; i < 5000; ++i) {
    NodeTable::Change change{{"default", "s" + std::to_string(i)},
                             plan_of(Ip::v4(10, 97, 0, 0).plus(static_cast<uint64_t>(i)), pods({1, 2, 3}))};
    ids.assign(change.key, change.plan);
    gone.push_back({change.key, {}});
    changes.push_back(std::move(change));
  }
  for (const auto& list : {table.apply(changes), table.apply(gone)}) {
    EXPECT_GT(list.size(), 1u);
    for (const Transaction& transaction : list) EXPECT_LE(transaction.batch.size(), 160u * 1024);
  }
  EXPECT_TRUE(table.apply(gone).empty());
}

// The first of two thousand services makes the chain that all share, and it may come many transactions later.
TEST(Table, a_shared_chain_is_there_before_anything_leads_to_it) {
  NodeTable table(base::Family::kIpv4);
  table.tell();
  TargetIds ids;
  std::vector<NodeTable::Change> changes;
  for (int i = 0; i < 2000; ++i) {
    const Ip ip = Ip::v4(10, 97, 0, 0).plus(static_cast<uint64_t>(i));
    NodeTable::Change change{{"default", "s" + std::to_string(i)}, plan_of(ip, pods({1, 2, 3}), Spread::kRandom)};
    ids.assign(change.key, change.plan);
    changes.push_back(std::move(change));
  }
  std::string all;
  for (const Transaction& transaction : table.apply(changes)) all += transaction.text;
  EXPECT_LT(all.find("add chain ip kubelan random-3"), all.find("jump random-3"));
  EXPECT_EQ(all.find("add chain"), all.rfind("add chain"));
  EXPECT_LT(all.find("add element ip kubelan targets"), all.find("add element ip kubelan services"));
}

TEST(Table, ids_last_as_long_as_the_port) {
  TargetIds ids;
  ServicePlan plan = plan_of(kWebIp, {});
  ids.assign(kWebKey, plan);
  EXPECT_EQ(plan.targets[0].id, 2u);
  ServicePlan more = plan_of(kWebIp, pods({5}));
  more.targets.push_back({0, "https", Protocol::kTcp, Spread::kRoundRobin, {}});
  ids.assign(kWebKey, more);
  EXPECT_EQ(more.targets[0].id, 2u);
  EXPECT_EQ(more.targets[1].id, 4u);
  ids.forget(kWebKey);
  ids.assign(kWebKey, plan);
  EXPECT_EQ(plan.targets[0].id, 6u);
}

}  // namespace
