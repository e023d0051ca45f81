// A whole API in memory, a control loop driven by hand and a clock that stands still: what controllers live in.
#pragma once

#include "server/informer/control_loop.h"
#include "tests/server/api/fixture.h"

namespace server {

class FakeClock final : public base::Clock {
 public:
  base::WallTime wall() const override { return wall_; }
  base::MonoTime mono() const override { return mono_; }
  void advance(std::chrono::milliseconds by) {
    wall_ += by;
    mono_ += by;
  }

 private:
  base::WallTime wall_ = base::SystemClock().wall();
  base::MonoTime mono_ = base::SystemClock().mono();
};

struct WorldTest : ApiTest {
  void SetUp() override {
    ApiTest::SetUp();
    loop = ControlLoop::make(api->client(), time);
  }
  void TearDown() override {
    loop.reset();
    ApiTest::TearDown();
  }
  void idle() { loop->run_until_idle(); }
  void pass(std::chrono::milliseconds by) {
    time.advance(by);
    idle();
  }

  void apply(const std::string& yaml) {
    auto applied = api->apply_manifest(yaml, "default");
    ASSERT_TRUE(applied.ok()) << applied.error().message;
    idle();
  }
  json get(const std::string& path) { return call("GET", path).body; }
  std::vector<json> items(const std::string& path) { return call("GET", path).body["items"].get<std::vector<json>>(); }
  std::vector<json> pods(const std::string& selector = "") { return items("/api/v1/namespaces/default/pods" + (selector.empty() ? "" : "?labelSelector=" + selector)); }
  void merge(const std::string& path, const json& patch) {
    Answer a = call("PATCH", path, patch.dump(), "application/merge-patch+json");
    ASSERT_LT(a.status, 300) << a.text;
    idle();
  }
  void remove(const std::string& path, const std::string& body = "") {
    Answer a = call("DELETE", path, body);
    ASSERT_LT(a.status, 300) << a.text;
    idle();
  }
  // What a node agent would report.
  void make_ready(const std::string& pod, const std::string& ip, bool ready = true) {
    json condition = {{"type", "Ready"}, {"status", ready ? "True" : "False"}, {"lastTransitionTime", base::render_rfc3339(time.wall())}};
    json status = {{"phase", "Running"}, {"podIP", ip}, {"podIPs", {{{"ip", ip}}}}, {"conditions", {condition}}};
    merge("/api/v1/namespaces/default/pods/" + pod + "/status", {{"status", status}});
  }
  // Until a rollout stands still: every new pod becomes ready.
  void make_all_ready() {
    for (bool changed = true; changed;) {
      changed = false;
      for (const json& pod : pods()) {
        if (!store::get_string(pod, "status.podIP").empty()) continue;
        make_ready(store::get_string(pod, "metadata.name"), "10.244.1." + std::to_string(++last_ip));
        changed = true;
      }
    }
  }

  FakeClock time;
  std::unique_ptr<ControlLoop> loop;
  int last_ip = 1;
};

}  // namespace server
