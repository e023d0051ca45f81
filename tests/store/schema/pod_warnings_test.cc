// What writes of pods and of kinds that make pods are warned of.
#include "store/schema/warnings.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>  // Lint: tests read trees.

#include "tests/store/schema/rules_support.h"

namespace store {
namespace {

using Warnings = std::vector<std::string>;

std::string warned_pod(const std::string& spec, const std::string& annotations = "") {
  return R"({"metadata":{"name":"p","annotations":{)" + annotations + R"(}},"spec":{"containers":[{"name":"a","image":"x"}])" + (spec.empty() ? "" : ",") + spec + "}}";
}
std::string warned_container(const std::string& fields) { return R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"a","image":"x",)" + fields + "}]}}"; }
std::string warned_volume(const std::string& source) { return warned_pod(R"("volumes":[{"name":"v",)" + source + "}]"); }

TEST(PodWarnings, AsUpstream) {
  struct Row {
    const char* name;
    std::string in;
    Warnings want;
  };
  const std::string c = "spec.containers[0].", term = "spec.affinity.nodeAffinity.";
  const Row rows[] = {
      {"nothing", warned_pod(""), {}},
      {"a name with dots", R"({"metadata":{"name":"a.b"},"spec":{"containers":[{"name":"a","image":"x"}]}})",
       {"metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]"}},
      {"an old label of nodes", warned_pod(R"("nodeSelector":{"beta.kubernetes.io/os":"linux"})"),
       {R"(spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead)"}},
      {"and in an expression",
       warned_pod(R"("affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"node-role.kubernetes.io/master","operator":"Exists"}]}]}}})"),
       {term + R"(requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: node-role.kubernetes.io/master is use "node-role.kubernetes.io/control-plane" instead)"}},
      {"spread of nothing", warned_pod(R"("topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"z","whenUnsatisfiable":"DoNotSchedule"}])"),
       {"spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod"}},
      {"near nothing", warned_pod(R"("affinity":{"podAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"podAffinityTerm":{"topologyKey":"z"}}]}})"),
       {"spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector: a null labelSelector results in matching no pod"}},
      {"an annotation of old", warned_pod("", R"("scheduler.alpha.kubernetes.io/critical-pod":"")"),
       {R"(metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "priorityClassName" field instead)"}},
      {"seccomp by annotation", warned_pod("", R"("seccomp.security.alpha.kubernetes.io/pod":"x","container.seccomp.security.alpha.kubernetes.io/a":"x")"),
       {R"(metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the "seccompProfile" field instead)",
        R"(metadata.annotations[container.seccomp.security.alpha.kubernetes.io/a]: non-functional in v1.27+; use the "seccompProfile" field instead)"}},
      {"volumes of old", warned_volume(R"("gitRepo":{"repository":"r"})"), {"spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+"}},
      {"files over each other", warned_volume(R"("configMap":{"name":"c","items":[{"key":"a","path":"p"},{"key":"b","path":"p/q"},{"key":"c","path":"pq"}]})"),
       {R"(volume "v" (ConfigMap "c"): overlapping paths: "p/q" with "p")"}},
      {"files of several sources", warned_volume(R"("projected":{"sources":[{"serviceAccountToken":{"path":"t"}},{"secret":{"name":"s","items":[{"key":"k","path":"t"}]}},{}]})"),
       {R"(volume "v" (Projected): overlapping paths: "t" (Secret "s") with "t" (ServiceAccountToken))", R"(volume "v" (Projected) has no sources provided)"}},
      {"the same twice", warned_pod(R"("hostAliases":[{"ip":"1.1.1.1"},{"ip":"1.1.1.1"}],"imagePullSecrets":[{"name":"s"},{"name":"s"},{}])"),
       {R"(spec.hostAliases[1].ip: duplicate ip "1.1.1.1")", R"(spec.imagePullSecrets[1].name: duplicate name "s")", R"(spec.imagePullSecrets[2].name: invalid empty name "")"}},
      {"part of a byte", warned_container(R"("resources":{"limits":{"memory":"1500m","cpu":"1500m"}})"),
       {c + R"(resources.limits[memory]: fractional byte value "1500m" is invalid, must be an integer)",
        c + R"(resources.requests[memory]: fractional byte value "1500m" is invalid, must be an integer)"}},
      {"a variable again", warned_container(R"("env":[{"name":"A","value":"1"},{"name":"A","value":"2"},{"name":"A","value":"$(A)3"}])"),
       {c + R"(env[1]: hides previous definition of "A", which may be dropped when using apply)"}},
      {"ports", warned_container(R"("ports":[{"containerPort":1},{"containerPort":1},{"containerPort":1,"hostPort":2},{"containerPort":1,"protocol":"UDP"},{"containerPort":3,"hostIP":"1.1.1.1"}])"),
       {c + "ports[1]: duplicate port definition with " + c + "ports[0]", c + "ports[2]: overlapping port definition with " + c + "ports[0]",
        c + "ports[2]: overlapping port definition with " + c + "ports[1]",
        c + "ports[4]: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:3 Protocol:TCP HostIP:1.1.1.1}"}},
      {"ports of one name", R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"a","image":"x","ports":[{"name":"w","containerPort":1}]},{"name":"b","image":"x","ports":[{"name":"w","containerPort":2}]}]}})",
       {R"(spec.containers[1].ports[0]: duplicate port name "w" with spec.containers[0].ports[0], services and probes that select ports by name will use spec.containers[0].ports[0])"}},
      {"less than no time", warned_pod(R"("terminationGracePeriodSeconds":-1)"), {"spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"}},
      {"an address in another spelling", warned_pod(R"("dnsConfig":{"nameservers":["fd00:0::1"]})"),
       {R"(spec.dnsConfig.nameservers[0]: IPv6 address "fd00:0::1" should be in RFC 5952 canonical format ("fd00::1"))"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(workload_warnings("pods", prepared("Pod", row.in), nullptr), row.want);
  }
}

TEST(WorkloadWarnings, ByKind) {
  const std::string kSecret = R"("imagePullSecrets":[{}],"containers":[{"name":"a","image":"x"}])";
  const std::string kTemplate = R"("template":{"metadata":{"labels":{"a":"b"}},"spec":{)" + kSecret + "}}";
  const std::string kEmpty = "spec.imagePullSecrets[0].name: invalid empty name \"\"";
  const std::string kNamed = "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]";
  const std::string kAnnotated = R"("template":{"metadata":{"annotations":{"container.apparmor.security.beta.kubernetes.io/a":"unconfined"}},"spec":{"containers":[{"name":"a","image":"x"}]}})";
  struct Row {
    const char* name;
    const char* kind;
    const char* storage;
    std::string in, old;
    Warnings want;
  };
  const Row rows[] = {
      {"pods are not warned of again", "Pod", "pods", R"({"metadata":{"name":"a.b"},"spec":{)" + kSecret + "}}", R"({"metadata":{"name":"a.b"},"spec":{)" + kSecret + "}}", {}},
      {"deployment", "Deployment", "deployments.apps", R"({"metadata":{"name":"a.b"},"spec":{)" + kTemplate + "}}", "", {kNamed, "spec.template." + kEmpty}},
      {"deployment, changed", "Deployment", "deployments.apps", R"({"metadata":{"name":"a.b"},"spec":{"replicas":2,)" + kTemplate + "}}",
       R"({"metadata":{"name":"a.b"},"spec":{)" + kTemplate + "}}", {"spec.template." + kEmpty}},
      {"deployment, as before", "Deployment", "deployments.apps", R"({"metadata":{"name":"a.b"},"spec":{)" + kTemplate + "}}", R"({"metadata":{"name":"a.b"},"spec":{)" + kTemplate + "}}", {}},
      {"daemon set, its template as before", "DaemonSet", "daemonsets.apps", R"({"spec":{"minReadySeconds":2,)" + kTemplate + "}}", R"({"spec":{)" + kTemplate + "}}", {}},
      {"cron job", "CronJob", "cronjobs.batch", R"({"metadata":{"name":"a"},"spec":{"jobTemplate":{"spec":{)" + kTemplate + "}}}}", "", {"spec.jobTemplate.spec.template." + kEmpty}},
      {"job with very many pods", "Job", "jobs.batch",
       R"({"metadata":{"name":"a"},"spec":{"completionMode":"Indexed","completions":100001,"parallelism":10001,"template":{}}})", "",
       {"spec: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big "
        "number of indexes fail"}},
      {"stateful set", "StatefulSet", "statefulsets.apps",
       R"({"spec":{"revisionHistoryLimit":-1,"volumeClaimTemplates":[{"spec":{"resources":{"requests":{"storage":"1m"}}}}],"template":{}}})", "",
       {R"(spec.volumeClaimTemplates[0].resources.requests[storage]: fractional byte value "1m" is invalid, must be an integer)",
        "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"}},
      {"a template's profiles", "ReplicaSet", "replicasets.apps", R"({"metadata":{"name":"a"},"spec":{)" + kAnnotated + "}}", "",
       {R"(spec.template.metadata.annotations[container.apparmor.security.beta.kubernetes.io/a]: deprecated since v1.30; use the "appArmorProfile" field instead)"}},
      {"other kinds", "ConfigMap", "configmaps", R"({"metadata":{"name":"a.b"}})", "", {}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const json old = row.old.empty() ? json() : prepared(row.kind, row.old);
    EXPECT_EQ(workload_warnings(row.storage, prepared(row.kind, row.in, row.old.empty() ? nullptr : &old), row.old.empty() ? nullptr : &old), row.want);
  }
}

}  // namespace
}  // namespace store
