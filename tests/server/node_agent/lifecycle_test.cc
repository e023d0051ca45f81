// The corners of pods' lives: what happens at an awkward moment, and what stays.
#include "tests/server/node_agent/support.h"

namespace server {
namespace {

struct LifecycleTest : AgentTest {
  const std::string one = "{containers: [{name: c, image: busybox, command: [x]}]}";
};

TEST_F(LifecycleTest, BackOffGoesToFiveMinutesAndStartsAnewAfterAHealthyRun) {
  run_pod("a", one);
  exit(0, 1);
  for (int wait : {10, 20, 40, 80, 160, 300, 300}) {
    SCOPED_TRACE(wait);
    size_t before = spawner.processes.size();
    exit(before - 1, 1);
    EXPECT_NE(container_json("a")["state"]["waiting"]["message"].get<std::string>().find("back-off " + std::string(wait < 60 ? std::to_string(wait) + "s" : std::to_string(wait / 60) + "m" + std::to_string(wait % 60) + "s") +
                                                                                         " restarting failed container=c pod=a_default("),
              std::string::npos);
    pass(seconds(wait) - milliseconds(1));
    EXPECT_EQ(spawner.processes.size(), before);
    pass(milliseconds(1));
    EXPECT_EQ(spawner.processes.size(), before + 1);
  }
  pass(std::chrono::minutes(11));
  exit(spawner.processes.size() - 1, 1);
  EXPECT_EQ(shown("a"), "1/1 Running 9") << "at once, as the first time";
}

TEST_F(LifecycleTest, SuccessIsRestartedOnlyByAlways) {
  struct Row {
    const char* policy;
    int code;
    const char* want;
  };
  const Row rows[] = {{"Always", 0, "1/1 Running 1"},    {"Always", 1, "1/1 Running 1"},  {"OnFailure", 0, "0/1 Completed 0"}, {"OnFailure", 7, "1/1 Running 1"},
                      {"Never", 0, "0/1 Completed 0"}, {"Never", 137, "0/1 Error 0"}};
  size_t process = 0;
  for (const Row& row : rows) {
    std::string name = std::string("p") + std::to_string(&row - rows);
    SCOPED_TRACE(std::string(row.policy) + " " + std::to_string(row.code));
    run_pod(name, "{restartPolicy: " + std::string(row.policy) + ", containers: [{name: c, image: busybox, command: [x]}]}");
    exit(process, row.code);
    EXPECT_EQ(shown(name), row.want);
    process = spawner.processes.size();
  }
}

TEST_F(LifecycleTest, InitContainersThatFail) {
  const std::string containers = "initContainers: [{name: i, image: busybox, command: [one]}, {name: j, image: busybox, command: [two]}], containers: [{name: c, image: nginx}]}";
  run_pod("never", "{restartPolicy: Never, " + containers);
  EXPECT_EQ(pod_json("never")["status"]["initContainerStatuses"][1]["state"]["waiting"]["reason"], "PodInitializing");
  EXPECT_EQ(condition("never", "Initialized"), "False ContainersNotInitialized: containers with incomplete status: [i j]");
  exit(0, 1);
  EXPECT_EQ(shown("never"), "0/1 Init:Error 0");
  EXPECT_EQ(pod_json("never")["status"]["phase"], "Failed");
  EXPECT_EQ(fabric.node.detached.size(), 1u) << "nothing will run in it any more";
  run_pod("always", "{" + containers);
  exit(1, 1);
  EXPECT_EQ(spawner.processes.size(), 3u) << "again at once";
  exit(2, 1);
  EXPECT_EQ(shown("always"), "0/1 Init:CrashLoopBackOff 1");
  pass(seconds(10));
  exit(3, 0);
  exit(4, 0);
  EXPECT_EQ(shown("always"), "1/1 Running 0");
  std::vector<std::string> all = events();
  EXPECT_NE(std::find(all.begin(), all.end(), "Started spec.initContainers{j} Started container j"), all.end());
  EXPECT_NE(std::find(all.begin(), all.end(), "Started spec.containers{c} Started container c"), all.end());
}

TEST_F(LifecycleTest, FinishedPodsGiveTheirNetworkBackAndKeepTheirLogs) {
  run_pod("a", "{restartPolicy: Never, containers: [{name: c, image: busybox, command: [x]}, {name: d, image: busybox, command: [z]}]}");
  write(0, "result 42\n");
  exit(0, 0);
  EXPECT_TRUE(fabric.node.detached.empty()) << "d still runs";
  EXPECT_EQ(shown("a"), "1/2 NotReady 0");
  EXPECT_EQ(condition("a", "Ready"), "False ContainersNotReady: containers with unready status: [c]");
  exit(1, 0);
  EXPECT_EQ(fabric.node.detached.size(), 1u);
  EXPECT_EQ(condition("a", "Ready"), "False PodCompleted");
  EXPECT_EQ(condition("a", "Initialized"), "True PodCompleted");
  EXPECT_EQ(pod_json("a")["status"]["podIP"], "10.244.1.2");
  LogOptions of_c;
  of_c.container = "c";
  EXPECT_EQ(logs("a", of_c), "result 42\n");
  remove_pod("a");
  EXPECT_EQ(shown("a"), "404");
  EXPECT_EQ(fabric.node.detached.size(), 1u) << "once is enough";
  EXPECT_TRUE(std::filesystem::is_empty(dir + "/logs"));
}

TEST_F(LifecycleTest, LastOutputComesBeforeTheEnd) {
  run_pod("a", "{restartPolicy: Never, containers: [{name: c, image: busybox, command: [x], terminationMessagePolicy: FallbackToLogsOnError}]}");
  // The exit is known before the pipe has ended.
  spawner.processes[0].on_exit({1, 0});
  idle();
  EXPECT_EQ(shown("a"), "1/1 Running 0");
  write(0, "first\nlast words\n");
  spawner.processes[0].out.reset();
  spawner.processes[0].err.reset();
  settle_io();
  pass(milliseconds(1));
  EXPECT_EQ(shown("a"), "0/1 Error 0");
  EXPECT_EQ(container_json("a")["state"]["terminated"]["message"], "first\nlast words\n");
}

TEST_F(LifecycleTest, TerminationMessages) {
  run_pod("a", one);
  std::string file;
  for (const netns::Mount& m : spawner.processes[0].spec.mounts) {
    if (m.target == "/dev/termination-log") file = m.source;
  }
  ASSERT_FALSE(file.empty());
  ASSERT_TRUE(base::write_file_atomic(file, std::string(10000, 'x') + "the end", 0644).ok());
  exit(0, 1);
  std::string message = container_json("a")["lastState"]["terminated"]["message"];
  EXPECT_EQ(message.size(), 4096u);
  EXPECT_EQ(message.substr(4089), "the end");
  exit(1, 1);
  EXPECT_FALSE(container_json("a")["lastState"]["terminated"].contains("message")) << "of the run before";
}

TEST_F(LifecycleTest, LogsOfARestartedContainer) {
  LogOptions previous;
  previous.previous = true;
  run_pod("a", one);
  EXPECT_EQ(logs("a", previous), "!previous terminated container \"c\" in pod \"a\" not found");
  write(0, "run 1\n");
  exit(0, 1);
  EXPECT_EQ(logs("a", previous), "run 1\n");
  EXPECT_EQ(logs("a"), "");
  write(1, "run 2\n");
  exit(1, 1);
  EXPECT_EQ(shown("a"), "0/1 CrashLoopBackOff 1");
  EXPECT_EQ(logs("a"), "run 2\n") << "while it waits, the last run";
  EXPECT_EQ(logs("a", previous), "run 2\n");
  pass(seconds(10));
  EXPECT_EQ(logs("a"), "");
  size_t files = 0;
  for (const auto& f : std::filesystem::recursive_directory_iterator(dir + "/logs")) files += f.is_regular_file() ? 1 : 0;
  EXPECT_LE(files, 2u) << "this run's and the one before";
}

TEST_F(LifecycleTest, WhatLogsAndExecAnswerInEachState) {
  ExecOptions exec;
  exec.command = {"sh"};
  exec.out = true;
  auto exec_error = [&](const std::string& pod) { return agent->runtime().exec("default", pod, exec).error().message; };
  EXPECT_EQ(logs("none"), "!pods \"none\" not found");
  fabric.node.hold = true;
  run_pod("early", one);
  EXPECT_EQ(logs("early"), "!container \"c\" in pod \"early\" is waiting to start: ContainerCreating");
  EXPECT_EQ(exec_error("early"), "unable to upgrade connection: container not found (\"c\")");
  EXPECT_EQ(agent->runtime().dial("default", "early", 80).error().message, "pod early is not running");
  fabric.node.hold = false;
  run_pod("image", "{containers: [{name: c, image: example.test/none:1}]}");
  EXPECT_EQ(logs("image"), "!container \"c\" in pod \"image\" is waiting to start: image can't be pulled");
  pass(seconds(11));
  EXPECT_EQ(logs("image"), "!container \"c\" in pod \"image\" is waiting to start: trying and failing to pull image");
  run_pod("two", "{initContainers: [{name: i, image: busybox, command: [z]}], containers: [{name: c, image: nginx}, {name: d, image: nginx}]}");
  EXPECT_EQ(logs("two"), "!a container name must be specified for pod two, choose one of: [c d] or one of the init containers: [i]");
  EXPECT_EQ(exec_error("two"), "a container name must be specified for pod two, choose one of: [c d] or one of the init containers: [i]");
  LogOptions wrong;
  wrong.container = "x";
  EXPECT_EQ(logs("two", wrong), "!container x is not valid for pod two");
  wrong.container = "c";
  EXPECT_EQ(logs("two", wrong), "!container \"c\" in pod \"two\" is waiting to start: PodInitializing");
  run_pod("start", "{restartPolicy: Never, containers: [{name: c, image: busybox, command: [nosuch]}]}");
  EXPECT_EQ(logs("start"), "");
  EXPECT_EQ(exec_error("start"), "unable to upgrade connection: container not found (\"c\")");
}

TEST_F(LifecycleTest, StandardInputOfOneSession) {
  run_pod("a", "{containers: [{name: c, image: busybox, command: [cat], stdin: true, stdinOnce: true}]}");
  ExecOptions streams;
  streams.in = streams.out = true;
  {
    auto session = agent->runtime().attach("default", "a", streams);
    ASSERT_TRUE(session.ok());
    ASSERT_TRUE(base::write_all((*session)->in(), "hi", 2).ok());
    char buffer[8];
    EXPECT_EQ(::read(spawner.processes[0].in.get(), buffer, sizeof buffer), 2);
    auto second = agent->runtime().attach("default", "a", streams);
    EXPECT_EQ((*second)->in(), -1);
    write(0, "out");
    EXPECT_EQ(::read((*second)->out(), buffer, sizeof buffer), 3);
    (*session)->close_in();
    EXPECT_EQ(::read(spawner.processes[0].in.get(), buffer, sizeof buffer), 0) << "end of file";
  }
}

TEST_F(LifecycleTest, DeletedWhileItIsAttached) {
  fabric.node.hold = true;
  run_pod("a", one);
  remove_pod("a");
  EXPECT_NE(shown("a"), "404") << "the kernel still works on it";
  fabric.node.held[0](netns::Sandbox{});
  idle();
  EXPECT_EQ(shown("a"), "404");
  EXPECT_TRUE(spawner.processes.empty());
  EXPECT_EQ(fabric.node.detached.size(), 1u);
}

TEST_F(LifecycleTest, AttachFails) {
  fabric.node.hold = true;
  run_pod("a", one);
  fabric.node.held[0](base::Error(base::Code::kInternal, "no veth"));
  idle();
  EXPECT_EQ(shown("a"), "0/1 Pending 0");
  fabric.node.hold = false;
  std::vector<std::string> all = events();
  EXPECT_NE(std::find(all.begin(), all.end(), "FailedCreatePodSandBox - Failed to create pod sandbox: no veth"), all.end());
  EXPECT_EQ(shown("a"), "1/1 Running 0");
  EXPECT_NE(fabric.node.attached[1].address, fabric.node.attached[0].address);
}

TEST_F(LifecycleTest, DeletedWhileItIsStarted) {
  spawner.hold = true;
  run_pod("a", "{terminationGracePeriodSeconds: 5, containers: [{name: c, image: busybox, command: [x]}]}");
  remove_pod("a");
  pass(milliseconds(101));
  EXPECT_TRUE(spawner.processes[0].signals.empty());
  spawner.answer(0);
  idle();
  EXPECT_EQ(spawner.processes[0].signals, (std::vector<int>{SIGTERM})) << "asked, as any other";
  pass(seconds(5));
  EXPECT_EQ(spawner.processes[0].signals.back(), SIGKILL);
  exit(0, 137);
  EXPECT_EQ(shown("a"), "404");
}

TEST_F(LifecycleTest, ExitFollowsTheAnswerAtOnce) {
  spawner.hold = true;
  run_pod("a", "{restartPolicy: Never, containers: [{name: c, image: busybox, command: [x]}]}");
  store::Revision before = store->revision();
  FakeProcess& p = spawner.processes[0];
  p.out.reset(), p.err.reset();
  settle_io();
  spawner.answer(0);
  p.on_exit({0, 0});
  idle();
  EXPECT_EQ(shown("a"), "0/1 Completed 0");
  EXPECT_EQ(writes("pods", before), 1u) << "from bound to ended in one write";
  EXPECT_EQ(pod_json("a")["status"]["podIP"], "10.244.1.2");
}

TEST_F(LifecycleTest, AShorterSecondGraceCounts) {
  run_pod("a", one);
  remove_pod("a");
  pass(seconds(3));
  remove_pod("a", R"({"gracePeriodSeconds":5})");
  pass(seconds(1));
  EXPECT_EQ(spawner.processes[0].signals, (std::vector<int>{SIGTERM}));
  pass(seconds(1));
  EXPECT_EQ(spawner.processes[0].signals.back(), SIGKILL) << "five seconds after the first deletion";
}

TEST_F(LifecycleTest, NginxIsAskedWithSigquit) {
  run_pod("a", "{containers: [{name: c, image: nginx}]}");
  remove_pod("a");
  pass(milliseconds(101));
  EXPECT_EQ(spawner.processes[0].signals, (std::vector<int>{SIGQUIT}));
}

TEST_F(LifecycleTest, FinalizersSeeHowItEnded) {
  run_pod("a", "{containers: [{name: c, image: busybox, command: [x]}, {name: d, image: busybox, command: [z]}]}", ", finalizers: [example.test/keep]");
  remove_pod("a");
  pass(milliseconds(101));
  exit(0, 0);
  EXPECT_EQ(container_json("a", 0)["state"]["terminated"]["exitCode"], 0) << "while d still runs";
  exit(1, 143);
  json pod = pod_json("a");
  EXPECT_EQ(pod["status"]["phase"], "Failed");
  EXPECT_EQ(pod["metadata"]["deletionGracePeriodSeconds"], 0);
  store::Revision before = store->revision();
  pass(seconds(60));
  EXPECT_EQ(writes("pods", before), 0u);
  merge("/api/v1/namespaces/default/pods/a", {{"metadata", {{"finalizers", nullptr}}}});
  EXPECT_EQ(shown("a"), "404");
}

TEST_F(LifecycleTest, AnImageThatChangesStartsItsContainerAnew) {
  auto set_image = [this](const std::string& pod, const std::string& image) {
    const json patch = {{"spec", {{"containers", json::array({{{"name", "c"}, {"image", image}}})}}}};
    EXPECT_EQ(call("PATCH", "/api/v1/namespaces/default/pods/" + pod, patch.dump(), "application/strategic-merge-patch+json").status, 200);
    idle();
  };
  run_pod("a", "{restartPolicy: Never, containers: [{name: c, image: busybox, command: [x]}, {name: d, image: nginx}]}");
  set_image("a", "alpine");
  EXPECT_EQ(spawner.processes[0].signals, (std::vector<int>{SIGTERM}));
  EXPECT_TRUE(spawner.processes[1].signals.empty());
  exit(0, 143);
  EXPECT_EQ(spawner.processes.size(), 3u);
  EXPECT_EQ(shown("a"), "2/2 Running 1");
  EXPECT_EQ(container_json("a")["image"], "alpine");
  run_pod("wrong", "{containers: [{name: c, image: example.test/none:1}]}");
  set_image("wrong", "nginx:1");
  EXPECT_EQ(shown("wrong"), "1/1 Running 0") << "without waiting out the other image's back-off";
}

TEST_F(LifecycleTest, DownwardFilesFollowTheLabels) {
  run_pod("a", "{volumes: [{name: v, downwardAPI: {items: [{path: l, fieldRef: {fieldPath: metadata.labels}}]}}], containers: [{name: c, image: nginx, volumeMounts: [{name: v, mountPath: /d}]}]}", ", labels: {x: one}");
  EXPECT_EQ(*base::read_file(pod_dir("a") + "/volumes/v/l"), "x=\"one\"");
  merge("/api/v1/namespaces/default/pods/a", {{"metadata", {{"labels", {{"x", "two"}}}}}});
  EXPECT_EQ(*base::read_file(pod_dir("a") + "/volumes/v/l"), "x=\"two\"");
}

TEST_F(LifecycleTest, GatesSayWhatIsMissing) {
  run_pod("a", "{readinessGates: [{conditionType: x/one}, {conditionType: x/two}], containers: [{name: c, image: nginx}]}");
  EXPECT_EQ(condition("a", "Ready"), "False ReadinessGatesNotReady: corresponding condition of pod readiness gate \"x/one\" does not exist., corresponding condition of pod readiness gate \"x/two\" does not exist.");
  json pod = pod_json("a");
  for (const char* gate : {"x/one", "x/two"}) pod["status"]["conditions"].push_back({{"type", gate}, {"status", gate[2] == 'o' ? "True" : "False"}});
  ASSERT_EQ(call("PUT", "/api/v1/namespaces/default/pods/a/status", pod).status, 200);
  idle();
  EXPECT_EQ(condition("a", "Ready"), "False ReadinessGatesNotReady: the status of pod readiness gate \"x/two\" is not \"True\", but False");
  EXPECT_EQ(condition("a", "ContainersReady"), "True");
}

TEST_F(LifecycleTest, NoAddressLeft) {
  for (int i = 0; i < 253; ++i) run_pod("p" + std::to_string(i), one);
  run_pod("late", one);
  EXPECT_EQ(shown("late"), "0/1 Pending 0");
  remove_pod("p7", R"({"gracePeriodSeconds":0})");
  exit(7, 137);
  pass(seconds(2));
  EXPECT_EQ(shown("late"), "1/1 Running 0");
}

TEST_F(LifecycleTest, WaitingForConfigIsQuiet) {
  run_pod("a", "{containers: [{name: c, image: nginx, envFrom: [{secretRef: {name: s}}]}]}");
  store::Revision before = store->revision();
  pass(seconds(100));
  EXPECT_EQ(writes("pods", before), 0u);
  EXPECT_EQ(container_json("a")["state"]["waiting"]["message"], "secret \"s\" not found");
}

TEST_F(LifecycleTest, MountsThatCannotBeMadeAreTold) {
  run_pod("a", "{volumes: [{name: v, secret: {secretName: s}}], containers: [{name: c, image: nginx, volumeMounts: [{name: v, mountPath: /s}]}]}");
  EXPECT_EQ(shown("a"), "0/1 ContainerCreating 0");
  std::vector<std::string> all = events();
  EXPECT_NE(std::find(all.begin(), all.end(), "FailedMount - MountVolume.SetUp failed for volume \"v\" : secret \"s\" not found"), all.end());
  apply("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: v}\n");
  EXPECT_EQ(shown("a"), "1/1 Running 0");
}

struct RestartRow {
  const char* name;
  const char* policy;
  int code;           // How `c` ended before the restart; -1: it ran.
  const char* want;
  size_t processes;   // Started after it.
};

TEST_F(LifecycleTest, AfterARestartPoliciesCount) {
  const RestartRow rows[] = {
      {"always-ran", "Always", -1, "2/2 Running 2", 2},
      {"on-failure-ran", "OnFailure", -1, "2/2 Running 2", 2},
      {"on-failure-done", "OnFailure", 0, "1/2 NotReady 1", 1},
      {"never-ran", "Never", -1, "0/2 Unknown 0", 0},
      {"never-done", "Never", 0, "0/2 Unknown 0", 0},
  };
  size_t want = 0;
  for (const RestartRow& row : rows) {
    size_t process = spawner.processes.size();
    run_pod(row.name, "{restartPolicy: " + std::string(row.policy) + ", containers: [{name: c, image: busybox, command: [x]}, {name: d, image: busybox, command: [z]}]}");
    if (row.code >= 0) exit(process, row.code);
    want += row.processes;
  }
  restart();
  EXPECT_EQ(spawner.processes.size(), want);
  for (const RestartRow& row : rows) EXPECT_EQ(shown(row.name), row.want) << row.name;
  EXPECT_EQ(pod_json("never-ran")["status"]["phase"], "Failed");
  EXPECT_EQ(container_json("always-ran")["lastState"]["terminated"]["exitCode"], 255);
}

TEST_F(LifecycleTest, AfterARestartFinishedPodsAreLeftAlone) {
  run_pod("a", "{restartPolicy: Never, containers: [{name: c, image: busybox, command: [x]}]}");
  exit(0, 0);
  json before = pod_json("a");
  restart();
  EXPECT_TRUE(spawner.processes.empty());
  EXPECT_EQ(fabric.node.attached.size(), 1u);
  EXPECT_EQ(pod_json("a"), before);
  EXPECT_EQ(logs("a"), "!the output of container \"c\" in pod \"a\" is gone: it ended before kubelan was started last");
  remove_pod("a");
  EXPECT_EQ(shown("a"), "404");
}

TEST_F(LifecycleTest, AfterARestartStartTimeStays) {
  run_pod("a", one);
  std::string start = pod_json("a")["status"]["startTime"];
  exit(0, 1);
  exit(1, 1);
  pass(seconds(5));
  restart();
  EXPECT_EQ(pod_json("a")["status"]["startTime"], start);
  EXPECT_EQ(shown("a"), "1/1 Running 2") << "in back-off before, counted on";
}

}  // namespace
}  // namespace server
