// Defaults and checks that span fields: each row is an object, what prepare makes of it or what validation says.
#include "tests/store/schema/rules_support.h"

namespace store {
namespace {

std::string pod_with(const std::string& spec) { return R"({"spec":{"containers":[{"name":"a","image":"nginx"}],)" + spec + "}}"; }
std::string container_with(const std::string& fields) { return R"({"spec":{"containers":[{"name":"a","image":"nginx",)" + fields + "}]}}"; }

TEST(PreparePod, FillsWhatDependsOnOtherFields) {
  struct Row {
    const char* name;
    std::string in;
    const char* pointer;
    const char* want;
  };
  const Row rows[] = {
      {"no tag is pulled always", pod_with(R"("nodeName":"n")"), "/spec/containers/0/imagePullPolicy", R"("Always")"},
      {"latest is pulled always", container_with(R"("ports":[],"image":"r.example:5000/nginx:latest")"),
       "/spec/containers/0/imagePullPolicy", R"("Always")"},
      {"a registry's port is no tag", container_with(R"("ports":[],"image":"r.example:5000/nginx")"), "/spec/containers/0/imagePullPolicy",
       R"("Always")"},
      {"a tag is pulled once", container_with(R"("ports":[],"image":"nginx:1.25")"), "/spec/containers/0/imagePullPolicy",
       R"("IfNotPresent")"},
      {"a digest is pulled once", container_with(R"("ports":[],"image":"nginx@sha256:00")"), "/spec/containers/0/imagePullPolicy",
       R"("IfNotPresent")"},
      {"service account", pod_with(R"("nodeName":"n")"), "/spec/serviceAccountName", R"("default")"},
      {"its old name", pod_with(R"("serviceAccount":"robot")"), "/spec/serviceAccountName", R"("robot")"},
      {"and back", pod_with(R"("serviceAccountName":"robot")"), "/spec/serviceAccount", R"("robot")"},
      {"service links", pod_with(R"("nodeName":"n")"), "/spec/enableServiceLinks", "true"},
      {"service links switched off", pod_with(R"("enableServiceLinks":false)"), "/spec/enableServiceLinks", "false"},
      {"requests from limits", container_with(R"("resources":{"limits":{"cpu":1,"memory":"1Gi"},"requests":{"cpu":"500m"}})"),
       "/spec/containers/0/resources/requests", R"({"cpu":"500m","memory":"1Gi"})"},
      {"tolerations", pod_with(R"("nodeName":"n")"), "/spec/tolerations",
       R"([{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},
           {"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}])"},
      {"tolerations, all tolerated already", pod_with(R"("tolerations":[{"operator":"Exists"}])"), "/spec/tolerations",
       R"([{"operator":"Exists"}])"},
      {"phase", pod_with(R"("nodeName":"n")"), "/status/phase", R"("Pending")"},
      {"best effort", pod_with(R"("nodeName":"n")"), "/status/qosClass", R"("BestEffort")"},
      {"burstable", container_with(R"("resources":{"requests":{"cpu":"1"}})"), "/status/qosClass", R"("Burstable")"},
      {"guaranteed, in other units",
       container_with(R"("resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"1000m","memory":"1024Mi"}})"),
       "/status/qosClass", R"("Guaranteed")"},
      {"host network", pod_with(R"("hostNetwork":true,"initContainers":[{"name":"i","image":"x","ports":[{"containerPort":53}]}])"),
       "/spec/initContainers/0/ports/0/hostPort", "53"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    json tree = prepared("Pod", row.in);
    EXPECT_EQ(tree[json::json_pointer(row.pointer)], json::parse(row.want));
    json again = tree;
    find_prepare_hook("pod")(again);
    EXPECT_EQ(again, tree) << "not idempotent";
  }
}

TEST(ValidatePod, ProbesAndHooks) {
  struct Row {
    const char* name;
    std::string in;
    std::vector<std::string> want;
  };
  const std::string c = "spec.containers[0].";
  const Row rows[] = {
      {"fine", container_with(R"("readinessProbe":{"httpGet":{"port":"web"},"successThreshold":2},"livenessProbe":{"grpc":{"port":5}},"lifecycle":{"preStop":{"sleep":{"seconds":30}}})"), {}},
      {"no handler", container_with(R"("readinessProbe":{"periodSeconds":1})"), {c + "readinessProbe: Required value: must specify a handler type"}},
      {"two handlers",
       container_with(R"("livenessProbe":{"exec":{"command":["a"]},"tcpSocket":{"port":1}})"),
       {c + "livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"}},
      {"no command", container_with(R"("livenessProbe":{"exec":{}})"), {c + "livenessProbe.exec.command: Required value"}},
      {"liveness passes twice", container_with(R"("livenessProbe":{"exec":{"command":["a"]},"successThreshold":2})"), {c + "livenessProbe.successThreshold: Invalid value: 2: must be 1"}},
      {"startup passes twice", container_with(R"("startupProbe":{"exec":{"command":["a"]},"successThreshold":2})"), {c + "startupProbe.successThreshold: Invalid value: 2: must be 1"}},
      {"readiness has no grace",
       container_with(R"("readinessProbe":{"exec":{"command":["a"]},"terminationGracePeriodSeconds":1})"),
       {c + "readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set for readinessProbes"}},
      {"grace of nothing",
       container_with(R"("livenessProbe":{"exec":{"command":["a"]},"terminationGracePeriodSeconds":0})"),
       {c + "livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0"}},
      {"port", container_with(R"("livenessProbe":{"tcpSocket":{"port":70000}})"), {c + "livenessProbe.tcpSocket.port: Invalid value: 70000: must be between 1 and 65535, inclusive"}},
      {"port name", container_with(R"("livenessProbe":{"httpGet":{"port":"1-"}})"), {c + "livenessProbe.httpGet.port: Invalid value: \"1-\": must contain at least one letter (a-z)",
        c + "livenessProbe.httpGet.port: Invalid value: \"1-\": must not begin or end with a hyphen"}},
      {"header",
       container_with(R"("livenessProbe":{"httpGet":{"port":1,"httpHeaders":[{"name":"a b","value":""}]}})"),
       {c + "livenessProbe.httpGet.httpHeaders: Invalid value: \"a b\": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation "
            "is '[-A-Za-z0-9]+')"}},
      {"sleeps too long",
       container_with(R"("lifecycle":{"preStop":{"sleep":{"seconds":31}}})"),
       {c + "lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)"}},
      {"empty hook", container_with(R"("lifecycle":{"postStart":{}})"), {c + "lifecycle.postStart: Required value: must specify a handler type"}},
      {"init containers",
       pod_with(R"("initContainers":[{"name":"i","image":"x","lifecycle":{},"livenessProbe":{"exec":{"command":["a"]}}}])"),
       {"spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always",
        "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"}},
      {"host port in the node's network",
       R"({"spec":{"hostNetwork":true,"containers":[{"name":"a","image":"x","ports":[{"containerPort":1,"hostPort":2}]}]}})",
       {c + "ports[0].hostPort: Invalid value: 2: must match `containerPort` when `hostNetwork` is true"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems("Pod", row.in), row.want);
  }
}

TEST(ValidatePod, WordsProblemsAsUpstream) {
  const std::string label =
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric "
      "character "
      "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
  const std::string bad_ip = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
  struct Row {
    const char* name;
    std::string in;
    std::vector<std::string> want;
  };
  const Row rows[] = {
      {"fine", pod_with(R"("volumes":[{"name":"v","emptyDir":{}}],"hostname":"h","nodeSelector":{"a":"b"})"), {}},
      {"no spec", "{}", {"spec.containers: Required value"}},
      {"no containers", R"({"spec":{}})", {"spec.containers: Required value"}},
      {"no image", R"({"spec":{"containers":[{"name":"a"}]}})", {"spec.containers[0].image: Required value"}},
      {"bad name", R"({"spec":{"containers":[{"name":"A","image":"x"}]}})", {"spec.containers[0].name: Invalid value: \"A\": " + label}},
      {"same name twice",
       R"({"spec":{"containers":[{"name":"a","image":"x"}],"initContainers":[{"name":"a","image":"x"}]}})",
       {"spec.initContainers[0].name: Duplicate value: \"a\""}},
      {"port zero", container_with(R"("ports":[{"containerPort":0}])"), {"spec.containers[0].ports[0].containerPort: Required value"}},
      {"port too large",
       container_with(R"("ports":[{"containerPort":65536}])"),
       {"spec.containers[0].ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive"}},
      {"port name",
       container_with(R"("ports":[{"containerPort":1,"name":"a-very-long-port-name"}])"),
       {"spec.containers[0].ports[0].name: Invalid value: \"a-very-long-port-name\": must be no more than 15 characters"}},
      {"port name twice",
       container_with(R"("ports":[{"containerPort":1,"name":"p"},{"containerPort":2,"name":"p"}])"),
       {"spec.containers[0].ports[1].name: Duplicate value: \"p\""}},
      {"protocol",
       container_with(R"("ports":[{"containerPort":1,"protocol":"ICMP"}])"),
       {"spec.containers[0].ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\""}},
      {"env",
       container_with(R"("env":[{"name":"A=B","value":"x"},{"name":"C","valueFrom":{}}])"),
       {"spec.containers[0].env[0].name: Invalid value: \"A=B\": a valid environment variable name must consist only of printable ASCII "
        "characters other than '='",
        "spec.containers[0].env[1].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
        "`secretKeyRef` or `fileKeyRef`"}},
      {"mount of an unknown volume",
       container_with(R"("volumeMounts":[{"name":"v","mountPath":"/v"}])"),
       {"spec.containers[0].volumeMounts[0].name: Not found: \"v\""}},
      {"volume without source is an empty folder", pod_with(R"("volumes":[{"name":"v"}])"), {}},
      {"several things wrong with one name", container_with(R"("ports":[{"containerPort":1,"name":"-A-very-long-port-name-"}])"),
       {"spec.containers[0].ports[0].name: Invalid value: \"-A-very-long-port-name-\": must be no more than 15 characters",
        "spec.containers[0].ports[0].name: Invalid value: \"-A-very-long-port-name-\": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        "spec.containers[0].ports[0].name: Invalid value: \"-A-very-long-port-name-\": must not begin or end with a hyphen"}},
      {"volume with two",
       pod_with(R"("volumes":[{"name":"v","emptyDir":{},"hostPath":{"path":"/x"}}])"),
       {"spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"}},
      {"request above limit",
       container_with(R"("resources":{"limits":{"cpu":"1"},"requests":{"cpu":"1500m"}})"),
       {"spec.containers[0].resources.requests: Invalid value: \"1500m\": must be less than or equal to cpu limit of 1"}},
      {"DNS None without servers",
       pod_with(R"("dnsPolicy":"None","dnsConfig":{})"),
       {"spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None"}},
      {"name server",
       pod_with(R"("dnsConfig":{"nameservers":["dns"]})"),
       {"spec.dnsConfig.nameservers[0]: Invalid value: \"dns\": " + bad_ip}},
      {"host alias", pod_with(R"("hostAliases":[{"ip":"1.2.3"}])"), {"spec.hostAliases[0].ip: Invalid value: \"1.2.3\": " + bad_ip}},
      {"restart policy",
       pod_with(R"("restartPolicy":"No")"),
       {"spec.restartPolicy: Unsupported value: \"No\": supported values: \"Always\", \"OnFailure\", \"Never\""}},
      {"grace period",
       pod_with(R"("terminationGracePeriodSeconds":-1)"),
       {}},
      {"toleration",
       pod_with(R"("tolerations":[{"operator":"Equal"}])"),
       {"spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \"match all "
        "values and all keys\""}},
      {"node affinity",
       pod_with(
           R"("affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In"}]}]}}})"),
       {"spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: "
        "Required value: must be specified when `operator` is 'In' or 'NotIn'"}},
      {"ephemeral containers",
       pod_with(R"("ephemeralContainers":[{"name":"d","image":"x"}])"),
       {"spec.ephemeralContainers: Forbidden: cannot be set on create"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems("Pod", row.in), row.want);
  }
}

TEST(ValidatePod, LetsUpdatesChangeFewFields) {
  const std::string forbidden =
      "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
      "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
      "(allow it to be set to 1 if it was previously negative)";
  struct Row {
    const char* name;
    std::string before, after;
    std::vector<std::string> want;
  };
  const Row rows[] = {
      {"nothing", pod_with(R"("nodeName":"n")"), pod_with(R"("nodeName":"n")"), {}},
      {"image", container_with(R"("image":"a:1")"), container_with(R"("image":"a:2")"), {}},
      {"placing it on a node", pod_with(R"("hostname":"h")"), pod_with(R"("hostname":"h","nodeName":"n")"), {}},
      {"moving it", pod_with(R"("nodeName":"n")"), pod_with(R"("nodeName":"m")"), {forbidden}},
      {"environment", container_with(R"("env":[])"), container_with(R"("env":[{"name":"A"}])"), {forbidden}},
      {"another toleration",
       pod_with(R"("hostname":"h")"),
       pod_with(R"("hostname":"h","tolerations":[{"key":"k","operator":"Exists"}])"),
       {}},
      {"one toleration less", pod_with(R"("tolerations":[{"key":"k","operator":"Exists"}])"), pod_with(R"("tolerations":[])"), {"spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"}},
      {"another container",
       pod_with(R"("hostname":"h")"),
       R"({"spec":{"containers":[{"name":"a","image":"nginx"},{"name":"b","image":"x"}]}})",
       {"spec.containers: Forbidden: pod updates may not add or remove containers"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    std::vector<std::string> found = problems("Pod", with_account(row.after), row.before);
    for (std::string& problem : found) problem = problem.substr(0, problem.find('\n'));  // What follows is the difference.
    EXPECT_EQ(found, row.want);
  }
}

// Upstream shows the pod as its own types have it.
TEST(ValidatePod, ShowsWhatAnUpdateWouldChange) {
  const std::vector<std::string> found = problems("Pod", with_account(pod_with(R"("hostNetwork":true,"dnsPolicy":"Default")")), pod_with(R"("dnsPolicy":"None","dnsConfig":{"nameservers":["1.1.1.1"]})"));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].substr(found[0].find('\n') + 1),
            R"(@@ -38,13 +38,13 @@
  "RestartPolicy": "Always",
  "TerminationGracePeriodSeconds": 30,
  "ActiveDeadlineSeconds": null,
- "DNSPolicy": "None",
+ "DNSPolicy": "Default",
  "NodeSelector": null,
  "ServiceAccountName": "default",
  "AutomountServiceAccountToken": null,
  "NodeName": "",
  "SecurityContext": {
-  "HostNetwork": false,
+  "HostNetwork": true,
   "HostPID": false,
   "HostIPC": false,
   "ShareProcessNamespace": null,
@@ -89,13 +89,7 @@
  "PriorityClassName": "",
  "Priority": 0,
  "PreemptionPolicy": "PreemptLowerPriority",
- "DNSConfig": {
-  "Nameservers": [
-   "1.1.1.1"
-  ],
-  "Searches": null,
-  "Options": null
- },
+ "DNSConfig": null,
  "ReadinessGates": null,
  "RuntimeClassName": null,
  "Overhead": null,
)");
}

std::string workload(const std::string& spec, const std::string& labels = R"({"app":"web"})",
                     const std::string& pod = R"("containers":[{"name":"a","image":"nginx"}])") {
  return R"({"spec":{"selector":{"matchLabels":{"app":"web"}},)" + spec + R"("template":{"metadata":{"labels":)" + labels +
         R"(},"spec":{)" + pod + "}}}}";
}

TEST(Deployment, PreparesAndValidates) {
  EXPECT_EQ(prepared("Deployment", workload(""))["spec"]["strategy"],
            json::parse(R"({"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"}})"));
  EXPECT_EQ(prepared("Deployment", workload(R"("strategy":{"rollingUpdate":{"maxSurge":2}},)"))["spec"]["strategy"],
            json::parse(R"({"type":"RollingUpdate","rollingUpdate":{"maxSurge":2,"maxUnavailable":"25%"}})"));
  EXPECT_EQ(prepared("Deployment", workload(R"("strategy":{"type":"Recreate"},)"))["spec"]["strategy"],
            json::parse(R"({"type":"Recreate"})"));
  const json pod = prepared("Deployment", workload(""))["spec"]["template"]["spec"];
  EXPECT_EQ(pod["containers"][0]["imagePullPolicy"], "Always");
  EXPECT_FALSE(pod.contains("priority")) << "templates get no admission defaults";

  struct Row {
    const char* name;
    std::string in;
    std::vector<std::string> want;
  };
  const std::vector<std::string> nothing = {"spec.selector: Required value",
                                            "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`",
                                            "spec.template.spec.containers: Required value"};
  const Row rows[] = {
      {"fine", workload(R"("replicas":3,)"), {}},
      {"no spec", "{}", nothing},
      {"empty spec", R"({"spec":{}})", nothing},
      {"a selector that is none", R"({"spec":{"selector":{"matchLabels":{"a":"-"},"matchExpressions":[{"key":"b","operator":"Exists"}]},"template":{}}})",
       {"spec.selector.matchLabels: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
        "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
        "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        R"(spec.selector: Invalid value: {"matchLabels":{"a":"-"},"matchExpressions":[{"key":"b","operator":"Exists"}]}: invalid label selector)"}},
      {"strategy", workload(R"("strategy":{"type":"Slow","rollingUpdate":{"maxSurge":1}},)"),
       {R"(spec.strategy: Unsupported value: {"Type":"Slow","RollingUpdate":{"MaxUnavailable":"25%","MaxSurge":1}}: supported values: "Recreate", "RollingUpdate")"}},
      {"labels do not match",
       workload("", R"({"app":"x"})"),
       {"spec.template.metadata.labels: Invalid value: {\"app\":\"x\"}: `selector` does not match template `labels`"}},
      {"empty selector",
       R"({"spec":{"selector":{},"template":{"spec":{"containers":[{"name":"a","image":"x"}]}}}})",
       {"spec.selector: Invalid value: {}: empty selector is invalid for deployment"}},
      {"restart policy",
       workload("", R"({"app":"web"})", R"("containers":[{"name":"a","image":"x"}],"restartPolicy":"Never")"),
       {"spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""}},
      {"container in the template",
       workload("", R"({"app":"web"})", R"("containers":[{"name":"a"}])"),
       {"spec.template.spec.containers[0].image: Required value"}},
      {"both shares zero",
       workload(R"("strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":"0%"}},)"),
       {"spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0"}},
      {"not a percentage",
       workload(R"("strategy":{"rollingUpdate":{"maxSurge":"a lot"}},)"),
       {"spec.strategy.rollingUpdate.maxSurge: Invalid value: \"a lot\": a valid percent string must be a numeric string followed by an "
        "ending '%' (e.g. '1%',  or '93%', "
        "regex used for validation is '[0-9]+%')"}},
      {"deadline",
       workload(R"("progressDeadlineSeconds":5,"minReadySeconds":5,)"),
       {"spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds"}},
      {"replicas", workload(R"("replicas":-1,)"), {"spec.replicas: Invalid value: -1: must be greater than or equal to 0"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems("Deployment", row.in), row.want);
  }
  EXPECT_EQ(problems("ReplicaSet", workload("", R"({"app":"x"})")),
            std::vector<std::string>{
                "spec.template.metadata.labels: Invalid value: {\"app\":\"x\"}: `selector` does not match template `labels`"});
  EXPECT_EQ(problems("ReplicaSet", workload("")), std::vector<std::string>{});
}

TEST(ConfigKinds, PrepareAndValidate) {
  EXPECT_EQ(prepared("Namespace", R"({"metadata":{"name":"a"}})")["metadata"]["labels"]["kubernetes.io/metadata.name"], "a");
  EXPECT_EQ(prepared("Namespace", R"({"metadata":{"name":"a"}})")["spec"]["finalizers"], json::parse(R"(["kubernetes"])"));
  EXPECT_EQ(prepared("Namespace", R"({"metadata":{"name":"a"},"spec":{"finalizers":[]}})")["spec"]["finalizers"], json::parse(R"(["kubernetes"])"));
  EXPECT_FALSE(
      prepared("Namespace", R"({"metadata":{"name":"a","deletionTimestamp":"2026-01-01T00:00:00Z"}})")["spec"].contains("finalizers"));
  const json secret = prepared("Secret", R"({"data":{"a":"eA=="},"stringData":{"b":"hello","c":"hi","d":"abc","e":""}})");
  EXPECT_EQ(secret["data"], json::parse(R"({"a":"eA==","b":"aGVsbG8=","c":"aGk=","d":"YWJj","e":""})"));
  EXPECT_FALSE(secret.contains("stringData"));
  EXPECT_EQ(secret["type"], "Opaque");

  const std::string frozen = "Forbidden: field is immutable when `immutable` is set";
  struct Row {
    const char* name;
    const char* kind;
    const char *in, *old;
    std::vector<std::string> want;
  };
  const Row rows[] = {
      {"config map", "ConfigMap", R"({"data":{"a.b_c-d":"x"}})", "", {}},
      {"key",
       "ConfigMap",
       R"({"data":{"a b":"x"}})",
       "",
       {"data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  "
        "or 'KEY_NAME',  or 'key-name', "
        "regex used for validation is '[-._a-zA-Z0-9]+')"}},
      {"frozen", "ConfigMap", R"({"data":{"a":"2"},"immutable":true})", R"({"data":{"a":"1"},"immutable":true})", {"data: " + frozen}},
      {"thawed", "ConfigMap", R"({"data":{"a":"1"}})", R"({"data":{"a":"1"},"immutable":true})", {"immutable: " + frozen}},
      {"TLS secret", "Secret", R"({"type":"kubernetes.io/tls","data":{"tls.crt":""}})", "", {"data[tls.key]: Required value"}},
      {"event elsewhere",
       "Event",
       R"({"metadata":{"namespace":"a"},"involvedObject":{"namespace":"b"}})",
       "",
       {"involvedObject.namespace: Invalid value: \"b\": does not match event.namespace"}},
      {"event of a node", "Event", R"({"metadata":{"namespace":"default"},"involvedObject":{"kind":"Node"}})", "", {}},
      {"pod prefix of a node",
       "Node",
       R"({"spec":{"podCIDR":"10.244.0.0"}})",
       "",
       {"spec.podCIDRs[0]: Invalid value: \"10.244.0.0\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"}},
      {"endpoints",
       "Endpoints",
       R"({"subsets":[{"addresses":[{"ip":"x"}]},{}]})",
       "",
       {"subsets[0].addresses[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        "subsets[0].addresses[0].ip: Invalid value: \"x\": must be a valid IP address", "subsets[1]: Required value: must specify `addresses` or `notReadyAddresses`"}},
      {"endpoint slice",
       "EndpointSlice",
       R"({"addressType":"IPv4","endpoints":[{"addresses":["::1"]},{"addresses":[]}],"ports":[{"port":1},{"port":2}]})",
       "",
       {"ports[1].name: Duplicate value: \"\"", "endpoints[0].addresses: Invalid value: \"::1\": must be an IPv4 address",
        "endpoints[0].addresses[0]: Invalid value: \"::1\": may not be in the loopback range (127.0.0.0/8, ::1/128)",
        "endpoints[1].addresses: Required value: must contain at least 1 address"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems(row.kind, row.in, row.old), row.want);
  }
  const std::string big = json{{"data", {{"a", std::string(1024 * 1024 + 1, 'x')}}}}.dump();
  EXPECT_EQ(problems("ConfigMap", big), std::vector<std::string>{": Too long: may not be more than 1048576 bytes"});
}

TEST(ObjectMeta, ChecksNamesLabelsAndOwners) {
  struct Row {
    const char* name;
    const char* kind;
    const char* meta;
    std::vector<std::string> want;  // Field and the start of the message.
  };
  const Row rows[] = {
      {"fine", "Pod", R"({"name":"a.b-c","labels":{"x.example/y":"z"},"finalizers":["x.example/y"]})", {}},
      {"no name", "Pod", "{}", {"metadata.name: Required value: name or generateName is required"}},
      {"subdomain", "Pod", R"({"name":"A"})", {"metadata.name: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist"}},
      {"label", "Namespace", R"({"name":"A"})", {"metadata.name: Invalid value: \"A\": a lowercase RFC 1123 label must consist"}},
      {"label with dots", "Namespace", R"({"name":"a.b"})", {"metadata.name: Invalid value: \"a.b\": must not contain dots"}},
      {"a label", "Service", R"({"name":"1.a"})", {"metadata.name: Invalid value: \"1.a\": must not contain dots"}},
      {"generateName",
       "Pod",
       R"({"name":"a-x","generateName":"A-"})",
       {"metadata.generateName: Invalid value: \"A-\": a lowercase RFC 1123 subdomain must consist"}},
      {"label key", "Pod", R"({"name":"a","labels":{"-":"x"}})", {"metadata.labels: Invalid value: \"-\": name part must consist"}},
      {"label value",
       "Pod",
       R"({"name":"a","labels":{"x":"a b"}})",
       {"metadata.labels: Invalid value: \"a b\": a valid label must be an empty string or consist"}},
      {"owner",
       "Pod",
       R"({"name":"a","ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"n"}]})",
       {"metadata.ownerReferences.uid: Invalid value: \"\": must not be empty"}},
      {"finalizer", "Pod", R"({"name":"a","finalizers":["x.io/a b"]})", {"metadata.finalizers: Invalid value: \"x.io/a b\": name part must consist"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto causes = validate_object_meta({{"metadata", json::parse(row.meta)}}, resource_of(row.kind));
    ASSERT_EQ(causes.size(), row.want.size());
    for (size_t i = 0; i < causes.size(); ++i)
      EXPECT_EQ((causes[i].field + ": " + causes[i].message).rfind(row.want[i], 0), 0u) << causes[i].message;
  }
  const json two = {
      {"metadata",
       {{"name", "a"},
        {"ownerReferences", json::array({{{"apiVersion", "v1"}, {"kind", "K"}, {"name", "x"}, {"uid", "1"}, {"controller", true}},
                                         {{"apiVersion", "v1"}, {"kind", "K"}, {"name", "y"}, {"uid", "2"}, {"controller", true}}})}}}};
  const auto causes = validate_object_meta(two, resource_of("Pod"));
  ASSERT_EQ(causes.size(), 1u);
  EXPECT_NE(causes[0].message.find("Only one reference can have Controller set to true. Found \"true\" in references for x and y"),
            std::string::npos);
  const json large = {{"metadata", {{"name", "a"}, {"annotations", {{"k", std::string(262144, 'x')}}}}}};
  EXPECT_EQ(validate_object_meta(large, resource_of("Pod")).at(0).message, "Too long: may not be more than 262144 bytes");
  EXPECT_EQ(name_problem("a/b", NameRule::kPathSegment), "may not contain '/'");
  EXPECT_EQ(name_problem(std::string(64, 'a'), NameRule::kDnsLabel), "must be no more than 63 characters");
}

}  // namespace
}  // namespace store
