// A node agent over a fabric and a spawner that do nothing but answer when the test says so.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <future>

#include "server/node_agent/node_agent.h"
#include "tests/server/support/world.h"

namespace server {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FakeNode final : public netns::Node {
 public:
  using Done = std::function<void(base::Result<netns::Sandbox>)>;
  explicit FakeNode(netns::NodePlan plan) : plan_(std::move(plan)) {}
  const netns::NodePlan& plan() const override { return plan_; }
  netns::Worker& worker() override { abort(); }
  const base::Fd& net() const override { return net_; }
  netns::Nft& nft() override { abort(); }
  void attach(netns::PodPlan pod, Done done) override {
    attached.push_back(pod);
    if (hold) held.push_back(std::move(done));
    else done(netns::Sandbox{});
  }
  void detach(const std::string& id) override { detached.push_back(id); }
  std::vector<netns::PodPlan> attached;
  std::vector<std::string> detached;
  bool hold = false;
  std::vector<Done> held;

 private:
  netns::NodePlan plan_;
  base::Fd net_;
};

class FakeFabric final : public netns::Fabric {
 public:
  explicit FakeFabric(uint8_t prefix = 24) : node({"node-1", base::Ip::v4(172, 30, 0, 11), base::Cidr(base::Ip::v4(10, 244, 1, 0), prefix), {}}) {}
  const netns::FabricPlan& plan() const override { return plan_; }
  netns::Node* find_node(const std::string& name) override { return name == "node-1" ? &node : nullptr; }
  std::vector<netns::Node*> nodes() override { return {&node}; }
  netns::Worker& fabric_worker() override { abort(); }
  void set_outside_routes(OutsideRoutes, std::function<void(base::Status)>) override { abort(); }
  const base::Fd& client_net() const override { return none_; }
  const base::Fd& fabric_net() const override { return none_; }
  FakeNode node;

 private:
  netns::FabricPlan plan_;
  base::Fd none_;
};

struct FakeProcess {
  netns::ContainerSpec spec;
  base::Fd in, out, err;  // What a process would have as its standard descriptors.
  std::function<void(base::Result<netns::Started>)> on_started;
  std::function<void(netns::ExitInfo)> on_exit;
  std::vector<int> signals;
  bool running = true;
};

class FakeSpawner final : public netns::Spawner {
 public:
  void start(const netns::ContainerSpec& spec, const netns::Sandbox&, const netns::Stdio& stdio, std::function<void(base::Result<netns::Started>)> on_started,
             std::function<void(netns::ExitInfo)> on_exit) override {
    if (!spec.argv.empty() && spec.argv[0] == "nosuch") {
      on_started(base::Error(base::Code::kInternal, "exec: \"nosuch\": executable file not found in $PATH"));
      return;
    }
    processes.push_back({spec, copy(stdio.in), copy(stdio.out), copy(stdio.err), std::move(on_started), std::move(on_exit), {}, true});
    if (!hold) answer(processes.size() - 1);
  }
  void answer(size_t process) { processes.at(process).on_started(netns::Started{process + 1, 1, {}}); }
  // Commands in containers: they run until the test says how they end.
  void exec_in(netns::ProcessId container, const netns::ContainerSpec& spec, const netns::Stdio& stdio, std::function<void(base::Result<netns::Started>)> on_started,
               std::function<void(netns::ExitInfo)> on_exit) override {
    if (!spec.argv.empty() && spec.argv[0] == "nosuch") {
      on_started(base::Error(base::Code::kInternal, "exec: \"nosuch\": executable file not found in $PATH"));
      return;
    }
    execs.push_back({spec, base::Fd(), copy(stdio.out), copy(stdio.err), nullptr, std::move(on_exit), {}, true});
    exec_containers.push_back(container);
    on_started(netns::Started{kFirstExec + execs.size() - 1, 1, {}});
  }
  void signal(netns::ProcessId id, int number) override { (id >= kFirstExec ? execs.at(id - kFirstExec) : processes.at(id - 1)).signals.push_back(number); }
  base::Result<base::Fd> open_namespace(netns::ProcessId, const std::string&) override { abort(); }

  static constexpr netns::ProcessId kFirstExec = 1000;
  std::vector<FakeProcess> processes;
  std::vector<FakeProcess> execs;
  std::vector<netns::ProcessId> exec_containers;
  bool hold = false;

 private:
  static base::Fd copy(int fd) { return fd < 0 ? base::Fd() : base::Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }
};

struct AgentTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    ASSERT_NE(::mkdtemp(dir.data()), nullptr);
    // Of the service account controller, which is not here.
    apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: kube-root-ca.crt}, data: {ca.crt: CA}}");
    start_agent();
  }
  void TearDown() override {
    agent.reset();
    WorldTest::TearDown();
    std::filesystem::remove_all(dir);
  }
  void start_agent() {
    NodeAgentOptions agent_options;
    agent_options.run_dir = dir;
    agent_options.dns_address = base::Ip::v4(10, 96, 0, 10);
    agent_options.cluster_domain = "cluster.local";
    agent = make_node_agent(*loop, fabric, spawner, io, agent_options);
    idle();
  }
  // As after a restart of kubelan: nothing runs, the store is as it was.
  void restart() {
    agent.reset();
    spawner.processes.clear();
    fabric.node.held.clear();
    loop = ControlLoop::make(api->client(), time);
    start_agent();
  }
  void run_pod(const std::string& name, const std::string& spec, const std::string& metadata = "") {
    apply("apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + metadata + "}\nspec: " + spec + "\n");
    ASSERT_TRUE(api->client().bind("default", name, "node-1").ok());
    idle();
  }
  void write(size_t process, const std::string& text) { ASSERT_TRUE(base::write_all(spawner.processes.at(process).out.get(), text.data(), text.size()).ok()); }
  void exit(size_t process, int code) {
    FakeProcess& p = spawner.processes.at(process);
    p.running = false;
    for (base::Fd* fd : {&p.in, &p.out, &p.err}) fd->reset();
    settle_io();
    auto on_exit = p.on_exit;
    on_exit({code, 0});
    idle();
  }
  // The last command that was started in a container ends.
  void end_exec(int code, const std::string& output = "") {
    ASSERT_FALSE(spawner.execs.empty());
    FakeProcess& p = spawner.execs.back();
    ASSERT_TRUE(p.running);
    ASSERT_TRUE(base::write_all(p.out.get(), output.data(), output.size()).ok());
    p.running = false;
    p.out.reset(), p.err.reset();
    auto on_exit = p.on_exit;
    on_exit({code, 0});
    settle_io();
    idle();
  }
  // Until the io loop has read to the end what is closed: a round to make its watches, one to poll them, one to be sure.
  void settle_io() {
    for (int round = 0; round < 4; ++round) {
      std::promise<void> done;
      io.post([&done] { done.set_value(); });
      done.get_future().wait();
    }
  }
  json pod_json(const std::string& name) { return get("/api/v1/namespaces/default/pods/" + name); }
  json container_json(const std::string& name, size_t i = 0) { return pod_json(name)["status"]["containerStatuses"][i]; }
  std::string pod_dir(const std::string& name) { return dir + "/pods/" + pod_json(name)["metadata"]["uid"].get<std::string>(); }
  // STATUS as kubectl prints it.
  std::string shown(const std::string& name) {
    Answer a = call("GET", "/api/v1/namespaces/default/pods/" + name, "", "", "application/json;as=Table;v=v1;g=meta.k8s.io");
    if (a.status != 200) return std::to_string(a.status);
    const json& cells = a.body["rows"][0]["cells"];
    std::string restarts = cells[3].is_string() ? cells[3].get<std::string>() : cells[3].dump();
    return cells[1].get<std::string>() + " " + cells[2].get<std::string>() + " " + restarts.substr(0, restarts.find(' '));
  }
  void remove_pod(const std::string& name, const std::string& body = "") { remove("/api/v1/namespaces/default/pods/" + name, body); }
  // "True", "False REASON: message", "" when there is none.
  std::string condition(const std::string& name, const std::string& type) {
    const json pod = pod_json(name);
    for (const json& c : store::get_array(pod, "status.conditions")) {
      if (c["type"] != type) continue;
      std::string reason = store::get_string(c, "reason"), message = store::get_string(c, "message");
      return c["status"].get<std::string>() + (reason.empty() ? "" : " " + reason) + (message.empty() ? "" : ": " + message);
    }
    return "";
  }
  // Output, or "!" and the error.
  std::string logs(const std::string& name, const LogOptions& log_options = {}) {
    settle_io();
    std::string out;
    base::Status status = agent->runtime().logs("default", name, log_options, [&](std::string_view text) { return out += text, true; });
    return status.ok() ? out : "!" + status.error().message;
  }
  // "reason fieldPath message" of every event, after they had time to be written.
  std::vector<std::string> events() {
    pass(seconds(2));
    std::vector<std::string> out;
    for (const json& e : items("/api/v1/namespaces/default/events")) out.push_back(e["reason"].get<std::string>() + " " + store::get_string(e, "involvedObject.fieldPath", "-") + " " + store::get_string(e, "message"));
    return out;
  }
  // How many times the store was written since `since`, of one kind.
  size_t writes(const std::string& storage, store::Revision since) {
    auto watched = store->watch({storage, "", since});
    EXPECT_TRUE(watched.ok());
    auto batch = (*watched)->next(milliseconds(0));
    return batch.ok() ? batch->size() : 0;
  }

  std::string dir = "/tmp/kubelan-agent-test-XXXXXX";
  FakeFabric fabric;
  FakeSpawner spawner;
  base::Loop io{"io"};
  std::unique_ptr<NodeAgent> agent;
};

}  // namespace server
