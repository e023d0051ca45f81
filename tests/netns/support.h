// tests/netns/support.h - runs a test body in namespaces of its own, in a forked child, as the daemon runs.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "netns/fabric.h"
#include "netns/ns/namespace.h"
#include "netns/process/isolate.h"

namespace netns_test {

// A directory that goes with the object. Not below /tmp where it can be helped: containers have a /tmp of their own.
class ScratchDir {
 public:
  ScratchDir() {
    char path[] = "/tmp/kubelan-test-XXXXXX";
    path_ = ::mkdtemp(path);
  }
  ~ScratchDir() { std::system(("rm -rf " + path_).c_str()); }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The child's failed expectations are printed by the child; here only its exit code counts.
inline void run_isolated(const std::function<void()>& body) {
  base::Status probe = netns::probe_user_namespaces();
  if (!probe.ok()) GTEST_SKIP() << probe.error().message;
  std::fflush(nullptr);
  base::Result<pid_t> pid = netns::fork_isolated([&]() -> int {
    body();
    std::fflush(nullptr);
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  ASSERT_TRUE(pid.ok()) << pid.error().message;
  int status = 0;
  ASSERT_EQ(::waitpid(*pid, &status, 0), *pid);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// True once `condition` holds; false after the deadline.
inline bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds deadline = std::chrono::seconds(10)) {
  auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::usleep(1000);
  }
  return true;
}

// The default network, with so many nodes: node-1 is 172.30.0.11 and has pods in 10.244.1.0/24.
inline netns::FabricPlan plan_of(uint8_t nodes, const std::vector<base::Ip>& local_ips = {}) {
  netns::FabricPlan plan;
  plan.underlay = base::Cidr(base::Ip::v4(172, 30, 0, 0), 16);
  plan.gateway = base::Ip::v4(172, 30, 0, 1);
  plan.client_address = base::Ip::v4(172, 30, 0, 2);
  for (uint8_t i = 1; i <= nodes; ++i) {
    netns::NodePlan node;
    node.name = "node-" + std::to_string(i);
    node.address = base::Ip::v4(172, 30, 0, static_cast<uint8_t>(10 + i));
    node.pod_cidr = base::Cidr(base::Ip::v4(10, 244, i, 0), 24);
    node.local_ips = local_ips;
    plan.nodes.push_back(node);
  }
  return plan;
}

inline double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace netns_test
