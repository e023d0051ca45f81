// CronJobs against the real API in memory, on a clock that the test moves.
#include "server/controllers/cron_job.h"
#include "tests/server/support/world.h"

namespace server {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr const char* kCronJobs = "/apis/batch/v1/namespaces/default/cronjobs/tick";
constexpr const char* kJobs = "/apis/batch/v1/namespaces/default/jobs";

std::string tick(const std::string& more = "", const std::string& schedule = "* * * * *") {
  return "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: tick}\nspec:\n  schedule: \"" + schedule + "\"\n" + more +
         "  jobTemplate:\n    metadata: {labels: {a: b}}\n    spec:\n      template:\n        spec: {restartPolicy: Never, containers: [{name: c, image: busybox:1}]}\n";
}

struct CronJobTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    controllers = make_controllers(*loop, {"CA"});
    time.advance(-std::chrono::hours(1));  // Objects are stamped by the machine's clock: the loop's is taken there by start().
    idle();
  }
  // From the beginning of the minute in which it was made.
  void start(const std::string& yaml) {
    apply(yaml);
    const auto made = *base::parse_rfc3339(get(kCronJobs)["metadata"]["creationTimestamp"].get<std::string>());
    pass(std::chrono::floor<std::chrono::milliseconds>(std::chrono::floor<minutes>(made) - time.wall()));
  }
  void expect_policy(const char* policy, size_t open, bool same) {
    start(tick("  concurrencyPolicy: " + std::string(policy) + "\n"));
    pass(seconds(61));
    ASSERT_EQ(items(kJobs).size(), 1u);
    const std::string first = items(kJobs)[0]["metadata"]["name"];
    pass(seconds(60));
    const auto jobs = items(kJobs);
    EXPECT_EQ(jobs.size(), open);
    EXPECT_EQ(jobs[0]["metadata"]["name"] == first, same);
  }
  void TearDown() override {
    controllers.clear();
    WorldTest::TearDown();
  }
  void finish(const json& job, const std::string& type) {
    const std::string now = base::render_rfc3339(time.wall());
    json conditions = json::array();
    for (const std::string& t : {std::string(type == "Complete" ? "SuccessCriteriaMet" : "FailureTarget"), type}) {
      conditions.push_back({{"type", t}, {"status", "True"}, {"reason", "R"}, {"lastTransitionTime", now}});
    }
    json status = {{"conditions", conditions}, {"startTime", now}};
    if (type == "Complete") status["completionTime"] = now;
    merge(std::string(kJobs) + "/" + job["metadata"]["name"].get<std::string>() + "/status", {{"status", status}});
  }
  std::vector<json> open_jobs() {
    std::vector<json> out;
    for (const json& job : items(kJobs)) {
      bool ended = false;
      const json conditions = store::get_array(job, "status.conditions");
      for (const json& c : conditions) ended = ended || c["type"] == "Complete" || c["type"] == "Failed";
      if (!ended) out.push_back(job);
    }
    return out;
  }
  json status() { return get(kCronJobs)["status"]; }
  std::vector<std::unique_ptr<Controller>> controllers;
};

TEST_F(CronJobTest, AJobAtEachTime) {
  start(tick());
  pass(seconds(61));
  auto jobs = items(kJobs);
  ASSERT_EQ(jobs.size(), 1u);
  const auto at = std::chrono::floor<minutes>(time.wall());
  EXPECT_EQ(jobs[0]["metadata"]["name"], "tick-" + std::to_string(at.time_since_epoch().count()));
  EXPECT_EQ(jobs[0]["metadata"]["labels"]["a"], "b");
  EXPECT_EQ(jobs[0]["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"], base::render_rfc3339(at));
  EXPECT_EQ(jobs[0]["metadata"]["ownerReferences"][0]["kind"], "CronJob");
  EXPECT_EQ(status()["active"][0]["name"], jobs[0]["metadata"]["name"]);
  EXPECT_EQ(status()["lastScheduleTime"], base::render_rfc3339(at));
  EXPECT_EQ(pods().size(), 1u);
  finish(jobs[0], "Complete");
  EXPECT_FALSE(status().contains("active"));
  EXPECT_TRUE(status().contains("lastSuccessfulTime"));
  pass(seconds(60));
  EXPECT_EQ(items(kJobs).size(), 2u);
}

TEST_F(CronJobTest, AllowRunsThemSideBySide) { expect_policy("Allow", 2, true); }
TEST_F(CronJobTest, ForbidKeepsTheFirst) { expect_policy("Forbid", 1, true); }
TEST_F(CronJobTest, ReplaceEndsTheFirst) { expect_policy("Replace", 1, false); }

TEST_F(CronJobTest, ForbidStartsTheMissedOneWhenTheOtherIsThrough) {
  start(tick("  concurrencyPolicy: Forbid\n"));
  pass(seconds(61));
  pass(seconds(90));
  ASSERT_EQ(items(kJobs).size(), 1u);
  finish(items(kJobs)[0], "Complete");
  EXPECT_EQ(open_jobs().size(), 1u);
}

TEST_F(CronJobTest, SuspendedMakesNothing) {
  start(tick("  suspend: true\n"));
  pass(minutes(5));
  EXPECT_TRUE(items(kJobs).empty());
}

TEST_F(CronJobTest, AScheduleThatNeverComesIsTold) {
  start(tick("", "59 23 31 2 *"));
  pass(minutes(5));
  EXPECT_TRUE(items(kJobs).empty());
  const auto events = items("/api/v1/namespaces/default/events");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]["reason"], "InvalidSchedule");
  EXPECT_EQ(events[0]["message"], "invalid schedule: 59 23 31 2 * : time difference between two schedules is less than 1 second");
}

TEST_F(CronJobTest, OnlyTheNewestOfMissedTimes) {
  start(tick("  suspend: true\n"));
  pass(minutes(10));
  merge(kCronJobs, {{"spec", {{"suspend", false}}}});
  EXPECT_EQ(items(kJobs).size(), 1u) << "one for ten minutes";
}

TEST_F(CronJobTest, NoneTooLate) {
  start(tick("  suspend: true\n  startingDeadlineSeconds: 20\n"));
  pass(seconds(10 * 60 + 30));
  merge(kCronJobs, {{"spec", {{"suspend", false}}}});
  EXPECT_TRUE(items(kJobs).empty()) << "half a minute late";
  pass(seconds(31));
  EXPECT_EQ(items(kJobs).size(), 1u);
}

TEST_F(CronJobTest, HistoryIsLimited) {
  start(tick("  successfulJobsHistoryLimit: 2\n  failedJobsHistoryLimit: 1\n"));
  for (int i = 0; i < 8; ++i) {
    pass(seconds(i == 0 ? 61 : 60));
    ASSERT_EQ(open_jobs().size(), 1u);
    finish(open_jobs()[0], i % 2 == 0 ? "Complete" : "Failed");
  }
  std::map<std::string, int> kept;
  for (const json& job : items(kJobs)) ++kept[job["status"]["conditions"][1]["type"].get<std::string>()];
  EXPECT_EQ(kept, (std::map<std::string, int>{{"Complete", 2}, {"Failed", 1}}));
}

TEST(CronDue, ManyMissedTimesAreTold) {
  json tree = json::parse(R"({"metadata":{"name":"t","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"schedule":"* * * * *"}})");
  const CronJob cron = project_cron_job(store::Object("cronjobs.batch", tree));
  struct Row {
    const char *now, *want, *next;
    bool many;
  };
  const Row rows[] = {{"2026-01-01T00:00:30Z", "", "2026-01-01T00:01:00Z", false},
                      {"2026-01-01T01:40:30Z", "2026-01-01T01:40:00Z", "2026-01-01T01:41:00Z", false},
                      {"2026-01-01T01:41:30Z", "2026-01-01T01:41:00Z", "2026-01-01T01:42:00Z", true},
                      {"2026-06-01T01:41:30Z", "2026-06-01T01:41:00Z", "2026-06-01T01:42:00Z", true}};
  for (const Row& row : rows) {
    const Due due = compute_due(cron, *base::parse_rfc3339(row.now));
    EXPECT_EQ(due.now ? base::render_rfc3339(*due.now) : "", row.want);
    EXPECT_EQ(due.next ? base::render_rfc3339(*due.next) : "", row.next);
    EXPECT_EQ(due.too_many_missed, row.many) << row.now;
  }
}

}  // namespace
}  // namespace server
