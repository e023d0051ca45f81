#include "server/node_agent/probe_spec.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/node_agent/http_reply.h"

namespace {

using namespace server;
using nlohmann::json;
using Result = Outcome::Result;

TEST(ProbeSpec, defaults_and_ports) {
  const json container = json::parse(R"({"ports":[{"name":"web","containerPort":8080}],
    "readinessProbe":{"httpGet":{"port":"web"}},"livenessProbe":{"tcpSocket":{"port":81},"periodSeconds":3,"failureThreshold":1,"terminationGracePeriodSeconds":2},
    "startupProbe":{"grpc":{"port":9000,"service":"s"}},"lifecycle":{"preStop":{"exec":{"command":["a","b"]}},"postStart":{"httpGet":{"port":"none"}},"stopSignal":"SIGUSR1"}})");
  const ProbePlans plans = project_probes(container);
  ASSERT_TRUE(plans.readiness && plans.liveness && plans.startup);
  EXPECT_EQ(plans.readiness->action.port, 8080);
  EXPECT_EQ(plans.readiness->action.path, "/");
  EXPECT_EQ(plans.readiness->period.count(), 10);
  EXPECT_EQ(plans.readiness->timeout.count(), 1);
  EXPECT_EQ(plans.readiness->failure_threshold, 3);
  EXPECT_EQ(plans.readiness->grace, std::nullopt);
  EXPECT_EQ(plans.liveness->action.kind, Action::Kind::kTcp);
  EXPECT_EQ(plans.liveness->period.count(), 3);
  EXPECT_EQ(plans.liveness->grace, std::chrono::seconds(2));
  EXPECT_EQ(plans.startup->action.service, "s");
  EXPECT_EQ(plans.pre_stop.command, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(plans.post_start.port_problem, "strconv.Atoi: parsing \"none\": invalid syntax");
  EXPECT_EQ(plans.stop_signal, 10);
}

TEST(ProbeSpec, results_add_up) {
  struct Row {
    const char* name;
    int success, failure;
    const char* results;  // + success, w warning, - failure, ? error
    const char* want;     // p passed, f failed, . neither, one a result
  };
  const Row rows[] = {
      {"one success is enough", 1, 3, "+", "p"},
      {"three failures in a row", 1, 3, "---", "..f"},
      {"a success in between", 1, 3, "--+---", "..p..f"},
      {"two successes wanted", 2, 1, "-+++", "f.pp"},
      {"an error counts neither way", 1, 2, "-?-", "..f"},
      {"a warning passes", 1, 1, "w", "p"},
      {"failed goes on", 1, 1, "--", "ff"},
  };
  for (const Row& row : rows) {
    ProbePlan plan;
    plan.success_threshold = row.success;
    plan.failure_threshold = row.failure;
    ProbeTally tally;
    std::string got;
    for (const char* at = row.results; *at != 0; ++at) {
      const Result result = *at == '+' ? Result::kSuccess : *at == 'w' ? Result::kWarning : *at == '-' ? Result::kFailure : Result::kError;
      const ProbeTally::Verdict verdict = tally.count(plan, {result, ""});
      got += verdict == ProbeTally::Verdict::kPassed ? 'p' : verdict == ProbeTally::Verdict::kFailed ? 'f' : '.';
    }
    EXPECT_EQ(got, row.want) << row.name;
  }
}

TEST(ProbeSpec, events) {
  EXPECT_EQ(compile_probe_event(ProbeKind::kReadiness, {Result::kSuccess, ""}).reason, "");
  const ProbeEvent failed = compile_probe_event(ProbeKind::kLiveness, {Result::kFailure, "HTTP probe failed with statuscode: 500"});
  EXPECT_EQ(failed.reason, "Unhealthy");
  EXPECT_EQ(failed.message, "Liveness probe failed: HTTP probe failed with statuscode: 500");
  EXPECT_EQ(compile_probe_event(ProbeKind::kStartup, {Result::kWarning, "w"}).reason, "ProbeWarning");
  EXPECT_EQ(compile_probe_event(ProbeKind::kReadiness, {Result::kError, "e"}).message, "Readiness probe errored and resulted in unknown state: e");
}

TEST(ProbeHttp, replies_in_pieces_of_any_size) {
  struct Row {
    const char* name;
    std::string reply;
    bool ends;  // The peer closes then.
    HttpReply::State want;
    int status;
    const char* body;
  };
  using State = HttpReply::State;
  const Row rows[] = {
      {"with a length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, State::kDone, 200, "ok"},
      {"until the end", "HTTP/1.0 500 no\r\n\r\nsorry", true, State::kDone, 500, "sorry"},
      {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false, State::kDone, 200, "ok"},
      {"no body", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, State::kDone, 204, ""},
      {"not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", false, State::kBroken, 0, ""},
      {"closed too early", "HTTP/1.1 200 OK\r\n", true, State::kBroken, 0, ""},
  };
  for (const Row& row : rows) {
    for (size_t piece : {size_t{1}, size_t{7}, row.reply.size()}) {
      HttpReply reply;
      for (size_t at = 0; at < row.reply.size() && reply.state() != State::kDone && reply.state() != State::kBroken; at += piece) reply.feed(std::string_view(row.reply).substr(at, piece));
      if (row.ends) reply.end();
      EXPECT_EQ(reply.state(), row.want) << row.name << ", pieces of " << piece;
      if (row.want == State::kBroken) continue;
      EXPECT_EQ(reply.status(), row.status) << row.name;
      EXPECT_EQ(reply.body(), row.body) << row.name;
    }
  }
}

TEST(ProbeHttp, urls) {
  Action action;
  action.kind = Action::Kind::kHttp;
  action.port = 8080;
  action.path = "healthz?full=1";
  EXPECT_EQ(compile_probe_url(action, "10.244.1.2").text(), "http://10.244.1.2:8080/healthz?full=1");
  EXPECT_EQ(compile_probe_url(action, "fd00::1").authority(), "[fd00::1]:8080");
  const ProbeUrl base = compile_probe_url(action, "10.244.1.2");
  EXPECT_EQ(resolve_location(base, "/other").text(), "http://10.244.1.2:8080/other");
  EXPECT_EQ(resolve_location(base, "https://example.com/x").text(), "https://example.com/x");
}

}  // namespace
