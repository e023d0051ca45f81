// behaviours.txt under real packets. The tracer's half is behaviours_tracer_test.cc.
#include "tests/server/proxy/behaviour_world.h"

namespace {

using namespace proxy_test;

class Player {
 public:
  explicit Player(const Scenario& scenario) : world_(scenario_options(scenario)) {}

  void play(const Step& step) {
    const std::string& verb = step.words[0];
    if (verb == "service") world_.loop().put("services", "default", step.words[1], render_service(step));
    if (verb == "node") world_.loop().put("nodes", "", step.words[1], render_node(step.words[1], settings(step, 2)));
    if (verb == "slice") world_.loop().put("endpointslices.discovery.k8s.io", "default", slice_name(step.words[1]), render_slice(step));
    if (verb == "delete" && step.words[1] == "service") world_.loop().put("services", "default", step.words[2], nullptr);
    if (verb == "delete" && step.words[1] == "slice") world_.loop().put("endpointslices.discovery.k8s.io", "default", slice_name(step.words[2]), nullptr);
    if (verb != "flow" && verb != "open" && verb != "ask") return;
    world_.sync();
    if (verb == "flow") flow(step);
    if (verb == "open") open(step);
    if (verb == "ask") expect_answer(step, sockets_.at(step.words[1])->say());
  }

 private:
  void open(const Step& step) {
    auto& socket = sockets_[step.words[1]];
    socket = std::make_unique<Asker>(world_.place(step.words[3]), step.words[2] == "udp" ? SOCK_DGRAM : SOCK_STREAM, parse_destination(step.words[4]), 5000);
    expect_answer(step, socket->greeting());
  }
  static void expect_answer(const Step& step, const std::string& answer) {
    EXPECT_EQ(answer.substr(0, answer.find(' ')), step.want[0]) << "line " << step.line << ": " << step.text;
  }

  // "p1*" as the pod tells it: with the address that it must have seen.
  static std::string expected_answer(const std::string& want, const FlowStep& flow) {
    const bool masqueraded = want.back() == '*';
    const std::string seen = masqueraded ? address_of(deciding_node(flow.from, flow.to.ip)) : source_seen(flow.from, flow.to.ip);
    return (masqueraded ? want.substr(0, want.size() - 1) : want) + " " + seen;
  }

  void flow(const Step& step) {
    const FlowStep flow = parse_flow(step);
    if (flow.protocol == server::model::Protocol::kSctp) {
      std::printf("line %d: only the tracer answers for SCTP, the pods of this test do not speak it: %s\n", step.line, step.text.c_str());
      return;
    }
    const int type = flow.protocol == server::model::Protocol::kUdp ? SOCK_DGRAM : SOCK_STREAM;
    const std::string where = "line " + std::to_string(step.line) + ": " + step.text;
    if (flow.want.empty()) return;  // Somebody else's address: nothing to see here.
    if (flow.want[0] == "DROP" || flow.want[0] == "REJECT" || flow.want[0] == "REFUSED") {
      const bool silence = flow.want[0] == "DROP";
      Asker asker(world_.place(flow.from), type, flow.to, silence ? 120 : 5000);
      // A local sender's own datagram is refused by send() itself.
      const bool told_at_once = type == SOCK_DGRAM && flow.from.starts_with("node-");
      EXPECT_EQ(asker.greeting(), silence ? "silence" : told_at_once ? std::strerror(EPERM) : "refused") << where;
      return;
    }
    std::map<std::string, int> expected, got;
    for (const std::string& pod : flow.want) expected[expected_answer(pod, flow)] = 2;
    for (size_t i = 0; i < 2 * flow.want.size(); ++i) ++got[Asker(world_.place(flow.from), type, flow.to, 5000, flow.bytes).greeting()];
    if (!flow.sticky) {
      EXPECT_EQ(got, expected) << where;
      return;
    }
    ASSERT_EQ(got.size(), 1u) << where;
    EXPECT_TRUE(expected.contains(got.begin()->first)) << where << "\n got " << got.begin()->first;
  }

  World world_;
  std::map<std::string, std::unique_ptr<Asker>> sockets_;
};

class BehaviourKernel : public ::testing::TestWithParam<Scenario> {};

TEST_P(BehaviourKernel, is_as_the_table_says) {
  const Scenario& scenario = GetParam();
  netns_test::run_isolated([&] {
    Player player(scenario);
    for (const Step& step : scenario.steps) player.play(step);
  });
}

INSTANTIATE_TEST_SUITE_P(Table, BehaviourKernel, ::testing::ValuesIn(load_scenarios()), [](const auto& row) { return row.param.test_name() + "_line_" + std::to_string(row.param.steps.front().line); });

}  // namespace
