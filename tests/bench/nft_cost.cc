// What single operations on a services table cost the kernel, beside how many chains there are. The shapes are those
// of server/proxy. Prints a table in microseconds (medians), then the time of loading 10,000 targets.
// Usage: nft_cost
#include <netinet/in.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

#include "netns/nft/batch.h"
#include "netns/nft/nft.h"
#include "netns/process/isolate.h"

namespace {

using base::Family;
using base::Ip;
using netns::NftBatch;
using netns::NftSocket;
using netns::NftValue;
using netns::NftVerdict;
using Clock = std::chrono::steady_clock;

constexpr const char* kTable = R"(
table ip t {
  map services { type ipv4_addr . inet_proto . inet_service : mark; }
  map targets { type mark : verdict; }
  map wheel_of { type mark : mark; }
  map endpoints { type mark . mark : ipv4_addr . inet_service; }
  set hairpin { type ipv4_addr . ipv4_addr; }
  set sources { type mark . ipv4_addr; flags interval; }
  map sticky { type ipv4_addr . mark : mark; flags timeout; }
  chain nat-output {
    type nat hook output priority -100; policy accept;
    ct mark set ip daddr . meta l4proto . th dport map @services goto pick
  }
  chain nat-prerouting {
    type nat hook prerouting priority -100; policy accept;
    ct mark set ip daddr . meta l4proto . th dport map @services goto pick
  }
  chain pick {
    ct mark vmap @targets
    meta l4proto tcp dnat ip to ct mark . meta mark map @endpoints
  }
}
)";

double microseconds_since(Clock::time_point begin) { return std::chrono::duration<double, std::micro>(Clock::now() - begin).count(); }

struct Table {
  std::unique_ptr<netns::Nft> nft;
  std::unique_ptr<NftSocket> socket;
  NftBatch batch{Family::kIpv4, "t"};
  size_t limit = 400 * 1024;  // What a socket takes where net.core.wmem_max is the kernel's default.

  bool open() {
    auto opened = netns::Nft::open();
    auto raw = NftSocket::open();
    if (!opened.ok() || !raw.ok()) return false;
    nft = std::move(opened).value();
    socket = std::make_unique<NftSocket>(std::move(raw).value());
    return reset();
  }
  bool reset() {
    base::Status done = nft->run("add table ip t\ndelete table ip t\n" + std::string(kTable));
    if (!done.ok()) std::fprintf(stderr, "nft_cost: %s\n", done.error().message.c_str());
    return done.ok();
  }
  double commit() {
    const auto begin = Clock::now();
    base::Status done = socket->commit(batch);
    const double took = microseconds_since(begin);
    if (!done.ok()) {
      std::fprintf(stderr, "nft_cost: %s\n", done.error().message.c_str());
      std::exit(1);
    }
    batch.clear();
    return took;
  }
  double commit_if_full() { return batch.size() + 4096 > limit ? commit() : 0; }
};

std::string wheel(uint32_t i) { return "wheel-" + std::to_string(i); }
NftVerdict jump(uint32_t i) { return {NftVerdict::Kind::kJump, wheel(i)}; }
NftValue frontend(uint32_t i) { return NftValue().ip(Ip::v4((10u << 24) + i)).protocol(IPPROTO_TCP).port(80); }

void put_wheel(NftBatch& batch, uint32_t i) {
  batch.add_chain(wheel(i));
  batch.add_numgen_rule(wheel(i), NftBatch::Numgen::kIncrement, 3);
}
void put_data(NftBatch& batch, uint32_t i) {
  for (uint32_t slot = 0; slot < 3; ++slot) {
    batch.add_element("endpoints", {.key = NftValue().mark(i).mark(slot), .data = NftValue().ip(Ip::v4(i)).port(8080)});
  }
}
void put_frontend(NftBatch& batch, uint32_t i) { batch.add_element("services", {.key = frontend(i), .data = NftValue().mark(i)}); }

// Targets 1..count, in the cheapest order: data, chains, verdicts, frontends.
double load(Table& table, uint32_t count, bool wheels) {
  double took = 0;
  auto each = [&](const std::function<void(uint32_t)>& put) {
    for (uint32_t i = 1; i <= count; ++i) {
      put(i);
      took += table.commit_if_full();
    }
  };
  const auto begin = Clock::now();
  each([&](uint32_t i) { put_data(table.batch, i); });
  if (wheels) each([&](uint32_t i) { put_wheel(table.batch, i); });
  if (wheels) each([&](uint32_t i) { table.batch.add_element("targets", {.key = NftValue().mark(i), .verdict = jump(i)}); });
  each([&](uint32_t i) { put_frontend(table.batch, i); });
  took += table.commit();
  return microseconds_since(begin);
}

constexpr uint32_t kNew = 1 << 20;

struct Operation {
  const char* name;
  std::function<void(NftBatch&)> put, undo;
};

std::vector<Operation> operations() {
  auto many = [](uint32_t count, void (*put)(NftBatch&, uint32_t)) {
    return [count, put](NftBatch& batch) {
      for (uint32_t i = 0; i < count; ++i) put(batch, kNew + i);
    };
  };
  return {
      {"add / delete a data element", many(1, put_frontend), [](NftBatch& b) { b.delete_element("services", frontend(kNew)); }},
      {"replace one / put it back",
       [](NftBatch& b) {
         put_frontend(b, kNew);
         b.delete_element("services", frontend(kNew));
         put_frontend(b, kNew);
       },
       [](NftBatch& b) { b.delete_element("services", frontend(kNew)); }},
      {"a service of 3 endpoints, data alone / delete",
       [](NftBatch& b) {
         put_data(b, kNew);
         put_frontend(b, kNew);
       },
       [](NftBatch& b) {
         b.delete_element("services", frontend(kNew));
         for (uint32_t slot = 0; slot < 3; ++slot) b.delete_element("endpoints", NftValue().mark(kNew).mark(slot));
       }},
      {"add / delete an element of a range set",
       [](NftBatch& b) {
         b.add_element("sources", {.key = NftValue().range_mark(1).ip(Ip::v4(0)), .key_end = NftValue().range_mark(1).ip(Ip::v4(255))});
       },
       [](NftBatch& b) { b.delete_element("sources", NftValue().range_mark(1).ip(Ip::v4(0)), NftValue().range_mark(1).ip(Ip::v4(255))); }},
      {"add / delete a chain with its rule, nothing leads there", many(1, put_wheel), [](NftBatch& b) { b.delete_chain(wheel(kNew)); }},
      {"64 of these", many(64, put_wheel),
       [](NftBatch& b) {
         for (uint32_t i = 0; i < 64; ++i) b.delete_chain(wheel(kNew + i));
       }},
      {"add / delete a verdict element (of a chain that is there)",
       [](NftBatch& b) { b.add_element("targets", {.key = NftValue().mark(kNew), .verdict = NftVerdict{NftVerdict::Kind::kJump, "pool"}}); },
       [](NftBatch& b) { b.delete_element("targets", NftValue().mark(kNew)); }},
      {"add / delete a verdict element with its chain and rule",
       [](NftBatch& b) {
         put_wheel(b, kNew);
         b.add_element("targets", {.key = NftValue().mark(kNew), .verdict = jump(kNew)});
       },
       [](NftBatch& b) {
         b.delete_element("targets", NftValue().mark(kNew));
         b.delete_chain(wheel(kNew));
       }},
      {"64 of these",
       [](NftBatch& b) {
         for (uint32_t i = kNew; i < kNew + 64; ++i) put_wheel(b, i);
         for (uint32_t i = kNew; i < kNew + 64; ++i) b.add_element("targets", {.key = NftValue().mark(i), .verdict = jump(i)});
       },
       [](NftBatch& b) {
         for (uint32_t i = kNew; i < kNew + 64; ++i) b.delete_element("targets", NftValue().mark(i));
         for (uint32_t i = kNew; i < kNew + 64; ++i) b.delete_chain(wheel(i));
       }},
      {"replace the rule of a chain that is reached",
       [](NftBatch& b) {
         b.flush_chain("pool");
         b.add_numgen_rule("pool", NftBatch::Numgen::kIncrement, 4);
       },
       [](NftBatch& b) { b.flush_chain("pool"); }},
  };
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int measure() {
  Table table;
  if (!table.open()) return 1;
  constexpr uint32_t kSizes[] = {0, 1000, 10000};
  const auto all = operations();
  std::vector<std::string> lines(all.size());
  for (uint32_t size : kSizes) {
    if (!table.reset()) return 1;
    load(table, size, true);
    table.batch.add_chain("pool");
    table.batch.add_element("targets", {.key = NftValue().mark(kNew * 2), .verdict = NftVerdict{NftVerdict::Kind::kJump, "pool"}});
    table.commit();
    for (size_t i = 0; i < all.size(); ++i) {
      std::vector<double> put, undo;
      for (int turn = 0; turn < (size > 1000 ? 21 : 101); ++turn) {
        all[i].put(table.batch);
        put.push_back(table.commit());
        all[i].undo(table.batch);
        undo.push_back(table.commit());
      }
      char text[64];
      std::snprintf(text, sizeof text, "  %7.0f / %-7.0f", median(put), median(undo));
      lines[i] += text;
    }
  }
  std::printf("%-62s %-19s%-19s%s\n", "microseconds, with this many wheels:", "0", "1,000", "10,000");
  for (size_t i = 0; i < all.size(); ++i) std::printf("%-58s%s\n", all[i].name, lines[i].c_str());

  for (bool wheels : {true, false}) {
    std::vector<double> runs;
    for (int i = 0; i < 5; ++i) {
      if (!table.reset()) return 1;
      runs.push_back(load(table, 10000, wheels) / 1000);
    }
    std::printf("load 10,000 targets x 3 endpoints, %s: %.0f ms (transactions of %zu KiB)\n", wheels ? "a wheel each" : "data alone", median(runs),
                table.limit / 1024);
  }
  auto begin = Clock::now();
  const size_t elements = table.socket->list_elements(Family::kIpv4, "t", "endpoints")->size();
  std::printf("list %zu elements: %.1f ms\n", elements, microseconds_since(begin) / 1000);
  std::fflush(stdout);  // The child ends without the C library's farewell.
  return 0;
}

}  // namespace

int main() {
  auto child = netns::fork_isolated(measure);
  if (!child.ok()) {
    std::fprintf(stderr, "nft_cost: %s\n", child.error().message.c_str());
    return 1;
  }
  int status = 0;
  ::waitpid(*child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
