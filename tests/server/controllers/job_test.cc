// Jobs against the real API in memory: pods end when the test says so, and are counted once.
#include "server/controllers/controllers.h"
#include "server/controllers/job_steps.h"
#include "tests/server/controllers/controllers_world.h"

namespace server {
namespace {

constexpr const char* kJobPath = "/apis/batch/v1/namespaces/default/jobs/pi";

std::string pi(const std::string& more = "", const std::string& restart = "Never") {
  return "apiVersion: batch/v1\nkind: Job\nmetadata: {name: pi}\nspec:\n" + more + "  template:\n    spec:\n      restartPolicy: " + restart +
         "\n      containers: [{name: c, image: busybox:1}]\n";
}

TEST(Indexes, Text) {
  const std::pair<const char*, const char*> rows[] = {{"", ""}, {"0", "0"}, {"0,1", "0,1"}, {"0-2", "0-2"}, {"0,2-4,7", "0,2-4,7"}, {"3-12", "3-9"}, {"x", ""}, {"1-", ""}};
  for (const auto& [text, want] : rows) EXPECT_EQ(render_indexes(parse_indexes(text, 10)), want) << text;
}

struct JobTest : ControllersTest {
  std::vector<json> running() {
    std::vector<json> out;
    for (const json& pod : pods()) {
      const std::string phase = store::get_string(pod, "status.phase");
      if (phase != "Succeeded" && phase != "Failed" && !pod["metadata"].contains("deletionTimestamp")) out.push_back(pod);
    }
    return out;
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const json& pod : running()) out.push_back(pod["metadata"]["name"]);
    return out;
  }
  // What a node agent would report at the end.
  void end(const std::string& pod, int code) {
    json terminated = {{"exitCode", code}, {"reason", code == 0 ? "Completed" : "Error"}, {"finishedAt", base::render_rfc3339(time.wall())}};
    json container = {{"name", "c"}, {"image", "busybox:1"}, {"imageID", ""}, {"ready", false}, {"restartCount", 0}, {"state", {{"terminated", terminated}}}};
    merge("/api/v1/namespaces/default/pods/" + pod + "/status", {{"status", {{"phase", code == 0 ? "Succeeded" : "Failed"}, {"containerStatuses", {container}}}}});
  }
  void end_one(int code) {
    const auto all = names();
    ASSERT_FALSE(all.empty());
    end(all[0], code);
  }
  json status() { return get(kJobPath)["status"]; }
  // "SuccessCriteriaMet=CompletionsReached Complete=CompletionsReached"
  std::string conditions() {
    std::string out;
    const json s = status();
    for (const json& c : store::get_array(s, "conditions")) {
      if (c["status"] == "True") out += (out.empty() ? "" : " ") + c["type"].get<std::string>() + "=" + c["reason"].get<std::string>();
    }
    return out;
  }
};

TEST_F(JobTest, RunsOnceAndIsComplete) {
  apply(pi());
  ASSERT_EQ(running().size(), 1u);
  const json pod = running()[0];
  EXPECT_EQ(pod["metadata"]["finalizers"], json::parse(R"(["batch.kubernetes.io/job-tracking"])"));
  EXPECT_EQ(pod["metadata"]["labels"]["job-name"], "pi");
  EXPECT_EQ(status()["active"], 1);
  EXPECT_EQ(status()["ready"], 0);
  EXPECT_TRUE(status().contains("startTime"));
  make_all_ready();
  EXPECT_EQ(status()["ready"], 1);
  end_one(0);
  const json s = status();
  EXPECT_EQ(s["succeeded"], 1);
  EXPECT_EQ(s["ready"], 0);
  EXPECT_FALSE(s.contains("active"));
  EXPECT_EQ(s["uncountedTerminatedPods"], json::object());
  EXPECT_TRUE(s.contains("completionTime"));
  EXPECT_EQ(conditions(), "SuccessCriteriaMet=CompletionsReached Complete=CompletionsReached");
  ASSERT_EQ(pods().size(), 1u) << "kept for its log";
  EXPECT_FALSE(pods()[0]["metadata"].contains("finalizers"));
}

TEST_F(JobTest, CompletionsAndParallelism) {
  apply(pi("  completions: 5\n  parallelism: 2\n"));
  for (int done = 0; done < 5; ++done) {
    EXPECT_EQ(running().size(), static_cast<size_t>(std::min(2, 5 - done)));
    EXPECT_EQ(store::get_int(status(), "succeeded"), done);
    end_one(0);
  }
  EXPECT_EQ(conditions(), "SuccessCriteriaMet=CompletionsReached Complete=CompletionsReached");
  EXPECT_EQ(pods().size(), 5u);
}

TEST_F(JobTest, AWorkQueueEndsWithItsLastPodAfterASuccess) {
  apply(pi("  parallelism: 3\n"));
  EXPECT_EQ(running().size(), 3u);
  end_one(0);
  EXPECT_EQ(running().size(), 2u) << "no new ones";
  end_one(0);
  EXPECT_EQ(conditions(), "");
  end_one(1);
  EXPECT_EQ(conditions(), "SuccessCriteriaMet=CompletionsReached Complete=CompletionsReached");
}

TEST_F(JobTest, FailuresWaitAndAreTooManyInTheEnd) {
  apply(pi("  backoffLimit: 2\n"));
  end_one(1);
  EXPECT_TRUE(running().empty()) << "the next waits";
  pass(std::chrono::seconds(11));
  end_one(1);
  pass(std::chrono::seconds(11));
  EXPECT_TRUE(running().empty()) << "twice as long";
  pass(std::chrono::seconds(10));
  end_one(1);
  EXPECT_EQ(status()["failed"], 3);
  EXPECT_EQ(conditions(), "FailureTarget=BackoffLimitExceeded Failed=BackoffLimitExceeded");
  EXPECT_FALSE(status().contains("completionTime"));
}

TEST_F(JobTest, APodIsCountedOnceThoughItVanishes) {
  apply(pi("  completions: 2\n  parallelism: 1\n"));
  const std::string name = names()[0];
  end(name, 0);
  remove("/api/v1/namespaces/default/pods/" + name);
  EXPECT_EQ(status()["succeeded"], 1);
  remove("/api/v1/namespaces/default/pods/" + names()[0]);
  EXPECT_EQ(status()["failed"], 1) << "deleted while it ran";
  EXPECT_EQ(status()["succeeded"], 1);
}

TEST_F(JobTest, Indexed) {
  apply(pi("  completionMode: Indexed\n  completions: 4\n  parallelism: 2\n"));
  auto index_of = [](const json& pod) { return pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"].get<std::string>(); };
  auto now = running();
  ASSERT_EQ(now.size(), 2u);
  EXPECT_EQ(index_of(now[0]) + index_of(now[1]), "01");
  EXPECT_EQ(now[0]["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"], "0");
  EXPECT_EQ(now[0]["spec"]["hostname"], "pi-0");
  EXPECT_EQ(now[0]["metadata"]["name"].get<std::string>().rfind("pi-0-", 0), 0u);
  EXPECT_EQ(now[0]["spec"]["containers"][0]["env"][0]["name"], "JOB_COMPLETION_INDEX");
  end(now[0]["metadata"]["name"], 0);
  end(now[1]["metadata"]["name"], 0);
  EXPECT_EQ(status()["completedIndexes"], "0,1");
  end_one(0);
  EXPECT_EQ(status()["completedIndexes"], "0-2");
  end_one(0);
  EXPECT_EQ(status()["completedIndexes"], "0-3");
  EXPECT_EQ(conditions(), "SuccessCriteriaMet=CompletionsReached Complete=CompletionsReached");
}

TEST_F(JobTest, FailedIndexesDoNotStopTheOthers) {
  apply(pi("  completionMode: Indexed\n  completions: 3\n  parallelism: 3\n  backoffLimitPerIndex: 1\n"));
  end(names()[1], 1);
  pass(std::chrono::seconds(11));
  ASSERT_EQ(running().size(), 3u);
  EXPECT_EQ(running()[1]["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"], "1");
  end(names()[1], 1);
  EXPECT_EQ(status()["failedIndexes"], "1");
  end_one(0);
  end_one(0);
  EXPECT_EQ(status()["completedIndexes"], "0,2");
  EXPECT_EQ(conditions(), "FailureTarget=FailedIndexes Failed=FailedIndexes");
}

TEST_F(JobTest, ASuccessPolicyEndsItEarly) {
  apply(pi("  completionMode: Indexed\n  completions: 3\n  parallelism: 3\n  successPolicy: {rules: [{succeededIndexes: \"0\"}]}\n"));
  end(names()[1], 0);
  EXPECT_EQ(conditions(), "");
  end(names()[0], 0);
  EXPECT_EQ(conditions(), "SuccessCriteriaMet=SuccessPolicy Complete=SuccessPolicy");
  EXPECT_TRUE(running().empty()) << "the rest is ended";
}

TEST_F(JobTest, FailurePolicy) {
  apply(pi("  backoffLimit: 0\n  podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {operator: In, values: [7]}}, {action: FailJob, onExitCodes: {containerName: c, "
           "operator: In, values: [42]}}]}\n"));
  end_one(7);
  EXPECT_EQ(store::get_int(status(), "failed"), 0);
  EXPECT_EQ(conditions(), "");
  pass(std::chrono::seconds(11));
  const std::string name = names()[0];
  end(name, 42);
  EXPECT_EQ(conditions(), "FailureTarget=PodFailurePolicy Failed=PodFailurePolicy");
  EXPECT_EQ(status()["conditions"][0]["message"], "Container c for pod default/" + name + " failed with exit code 42 matching FailJob rule at index 1");
}

TEST_F(JobTest, DeadlineEndsIt) {
  apply(pi("  activeDeadlineSeconds: 30\n  parallelism: 2\n  completions: 2\n"));
  pass(std::chrono::seconds(29));
  EXPECT_EQ(running().size(), 2u);
  pass(std::chrono::seconds(3));
  EXPECT_EQ(conditions(), "FailureTarget=DeadlineExceeded Failed=DeadlineExceeded");
  EXPECT_TRUE(running().empty());
  EXPECT_EQ(status()["failed"], 2);
}

TEST_F(JobTest, SuspendEndsPodsAndResumeMakesNewOnes) {
  apply(pi("  suspend: true\n"));
  EXPECT_TRUE(running().empty());
  EXPECT_EQ(conditions(), "Suspended=JobSuspended");
  EXPECT_FALSE(status().contains("startTime"));
  merge(kJobPath, {{"spec", {{"suspend", false}}}});
  EXPECT_EQ(running().size(), 1u);
  EXPECT_EQ(conditions(), "");
  EXPECT_TRUE(status().contains("startTime"));
  merge(kJobPath, {{"spec", {{"suspend", true}}}});
  EXPECT_TRUE(running().empty());
}

TEST_F(JobTest, TimeToLiveDeletesItWithItsPods) {
  apply(pi("  ttlSecondsAfterFinished: 60\n"));
  end_one(0);
  pass(std::chrono::seconds(50));
  EXPECT_EQ(call("GET", kJobPath).status, 200);
  pass(std::chrono::seconds(12));
  EXPECT_EQ(call("GET", kJobPath).status, 404);
  EXPECT_TRUE(pods().empty());
}

TEST_F(JobTest, PodsOfADeletedJobAreLetGo) {
  apply(pi("  parallelism: 2\n  completions: 2\n"));
  remove(kJobPath, R"({"propagationPolicy":"Background"})");
  EXPECT_TRUE(pods().empty());
  apply(pi());
  remove(kJobPath, R"({"propagationPolicy":"Orphan"})");
  ASSERT_EQ(pods().size(), 1u);
  EXPECT_FALSE(pods()[0]["metadata"].contains("finalizers"));
}

TEST_F(JobTest, PodsStayWhenTheClientDoesNotSay) {
  apply(pi());
  Answer gone = call("DELETE", kJobPath);
  EXPECT_EQ(gone.status, 200);
  EXPECT_NE(gone.header("Warning").find("child pods are preserved by default when jobs are deleted"), std::string::npos) << gone.header("Warning");
  idle();
  EXPECT_EQ(call("GET", kJobPath).status, 404);
  ASSERT_EQ(pods().size(), 1u);
  EXPECT_FALSE(pods()[0]["metadata"].contains("ownerReferences"));
  EXPECT_FALSE(pods()[0]["metadata"].contains("finalizers"));
}

TEST_F(JobTest, RestartsOfContainersCountAsFailures) {
  apply(pi("  backoffLimit: 2\n", "OnFailure"));
  auto restarts = [this](int n) {
    json container = {{"name", "c"}, {"image", "busybox:1"}, {"imageID", ""}, {"ready", false}, {"restartCount", n}, {"state", {{"waiting", {{"reason", "CrashLoopBackOff"}}}}}};
    merge("/api/v1/namespaces/default/pods/" + names()[0] + "/status", {{"status", {{"phase", "Running"}, {"containerStatuses", {container}}}}});
  };
  restarts(1);
  EXPECT_EQ(conditions(), "");
  restarts(2);
  EXPECT_EQ(conditions(), "FailureTarget=BackoffLimitExceeded Failed=BackoffLimitExceeded");
}

TEST_F(JobTest, FewWrites) {
  apply(pi());
  make_all_ready();
  const auto before = std::stoll(get("/api/v1/namespaces/default/pods")["metadata"]["resourceVersion"].get<std::string>());
  end_one(0);
  const auto after = std::stoll(get("/api/v1/namespaces/default/pods")["metadata"]["resourceVersion"].get<std::string>());
  // The pod's end, on record, finalizer off, counted; and the Event.
  EXPECT_LE(after - before, 5);
}

}  // namespace
}  // namespace server
