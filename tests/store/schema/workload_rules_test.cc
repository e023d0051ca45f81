// StatefulSet, DaemonSet, Job, CronJob: what is filled in, and what validation says.
#include "tests/store/schema/rules_support.h"

namespace store {
namespace {

constexpr const char* kTemplate = R"("template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"nginx:1"}]}})";
std::string set_with(const std::string& more) { return R"({"spec":{"selector":{"matchLabels":{"a":"b"}},)" + std::string(kTemplate) + more + "}}"; }
std::string job_spec(const std::string& more, const std::string& restart = "Never") {
  return R"({"template":{"spec":{"restartPolicy":")" + restart + R"(","containers":[{"name":"c","image":"busybox:1"}]}})" + more + "}";
}
std::string job_with(const std::string& more, const std::string& restart = "Never") {
  return R"({"metadata":{"name":"j","uid":"u-1"},"spec":)" + job_spec(more, restart) + "}";
}
// As a client sends it that has read it before: with what the server gave it.
std::string job_again(const std::string& more) {
  return R"({"metadata":{"name":"j","uid":"u-1"},"spec":{"selector":{"matchLabels":{"batch.kubernetes.io/controller-uid":"u-1"}},"template":{"metadata":{"labels":{
      "batch.kubernetes.io/controller-uid":"u-1","batch.kubernetes.io/job-name":"j","controller-uid":"u-1","job-name":"j"}},
      "spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"busybox:1"}]}})" + more + "}}";
}
std::string cron_with(const std::string& more, const std::string& name = "c") {
  return R"({"metadata":{"name":")" + name + R"("},"spec":{"jobTemplate":{"spec":)" + job_spec("") + "}" + more + "}}";
}

struct Prepared {
  const char* name;
  const char* kind;
  std::string in;
  const char* pointer;
  const char* want;
};

TEST(PrepareWorkload, FillsWhatDependsOnOtherFields) {
  const Prepared rows[] = {
      {"stateful update", "StatefulSet", set_with(""), "/spec/updateStrategy", R"({"type":"RollingUpdate","rollingUpdate":{"partition":0}})"},
      {"stateful update, partition kept", "StatefulSet", set_with(R"(,"updateStrategy":{"rollingUpdate":{"partition":2}})"),
       "/spec/updateStrategy/rollingUpdate", R"({"partition":2})"},
      {"stateful update that says so", "StatefulSet", set_with(R"(,"updateStrategy":{"type":"RollingUpdate"})"), "/spec/updateStrategy", R"({"type":"RollingUpdate"})"},
      {"what waits for a feature goes", "StatefulSet", set_with(R"(,"updateStrategy":{"rollingUpdate":{"maxUnavailable":2}})"),
       "/spec/updateStrategy/rollingUpdate", R"({"partition":0})"},
      {"stateful update on delete", "StatefulSet", set_with(R"(,"updateStrategy":{"type":"OnDelete"})"), "/spec/updateStrategy", R"({"type":"OnDelete"})"},
      {"retention", "StatefulSet", set_with(""), "/spec/persistentVolumeClaimRetentionPolicy", R"({"whenDeleted":"Retain","whenScaled":"Retain"})"},
      {"claim templates say what they are", "StatefulSet",
       set_with(R"(,"volumeClaimTemplates":[{"metadata":{"name":"d"},"spec":{"accessModes":["ReadWriteOnce"]}}])"), "/spec/volumeClaimTemplates/0",
       R"({"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"d"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{},"volumeMode":"Filesystem"},
           "status":{"phase":"Pending"}})"},
      {"daemon update", "DaemonSet", set_with(""), "/spec/updateStrategy", R"({"type":"RollingUpdate","rollingUpdate":{"maxSurge":0,"maxUnavailable":1}})"},
      {"job runs once", "Job", job_with(""), "/spec/completions", "1"},
      {"a work queue's completions stay open", "Job", job_with(R"(,"parallelism":3)"), "/spec/completions", "null"},
      {"job limits", "Job", job_with(""), "/spec/backoffLimit", "6"},
      {"with a limit an index there is none for all", "Job", job_with(R"(,"backoffLimitPerIndex":1)"), "/spec/backoffLimit", "2147483647"},
      {"replacement", "Job", job_with(""), "/spec/podReplacementPolicy", R"("TerminatingOrFailed")"},
      {"replacement with a failure policy", "Job", job_with(R"(,"podFailurePolicy":{"rules":[]})"), "/spec/podReplacementPolicy", R"("Failed")"},
      {"selector", "Job", job_with(""), "/spec/selector", R"({"matchLabels":{"batch.kubernetes.io/controller-uid":"u-1"}})"},
      {"labels", "Job", job_with(""), "/spec/template/metadata/labels",
       R"({"batch.kubernetes.io/controller-uid":"u-1","batch.kubernetes.io/job-name":"j","controller-uid":"u-1","job-name":"j"})"},
      {"a selector of one's own", "Job", job_with(R"(,"manualSelector":true,"selector":{"matchLabels":{"x":"y"}})"), "/spec/selector", R"({"matchLabels":{"x":"y"}})"},
      {"changes of a daemon set's template", "DaemonSet", set_with(""), "/metadata/annotations", R"({"deprecated.daemonset.template.generation":"1"})"},
      {"a CronJob's template stays as written", "CronJob", cron_with(R"(,"schedule":"@hourly")"), "/spec/jobTemplate/spec/completions", "null"},
      {"but its pods are completed", "CronJob", cron_with(R"(,"schedule":"@hourly")"), "/spec/jobTemplate/spec/template/spec/dnsPolicy", R"("ClusterFirst")"},
      {"history", "CronJob", cron_with(R"(,"schedule":"@hourly")"), "/spec/successfulJobsHistoryLimit", "3"},
  };
  for (const Prepared& row : rows) {
    SCOPED_TRACE(row.name);
    const json tree = prepared(row.kind, row.in);
    const json::json_pointer at(row.pointer);
    EXPECT_EQ(tree.contains(at) ? tree[at] : json(), json::parse(row.want));
    json again = tree;
    find_prepare_hook(resource_of(row.kind).prepare_hook)(again);
    EXPECT_EQ(again, tree) << "not idempotent";
  }
}

TEST(AdmitWorkload, CountsChangesOfADaemonSetsTemplate) {
  const std::string kKey = "deprecated.daemonset.template.generation";
  const json first = prepared("DaemonSet", set_with(""));
  const json same = prepared("DaemonSet", set_with(R"(,"minReadySeconds":1)"), &first);
  EXPECT_EQ(same["metadata"]["annotations"][kKey], "1");
  json changed = first;
  changed["spec"]["template"]["metadata"]["labels"]["x"] = "y";
  changed["metadata"].erase("annotations");
  EXPECT_EQ(prepared("DaemonSet", changed.dump(), &first)["metadata"]["annotations"][kKey], "2");
}

struct Checked {
  const char* name;
  const char* kind;
  std::string in, old;
  std::vector<std::string> want;
};

TEST(ValidateWorkload, Sets) {
  const char* kForbidden =
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
      "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
  const Checked rows[] = {
      {"fine", "StatefulSet", set_with(R"(,"serviceName":"s")"), "", {}},
      {"claims may be mounted", "StatefulSet",
       R"({"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"nginx:1",
           "volumeMounts":[{"name":"d","mountPath":"/d"}]}]}},"volumeClaimTemplates":[{"metadata":{"name":"d"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":1}}}}]}})", "", {}},
      {"no labels of its own", "StatefulSet",
       R"({"spec":{"selector":{"matchLabels":{"a":"c"}},)" + std::string(kTemplate) + "}}", "",
       {R"(spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`)"}},
      {"on delete has no settings", "StatefulSet", set_with(R"(,"updateStrategy":{"type":"OnDelete","rollingUpdate":{"partition":1}})"), "",
       {R"(spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":1,"MaxUnavailable":null}: only allowed for updateStrategy 'RollingUpdate')"}},
      {"replicas may change", "StatefulSet", set_with(R"(,"replicas":5)"), set_with(""), {}},
      {"the service may not", "StatefulSet", set_with(R"(,"serviceName":"t")"), set_with(R"(,"serviceName":"s")"), {kForbidden}},
      {"a daemon set with both", "DaemonSet", set_with(R"(,"updateStrategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":"10%"}})"), "",
       {"spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"}},
      {"and with neither", "DaemonSet", set_with(R"(,"updateStrategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":0}})"), "",
       {"spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"}},
      {"surge alone", "DaemonSet", set_with(R"(,"updateStrategy":{"rollingUpdate":{"maxSurge":"50%","maxUnavailable":0}})"), "", {}},
      {"revision without data", "ControllerRevision", R"({"revision":1})", "", {"data: Required value: data is mandatory"}},
      {"revision changed", "ControllerRevision", R"({"revision":1,"data":{"a":1}})", R"({"revision":1,"data":{"a":2}})",
       {R"(data: Invalid value: {"a":1}: field is immutable)"}},
  };
  for (const Checked& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems(row.kind, row.in, row.old), row.want);
  }
}

TEST(ValidateWorkload, Batch) {
  const std::string s = "spec.successPolicy.rules";
  const Checked rows[] = {
      {"fine", "Job", job_with(""), "", {}},
      {"restarts", "Job", job_with("", "Always"), "", {R"(spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never")"}},
      {"indexed needs completions", "Job", job_with(R"(,"completionMode":"Indexed","parallelism":2)"), "",
       {"spec.completions: Required value: when completion mode is Indexed"}},
      {"completions stay", "Job", job_again(R"(,"completions":3)"), job_with(R"(,"completions":2)"), {"spec.completions: Invalid value: 3: field is immutable"}},
      {"those of indexes move with the pods at once", "Job", job_again(R"(,"completionMode":"Indexed","completions":3)"), job_with(R"(,"completionMode":"Indexed","completions":2)"),
       {"spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism"}},
      {"an elastic job's do not", "Job", job_again(R"(,"completionMode":"Indexed","completions":3,"parallelism":3)"),
       job_with(R"(,"completionMode":"Indexed","completions":2,"parallelism":2)"), {}},
      {"a failure policy wants pods that never restart", "Job",
       job_with(R"(,"podFailurePolicy":{"rules":[{"action":"FailJob","onExitCodes":{"operator":"In","values":[42]}}]})", "OnFailure"), "",
       {R"(spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified)"}},
      {"0 is no failure", "Job", job_with(R"(,"podFailurePolicy":{"rules":[{"action":"FailJob","onExitCodes":{"operator":"In","values":[0,1]}}]})"), "",
       {"spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator"}},
      {"a failed index needs a limit", "Job",
       job_with(R"(,"podFailurePolicy":{"rules":[{"action":"FailIndex","onPodConditions":[{"type":"DisruptionTarget"}]}]})"), "",
       {R"(spec.podFailurePolicy.rules[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set)"}},
      {"a mode that is none", "Job", job_with(R"(,"completionMode":"Some","podReplacementPolicy":"Now")"), "",
       {R"(spec.completionMode: Unsupported value: "Some": supported values: "NonIndexed", "Indexed")",
        R"(spec.podReplacementPolicy: Unsupported value: "Now": supported values: "Failed", "TerminatingOrFailed")"}},
      {"what asks for indexes", "Job", job_with(R"(,"backoffLimitPerIndex":1,"maxFailedIndexes":1,"successPolicy":{"rules":[{"succeededCount":1}]})"), "",
       {"spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode", "spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode",
        R"(spec.successPolicy: Invalid value: {"Rules":[{"SucceededIndexes":null,"SucceededCount":1}]}: requires indexed completion mode)"}},
      // Upstream falls over this one.
      {"a success policy without a number of indexes", "Job", job_with(R"(,"completionMode":"Indexed","parallelism":1,"maxFailedIndexes":1,"successPolicy":{"rules":[{"succeededCount":1}]})"),
       "", {"spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified", "spec.completions: Required value: when completion mode is Indexed"}},
      {"successes", "Job",
       job_with(R"(,"completionMode":"Indexed","completions":3,"successPolicy":{"rules":[{"succeededIndexes":"0-1,2","succeededCount":4},{"succeededIndexes":"1-3"},
                   {"succeededIndexes":"1,1"},{"succeededIndexes":"a"},{"succeededIndexes":"0-1-2"},{}]})"), "",
       {s + "[0].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of specified completions)",
        s + "[0].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of indexes in the specified succeededIndexes field)",
        s + R"([1].succeededIndexes: Invalid value: "1-3": error parsing succeededIndexes: too large index: "3")",
        s + R"([2].succeededIndexes: Invalid value: "1,1": error parsing succeededIndexes: non-increasing order, previous: 1, current: 1)",
        s + R"([3].succeededIndexes: Invalid value: "a": error parsing succeededIndexes: cannot convert string to integer for index: "a")",
        s + R"([4].succeededIndexes: Invalid value: "0-1-2": error parsing succeededIndexes: the fragment "0-1-2" violates the requirement that an index interval )"
            "can have at most two parts separated by '-'",
        s + "[5]: Required value: at least one of succeededCount or succeededIndexes must be specified"}},
      {"a rule of nothing", "Job", job_with(R"(,"podFailurePolicy":{"rules":[{}]})"), "",
       {R"(spec.podFailurePolicy.rules[0].action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"])",
        "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"}},
      {"whose job it is", "Job", job_with(R"(,"managedBy":"me")"), "", {R"(spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo"))"}},
      {"labels that are not the server's", "Job",
       R"({"metadata":{"name":"j","uid":"u-1"},"spec":{"template":{"metadata":{"labels":{"job-name":"k"}},"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"x"}]}}}})",
       "", {"spec.template.metadata.labels[job-name]: Invalid value: {\"batch.kubernetes.io/controller-uid\":\"u-1\",\"batch.kubernetes.io/job-name\":\"j\","
            "\"controller-uid\":\"u-1\",\"job-name\":\"k\"}: must be 'j'"}},
      {"an update without the selector, while the template may change", "Job", job_with(R"(,"suspend":true)"), job_with(R"(,"suspend":true)"),
       {"spec.selector: Required value", "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`",
        "spec.selector: Invalid value: null: field is immutable"}},
      {"cron, selector of its own", "CronJob",
       R"({"metadata":{"name":"c"},"spec":{"schedule":"@hourly","jobTemplate":{"spec":)" + job_spec(R"(,"manualSelector":true,"selector":{})") + "}}}", "",
       {"spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated",
        R"(spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false")"}},
      {"cron", "CronJob", cron_with(R"(,"schedule":"*/5 * * * *")"), "", {}},
      {"cron, bad schedule", "CronJob", cron_with(R"(,"schedule":"error")"), "",
       {R"(spec.schedule: Invalid value: "error": expected exactly 5 fields, found 1: [error])"}},
      {"cron, zone in the schedule", "CronJob", cron_with(R"(,"schedule":"TZ=UTC 0 * * * *")"), "",
       {R"(spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead)"}},
      {"cron, unknown zone", "CronJob", cron_with(R"(,"schedule":"0 * * * *","timeZone":"Nowhere/Land")"), "",
       {R"(spec.timeZone: Invalid value: "Nowhere/Land": unknown time zone Nowhere/Land)"}},
      {"cron, long name", "CronJob", cron_with(R"(,"schedule":"0 * * * *")", std::string(53, 'a')), "",
       {R"(metadata.name: Invalid value: ")" + std::string(53, 'a') + R"(": must be no more than 52 characters)"}},
  };
  for (const Checked& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems(row.kind, row.in, row.old), row.want);
  }
}

}  // namespace
}  // namespace store
