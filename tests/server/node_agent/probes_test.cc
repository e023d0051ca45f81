// Results of probes -> states, restarts and Events; hooks; being stopped. Commands end as the test says, and the clock
// stands still.
#include "tests/server/node_agent/support.h"

namespace server {
namespace {

struct ProbesTest : AgentTest {
  static std::string pod(const std::string& fields, const std::string& more = "") { return "{" + more + "containers: [{name: c, image: busybox, command: [x], " + fields + "}]}"; }
  static std::string probe(const std::string& kind, const std::string& more = "") { return kind + "Probe: {exec: {command: [look, " + kind + "]}" + (more.empty() ? "" : ", " + more) + "}"; }
  std::string last_exec() { return spawner.execs.empty() ? "" : spawner.execs.back().spec.argv.back(); }
  bool told(const std::string& event) {
    std::vector<std::string> all = events();
    return std::find(all.begin(), all.end(), event) != all.end();
  }
};

TEST_F(ProbesTest, ReadinessIsFalseUntilTheFirstPass) {
  run_pod("a", pod(probe("readiness", "periodSeconds: 5, failureThreshold: 2")));
  EXPECT_EQ(shown("a"), "0/1 Running 0");
  EXPECT_EQ(condition("a", "Ready"), "False ContainersNotReady: containers with unready status: [c]");
  EXPECT_EQ(container_json("a")["started"], true);
  ASSERT_EQ(spawner.execs.size(), 1u) << "the first look comes at once";
  EXPECT_EQ(spawner.exec_containers[0], 1u);
  end_exec(1, "no\n");
  EXPECT_EQ(shown("a"), "0/1 Running 0");
  pass(milliseconds(4999));
  EXPECT_EQ(spawner.execs.size(), 1u);
  pass(milliseconds(1));
  ASSERT_EQ(spawner.execs.size(), 2u);
  end_exec(0);
  EXPECT_EQ(shown("a"), "1/1 Running 0");
  EXPECT_EQ(condition("a", "Ready"), "True");
  pass(seconds(5));
  end_exec(1, "busy");
  EXPECT_EQ(shown("a"), "1/1 Running 0") << "below the threshold";
  store::Revision before = store->revision();
  pass(seconds(5));
  end_exec(1, "busy");
  EXPECT_EQ(shown("a"), "0/1 Running 0");
  EXPECT_EQ(writes("pods", before), 1u);
  EXPECT_TRUE(told("Unhealthy spec.containers{c} Readiness probe failed: busy"));
  EXPECT_EQ(spawner.processes.size(), 1u) << "readiness restarts nothing";
}

TEST_F(ProbesTest, PassesThatChangeNothingWriteNothing) {
  run_pod("a", pod(probe("liveness", "periodSeconds: 1") + ", " + probe("readiness", "periodSeconds: 1")));
  for (size_t i = 0; i < 2; ++i) {
    FakeProcess& p = spawner.execs[i];
    p.out.reset();
    p.on_exit({0, 0});
  }
  settle_io();
  idle();
  EXPECT_EQ(shown("a"), "1/1 Running 0");
  store::Revision before = store->revision();
  for (int round = 0; round < 5; ++round) {
    size_t from = spawner.execs.size();
    pass(seconds(1));
    ASSERT_EQ(spawner.execs.size(), from + 2);
    for (size_t i = from; i < from + 2; ++i) spawner.execs[i].out.reset(), spawner.execs[i].on_exit({0, 0});
    settle_io();
    idle();
  }
  EXPECT_EQ(writes("pods", before), 0u);
}

TEST_F(ProbesTest, InitialDelayCountsFromTheStart) {
  run_pod("a", pod(probe("liveness", "initialDelaySeconds: 7")));
  pass(milliseconds(6999));
  EXPECT_TRUE(spawner.execs.empty());
  EXPECT_EQ(shown("a"), "1/1 Running 0") << "liveness passes until it is known to fail";
  pass(milliseconds(1));
  EXPECT_EQ(spawner.execs.size(), 1u);
}

TEST_F(ProbesTest, ALookThatTakesTooLongHasFailed) {
  run_pod("a", pod(probe("readiness", "timeoutSeconds: 3, periodSeconds: 2")));
  pass(milliseconds(2999));
  EXPECT_TRUE(spawner.execs[0].signals.empty());
  EXPECT_EQ(spawner.execs.size(), 1u) << "one look at a time";
  pass(milliseconds(1));
  EXPECT_EQ(spawner.execs[0].signals, (std::vector<int>{SIGKILL}));
  EXPECT_EQ(spawner.execs.size(), 2u) << "the next one is overdue";
  EXPECT_TRUE(told("Unhealthy spec.containers{c} Readiness probe failed: command timed out: \"look readiness\" timed out after 3s"));
  spawner.execs[0].on_exit({0, 0});  // Late.
  settle_io();
  idle();
  EXPECT_EQ(shown("a"), "0/1 Running 0");
}

TEST_F(ProbesTest, ACommandThatIsNotThereCountsNeitherWay) {
  run_pod("a", pod("livenessProbe: {exec: {command: [nosuch]}, periodSeconds: 1, failureThreshold: 1}"));
  for (int i = 0; i < 5; ++i) pass(seconds(1));
  EXPECT_TRUE(spawner.processes[0].signals.empty());
  EXPECT_TRUE(told("Unhealthy spec.containers{c} Liveness probe errored and resulted in unknown state: rpc error: code = Unknown desc = failed to exec in container: failed to start exec: exec: \"nosuch\": executable file not found in $PATH"));
}

TEST_F(ProbesTest, StartupHoldsTheOthersBack) {
  run_pod("a", pod(probe("startup", "periodSeconds: 1") + ", " + probe("readiness", "initialDelaySeconds: 1") + ", " + probe("liveness")));
  EXPECT_EQ(container_json("a")["started"], false);
  ASSERT_EQ(spawner.execs.size(), 1u);
  EXPECT_EQ(last_exec(), "startup");
  end_exec(1);
  pass(seconds(1));
  ASSERT_EQ(spawner.execs.size(), 2u);
  EXPECT_EQ(last_exec(), "startup");
  end_exec(0);
  EXPECT_EQ(container_json("a")["started"], true);
  EXPECT_EQ(shown("a"), "0/1 Running 0");
  ASSERT_EQ(spawner.execs.size(), 4u) << "readiness and liveness, their delays long over";
  EXPECT_EQ(spawner.execs[2].spec.argv.back(), "readiness");
  EXPECT_EQ(spawner.execs[3].spec.argv.back(), "liveness");
  pass(seconds(30));
  for (size_t i = 4; i < spawner.execs.size(); ++i) EXPECT_NE(spawner.execs[i].spec.argv.back(), "startup");
}

struct ProbedRestartRow {
  const char* name;
  const char* kind;
  const char* policy;
  const char* grace;    // The probe's own.
  int exit_code;
  const char* event;
  int killed_after;     // Seconds.
  const char* want;     // After it ended.
};

TEST_F(ProbesTest, FailuresRestart) {
  const ProbedRestartRow rows[] = {
      {"live", "liveness", "Always", "", 143, "Container c failed liveness probe, will be restarted", 30, "1/1 Running 1"},
      {"own-grace", "liveness", "Always", "terminationGracePeriodSeconds: 4, ", 137, "Container c failed liveness probe, will be restarted", 4, "1/1 Running 1"},
      {"least-grace", "liveness", "Always", "terminationGracePeriodSeconds: 1, ", 137, "Container c failed liveness probe, will be restarted", 2, "1/1 Running 1"},
      {"on-failure", "liveness", "OnFailure", "", 0, "Container c failed liveness probe, will be restarted", 30, "1/1 Running 1"},
      {"never", "liveness", "Never", "", 137, "Container c failed liveness probe", 30, "0/1 Error 0"},
      {"startup", "startup", "Always", "", 143, "Container c failed startup probe, will be restarted", 30, "0/1 Running 1"},
  };
  for (const ProbedRestartRow& row : rows) {
    SCOPED_TRACE(row.name);
    size_t process = spawner.processes.size();
    run_pod(row.name, pod(probe(row.kind, std::string(row.grace) + "periodSeconds: 1, failureThreshold: 2"), "restartPolicy: " + std::string(row.policy) + ", "));
    end_exec(1);
    pass(seconds(1));
    end_exec(1);
    EXPECT_EQ(spawner.processes[process].signals, (std::vector<int>{SIGTERM}));
    size_t looks = spawner.execs.size();
    pass(seconds(row.killed_after) - milliseconds(1));
    EXPECT_EQ(spawner.processes[process].signals.size(), 1u);
    pass(milliseconds(1));
    EXPECT_EQ(spawner.processes[process].signals.back(), SIGKILL);
    EXPECT_EQ(spawner.execs.size(), looks) << "nothing to look for until there is a new process";
    exit(process, row.exit_code);
    EXPECT_EQ(shown(row.name), row.want);
    EXPECT_TRUE(told("Killing spec.containers{c} " + std::string(row.event)));
    remove_pod(row.name, R"({"gracePeriodSeconds":0})");
  }
}

TEST_F(ProbesTest, ANewProcessIsLookedAtAnew) {
  run_pod("a", pod(probe("readiness")));
  end_exec(0);
  EXPECT_EQ(shown("a"), "1/1 Running 0");
  exit(0, 1);
  EXPECT_EQ(shown("a"), "0/1 Running 1") << "not ready until it passes again";
  ASSERT_EQ(spawner.execs.size(), 2u);
  EXPECT_EQ(spawner.exec_containers[1], 2u);
  end_exec(0);
  EXPECT_EQ(shown("a"), "1/1 Running 1");
}

TEST_F(ProbesTest, WhileAPodEndsReadinessGoesOnAndTheOthersStop) {
  run_pod("a", pod(probe("readiness", "periodSeconds: 1, failureThreshold: 1") + ", " + probe("liveness", "periodSeconds: 1, initialDelaySeconds: 5")));
  end_exec(0);
  remove_pod("a");
  EXPECT_EQ(condition("a", "Ready"), "True") << "serving, and terminating";
  pass(seconds(1));
  ASSERT_EQ(spawner.execs.size(), 2u);
  end_exec(1);
  EXPECT_EQ(condition("a", "Ready"), "False ContainersNotReady: containers with unready status: [c]");
  for (int i = 0; i < 6; ++i) {
    pass(seconds(1));
    EXPECT_EQ(last_exec(), "readiness");
    end_exec(0);
  }
  exit(0, 0);
  EXPECT_EQ(shown("a"), "404");
}

TEST_F(ProbesTest, PreStopComesBeforeTheSignal) {
  run_pod("a", pod("lifecycle: {preStop: {exec: {command: [bye]}}}", "terminationGracePeriodSeconds: 10, "));
  remove_pod("a");
  ASSERT_EQ(last_exec(), "bye");
  pass(seconds(5));
  EXPECT_TRUE(spawner.processes[0].signals.empty());
  end_exec(0);
  EXPECT_EQ(spawner.processes[0].signals, (std::vector<int>{SIGTERM}));
  pass(milliseconds(4999));
  EXPECT_EQ(spawner.processes[0].signals.size(), 1u) << "hook and signal share the grace period";
  pass(milliseconds(1));
  EXPECT_EQ(spawner.processes[0].signals.back(), SIGKILL);
}

TEST_F(ProbesTest, PreStopThatTakesAllTheTimeLeavesTwoSeconds) {
  run_pod("a", pod("lifecycle: {preStop: {exec: {command: [bye]}}}", "terminationGracePeriodSeconds: 3, "));
  remove_pod("a");
  pass(seconds(3));
  EXPECT_EQ(spawner.execs[0].signals, (std::vector<int>{SIGKILL}));
  EXPECT_EQ(spawner.processes[0].signals, (std::vector<int>{SIGTERM}));
  pass(milliseconds(1999));
  EXPECT_EQ(spawner.processes[0].signals.size(), 1u);
  pass(milliseconds(1));
  EXPECT_EQ(spawner.processes[0].signals.back(), SIGKILL);
}

TEST_F(ProbesTest, PreStopThatFailsOrIsOverAtOnce) {
  run_pod("a", pod("lifecycle: {preStop: {exec: {command: [bye]}}}"));
  remove_pod("a");
  end_exec(1, "a secret");
  EXPECT_TRUE(spawner.processes[0].signals.empty()) << "Services still get their moment";
  pass(milliseconds(100));
  EXPECT_EQ(spawner.processes[0].signals, (std::vector<int>{SIGTERM}));
  EXPECT_TRUE(told("FailedPreStopHook spec.containers{c} PreStopHook failed"));
  run_pod("now", pod("lifecycle: {preStop: {exec: {command: [bye]}}}"));
  size_t execs = spawner.execs.size();
  remove_pod("now", R"({"gracePeriodSeconds":0})");
  EXPECT_EQ(spawner.processes[1].signals.back(), SIGKILL);
  EXPECT_EQ(spawner.execs.size(), execs) << "no time for it";
}

TEST_F(ProbesTest, PreStopRunsBeforeAProbesRestartToo) {
  run_pod("a", pod(probe("liveness", "failureThreshold: 1") + ", lifecycle: {preStop: {sleep: {seconds: 2}}}"));
  end_exec(1);
  pass(milliseconds(1999));
  EXPECT_TRUE(spawner.processes[0].signals.empty());
  pass(milliseconds(1));
  EXPECT_EQ(spawner.processes[0].signals, (std::vector<int>{SIGTERM}));
  exit(0, 143);
  EXPECT_EQ(shown("a"), "1/1 Running 1");
}

TEST_F(ProbesTest, PostStartHoldsBackReadinessProbesAndLaterContainers) {
  run_pod("a", "{containers: [{name: c, image: busybox, command: [x], lifecycle: {postStart: {exec: {command: [hello]}}}, " + probe("readiness") +
                   "}, {name: d, image: busybox, command: [z]}]}");
  EXPECT_EQ(shown("a"), "0/2 ContainerCreating 0");
  EXPECT_EQ(spawner.processes.size(), 1u);
  ASSERT_EQ(spawner.execs.size(), 1u);
  EXPECT_EQ(last_exec(), "hello");
  end_exec(0);
  EXPECT_EQ(spawner.processes.size(), 2u);
  EXPECT_EQ(shown("a"), "1/2 Running 0");
  EXPECT_EQ(last_exec(), "readiness");
  end_exec(0);
  EXPECT_EQ(shown("a"), "2/2 Running 0");
}

TEST_F(ProbesTest, PostStartThatFailsEndsTheContainer) {
  const std::pair<const char*, const char*> hooks[] = {{"exec", "exec: {command: [hello]}"}, {"tcp", "tcpSocket: {port: 1}"}};
  for (const auto& [name, hook] : hooks) {
    SCOPED_TRACE(name);
    size_t process = spawner.processes.size();
    run_pod(name, pod("lifecycle: {postStart: {" + std::string(hook) + "}}"));
    if (std::string(name) == "exec") end_exec(3, "a secret");
    EXPECT_EQ(spawner.processes[process].signals, (std::vector<int>{SIGTERM}));
    EXPECT_EQ(shown(name), "0/1 PostStartHookError 0");
    exit(process, 143);
    EXPECT_TRUE(told("FailedPostStartHook spec.containers{c} PostStartHook failed"));
    EXPECT_TRUE(told("Killing spec.containers{c} FailedPostStartHook"));
    remove_pod(name, R"({"gracePeriodSeconds":0})");
  }
}

TEST_F(ProbesTest, StopSignalOfTheContainer) {
  run_pod("a", pod("lifecycle: {stopSignal: SIGUSR1}", "os: {name: linux}, "));
  remove_pod("a");
  pass(milliseconds(101));
  EXPECT_EQ(spawner.processes[0].signals, (std::vector<int>{SIGUSR1}));
}

TEST_F(ProbesTest, AnAgentThatEndsEndsItsLooks) {
  run_pod("a", pod(probe("liveness")));
  agent.reset();
  EXPECT_EQ(spawner.execs[0].signals, (std::vector<int>{SIGKILL}));
  spawner.execs[0].on_exit({0, 0});
  settle_io();
  idle();
}

}  // namespace
}  // namespace server
