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
  static std::string slice_name(std::string text) {
    std::replace(text.begin(), text.end(), '/', '-');
    return text;
  }

  void open(const Step& step) {
    auto& socket = sockets_[step.words[1]];
    socket = std::make_unique<Asker>(world_.place(step.words[3]), step.words[2] == "udp" ? SOCK_DGRAM : SOCK_STREAM, parse_destination(step.words[4]), 5000);
    expect_answer(step, socket->greeting());
  }
  static void expect_answer(const Step& step, const std::string& answer) {
    EXPECT_EQ(answer.substr(0, answer.find(' ')), step.want[0]) << "line " << step.line << ": " << step.text;
  }

  // "p1*" as the pod tells it: with the address that it must have seen.
  std::string expected_answer(const std::string& want, const std::string& from) {
    const bool masqueraded = want.back() == '*';
    const std::string who = masqueraded ? want.substr(0, want.size() - 1) : want;
    const PodPlace* pod = find_pod(from);
    std::string seen = "172.30.0.2";
    if (pod) seen = pod->ip;
    if (from == "node-1") seen = "172.30.0.11";
    if (from == "node-2") seen = "172.30.0.12";
    if (masqueraded && !from.starts_with("node-")) seen = translating_node(pod);
    return who + " " + seen;
  }
  // Pods are translated by their own node; the client by the one its packets arrive at.
  std::string translating_node(const PodPlace* pod) const {
    if (pod) return pod->node == 1 ? "172.30.0.11" : "172.30.0.12";
    const std::string ip = to_.ip.text();
    const bool second = ip == "172.30.0.12" || base::Cidr::parse("172.30.255.128/25")->contains(to_.ip) || base::Cidr::parse("203.0.113.128/25")->contains(to_.ip);
    return second ? "172.30.0.12" : "172.30.0.11";
  }

  void flow(const Step& step) {
    size_t at = 1;
    int type = SOCK_STREAM;
    size_t bytes = 1;
    if (step.words[at] == "sctp") {
      if (const int probe = ::socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP); probe >= 0) ::close(probe);
      std::printf("line %d: no SCTP in this kernel's test, the tracer alone answers: %s\n", step.line, step.text.c_str());
      return;
    }
    if (step.words[at] == "udp") type = SOCK_DGRAM, ++at;
    if (step.words[at] == "big") bytes = 2000, ++at;
    const std::string from = step.words[at];
    to_ = parse_destination(step.words[at + 1]);
    std::vector<std::string> want = step.want;
    const bool sticky = want[0] == "sticky";
    if (sticky) want.erase(want.begin());
    if (want[0] == "PASS") want.erase(want.begin());
    const std::string where = "line " + std::to_string(step.line) + ": " + step.text;
    if (want.empty()) return;  // Somebody else's address: nothing to see here.
    if (want[0] == "DROP" || want[0] == "REJECT" || want[0] == "REFUSED") {
      const bool silence = want[0] == "DROP";
      Asker asker(world_.place(from), type, to_, silence ? 120 : 5000);
      EXPECT_EQ(asker.greeting(), silence ? "silence" : "refused") << where;
      return;
    }
    std::map<std::string, int> expected, got;
    for (const std::string& pod : want) expected[expected_answer(pod, from)] = 2;
    for (size_t i = 0; i < 2 * want.size(); ++i) ++got[Asker(world_.place(from), type, to_, 5000, bytes).greeting()];
    if (!sticky) {
      EXPECT_EQ(got, expected) << where;
      return;
    }
    ASSERT_EQ(got.size(), 1u) << where;
    EXPECT_TRUE(expected.contains(got.begin()->first)) << where << "\n got " << got.begin()->first;
  }

  World world_;
  Destination to_;
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
