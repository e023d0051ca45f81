// What the kernel alone costs: the namespaces, links and routes of a cluster of three nodes, and of N pods on
// them, without API, controllers or processes. Prints "fabric_ms=... pods=... pods_ms=..." on one line.
// Usage: kernel_cost N
#include <sys/wait.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "netns/fabric.h"
#include "netns/process/isolate.h"

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point begin) { return std::chrono::duration<double, std::milli>(Clock::now() - begin).count(); }

netns::FabricPlan three_nodes() {
  netns::FabricPlan plan;
  plan.underlay = base::Cidr(base::Ip::v4(172, 30, 0, 0), 16);
  plan.gateway = base::Ip::v4(172, 30, 0, 1);
  plan.client_address = base::Ip::v4(172, 30, 0, 2);
  for (uint8_t i = 1; i <= 3; ++i) {
    plan.nodes.push_back({"node-" + std::to_string(i), base::Ip::v4(172, 30, 0, static_cast<uint8_t>(10 + i)), base::Cidr(base::Ip::v4(10, 244, i, 0), 24), {base::Ip::v4(10, 96, 0, 10)}});
  }
  return plan;
}

int measure(int pods) {
  auto begin = Clock::now();
  auto fabric = netns::Fabric::create(three_nodes());
  if (!fabric.ok()) {
    std::fprintf(stderr, "kernel_cost: %s\n", fabric.error().message.c_str());
    return 1;
  }
  double fabric_ms = milliseconds_since(begin);
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<netns::Sandbox> sandboxes;
  int failed = 0;
  begin = Clock::now();
  for (int i = 0; i < pods; ++i) {
    netns::Node* node = (*fabric)->nodes()[static_cast<size_t>(i % 3)];
    netns::PodPlan plan{"pod-" + std::to_string(i), "pod-" + std::to_string(i), node->plan().pod_cidr.address().plus(static_cast<uint64_t>(2 + i / 3))};
    node->attach(plan, [&](base::Result<netns::Sandbox> made) {
      std::lock_guard lock(mutex);
      if (made.ok()) sandboxes.push_back(std::move(made).value());
      else ++failed;
      changed.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return sandboxes.size() + static_cast<size_t>(failed) == static_cast<size_t>(pods); });
  std::printf("fabric_ms=%.1f pods=%d pods_ms=%.1f failed=%d\n", fabric_ms, pods, milliseconds_since(begin), failed);
  std::fflush(stdout);
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  int pods = argc > 1 ? std::atoi(argv[1]) : 200;
  auto child = netns::fork_isolated([pods] { return measure(pods); });
  if (!child.ok()) {
    std::fprintf(stderr, "kernel_cost: %s\n", child.error().message.c_str());
    return 1;
  }
  int status = 0;
  ::waitpid(*child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
