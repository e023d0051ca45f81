// behaviours.txt asked of the packet tracer; behaviours_kernel_test.cc asks the kernel.
#include "server/model/service_index.h"
#include "server/proxy/compile.h"
#include "server/proxy/tracer.h"
#include "tests/server/proxy/objects.h"
#include "tests/server/proxy/scenario.h"

namespace {

using namespace proxy_test;
using server::proxy::NodeView;
using server::proxy::Tracer;
using server::proxy::Verdict;

class TracerPlayer {
 public:
  explicit TracerPlayer(const Scenario& scenario) : options_(scenario_options(scenario)) {}

  void play(const Step& step) {
    const std::string& verb = step.words[0];
    if (verb == "service") put_service(step.words[1], object("services", "default", step.words[1], render_service(step)));
    if (verb == "slice") put_slice(slice_name(step.words[1]), object("endpointslices.discovery.k8s.io", "default", slice_name(step.words[1]), render_slice(step)));
    if (verb == "delete" && step.words[1] == "service") put_service(step.words[2], {});
    if (verb == "delete" && step.words[1] == "slice") put_slice(slice_name(step.words[2]), {});
    if (verb == "node") {
      auto labels = settings(step, 2);
      zones_[step.words[1]] = labels.contains("zone") ? labels["zone"] : "";
    }
    if (verb == "flow") flow(step);
  }

 private:
  void put_service(const std::string& name, const store::Object& after) {
    store::Object& known = objects_["service " + name];
    index_.change_service(known, after);
    known = after;
  }
  void put_slice(const std::string& name, const store::Object& after) {
    store::Object& known = objects_["slice " + name];
    index_.change_slice(known, after);
    known = after;
  }

  Tracer tracer_of(const std::string& node) {
    const base::Cidr pods(base::Ip::v4(10, 244, node == "node-1" ? 1 : 2, 0), 24);
    NodeView view{base::Family::kIpv4, pods, node, zones_[node], {}, {}};
    for (const std::string& ip : node_addresses(node)) view.addresses.push_back(base::Ip::parse(ip).value());
    view.node_port_ips = server::proxy::choose_node_port_ips(view.addresses, options_);
    Tracer tracer(view, options_);
    for (const auto& key : index_.keys()) {
      const server::model::Service* service = index_.find(key);
      if (service != nullptr) tracer.put(key, server::proxy::compile_service(*service, index_.slices(key), view, options_));
    }
    return tracer;
  }

  static std::vector<std::string> words_of(const server::proxy::Trace& trace) {
    if (trace.verdict == Verdict::kDrop) return {"DROP"};
    if (trace.verdict == Verdict::kRefuse) return {"REJECT"};
    std::vector<std::string> out;
    for (const server::proxy::Choice& choice : trace.choices) {
      std::string word = "?";
      for (const PodPlace& pod : kPods) {
        if (choice.backend.ip.text() == pod.ip) word = pod.name;
      }
      if (choice.backend.port != 8080) word += ":" + std::to_string(choice.backend.port);
      out.push_back(word + (choice.masqueraded ? "*" : ""));
    }
    return out;
  }

  void flow(const Step& step) {
    const FlowStep flow = parse_flow(step);
    const std::string node = deciding_node(flow.from, flow.to.ip);
    const base::Ip source = base::Ip::parse(source_seen(flow.from, flow.to.ip)).value();
    const server::proxy::Trace trace = tracer_of(node).trace({source, flow.to.ip, flow.protocol, flow.to.port, flow.from == node});
    const std::string where = "line " + std::to_string(step.line) + ": " + step.text + "\n" + render_trace(trace);
    EXPECT_EQ(trace.verdict == Verdict::kPass, flow.pass) << where;
    if (flow.pass) return;
    std::vector<std::string> got = words_of(trace), want = flow.want;
    std::sort(got.begin(), got.end());
    std::sort(want.begin(), want.end());
    if (flow.stays) {
      EXPECT_TRUE(std::includes(got.begin(), got.end(), want.begin(), want.end())) << where;
    } else {
      EXPECT_EQ(got, want) << where;
    }
    EXPECT_EQ(trace.sticky, flow.sticky) << where;
  }

  const server::ProxyOptions options_;
  server::model::ServiceIndex index_;
  std::map<std::string, store::Object> objects_;
  std::map<std::string, std::string> zones_;
};

class BehaviourTracer : public ::testing::TestWithParam<Scenario> {};

TEST_P(BehaviourTracer, is_as_the_table_says) {
  TracerPlayer player(GetParam());
  for (const Step& step : GetParam().steps) player.play(step);
}

INSTANTIATE_TEST_SUITE_P(Table, BehaviourTracer, ::testing::ValuesIn(load_scenarios()), [](const auto& row) { return row.param.test_name() + "_line_" + std::to_string(row.param.steps.front().line); });

TEST(Behaviours, are_all_in_the_documentation) {
  std::ifstream in(std::string(KUBELAN_SOURCE_DIR) + "/docs/services.md");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  for (const Scenario& scenario : load_scenarios()) EXPECT_NE(text.find("| " + scenario.name + " |"), std::string::npos) << scenario.name;
  for (int number = 1; number <= 100; ++number) {
    const std::string digits = std::to_string(number);
    const bool there = text.find("| " + digits + " |") != std::string::npos || text.find("| " + digits + ",") != std::string::npos ||
                       text.find(", " + digits + " |") != std::string::npos || text.find(", " + digits + ",") != std::string::npos;
    EXPECT_TRUE(there) << number;
  }
}

}  // namespace
