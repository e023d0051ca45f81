#include "tests/kubectl-compat/table/cell_rows.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace compat {
namespace {

using Row = CellCheck;

TEST(Cells, PodStatus) {
  const Row rows[] = {
      {"empty", "pod_status", "{}", ""},
      {"pending", "pod_status", R"({"status":{"phase":"Pending"}})", "Pending"},
      {"running", "pod_status",
       R"({"status":{"phase":"Running","containerStatuses":[{"name":"a","ready":true,"state":{"running":{}}}]}})", "Running"},
      {"evicted", "pod_status", R"({"status":{"phase":"Failed","reason":"Evicted"}})", "Evicted"},
      {"gated", "pod_status",
       R"({"status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"SchedulingGated"}]}})",
       "SchedulingGated"},
      {"creating", "pod_status",
       R"({"status":{"phase":"Pending","containerStatuses":[{"state":{"waiting":{"reason":"ContainerCreating"}}}]}})",
       "ContainerCreating"},
      {"crash loop", "pod_status",
       R"({"status":{"phase":"Running","containerStatuses":[{"restartCount":3,"state":{"waiting":{"reason":"CrashLoopBackOff"}},
           "lastState":{"terminated":{"exitCode":1}}}]}})",
       "CrashLoopBackOff"},
      {"first container wins", "pod_status",
       R"({"status":{"phase":"Running","containerStatuses":[{"state":{"waiting":{"reason":"ErrImagePull"}}},
           {"state":{"waiting":{"reason":"ImagePullBackOff"}}}]}})",
       "ErrImagePull"},
      {"completed", "pod_status",
       R"({"status":{"phase":"Succeeded","containerStatuses":[{"state":{"terminated":{"exitCode":0,"reason":"Completed"}}}]}})",
       "Completed"},
      {"error", "pod_status",
       R"({"status":{"phase":"Failed","containerStatuses":[{"state":{"terminated":{"exitCode":1,"reason":"Error"}}}]}})", "Error"},
      {"exit code without reason", "pod_status",
       R"({"status":{"phase":"Failed","containerStatuses":[{"state":{"terminated":{"exitCode":137}}}]}})", "ExitCode:137"},
      {"signal without reason", "pod_status",
       R"({"status":{"phase":"Failed","containerStatuses":[{"state":{"terminated":{"exitCode":137,"signal":9}}}]}})", "Signal:9"},
      {"one done, one ready", "pod_status",
       R"({"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[
           {"state":{"terminated":{"exitCode":0,"reason":"Completed"}}},{"ready":true,"state":{"running":{}}}]}})",
       "Running"},
      {"one done, one running, not ready", "pod_status",
       R"({"status":{"phase":"Running","conditions":[{"type":"Ready","status":"False"}],"containerStatuses":[
           {"state":{"terminated":{"exitCode":0,"reason":"Completed"}}},{"ready":true,"state":{"running":{}}}]}})",
       "NotReady"},
      {"one done, one failed, one running", "pod_status",
       R"({"status":{"phase":"Running","containerStatuses":[{"state":{"terminated":{"exitCode":0,"reason":"Completed"}}},
           {"ready":true,"state":{"running":{}}},{"state":{"terminated":{"exitCode":2}}}]}})",
       "ExitCode:2"},
      {"init waiting", "pod_status",
       R"({"spec":{"initContainers":[{"name":"i"},{"name":"j"}]},"status":{"phase":"Pending","initContainerStatuses":[
           {"name":"i","state":{"terminated":{"exitCode":0}}},{"name":"j","state":{"waiting":{"reason":"PodInitializing"}}}]}})",
       "Init:1/2"},
      {"init running", "pod_status",
       R"({"spec":{"initContainers":[{"name":"i"}]},"status":{"phase":"Pending",
           "initContainerStatuses":[{"name":"i","state":{"running":{}}}],
           "containerStatuses":[{"state":{"waiting":{"reason":"PodInitializing"}}}]}})",
       "Init:0/1"},
      {"init failed", "pod_status",
       R"({"spec":{"initContainers":[{"name":"i"}]},"status":{"phase":"Pending",
           "initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":1,"reason":"Error"}}}]}})",
       "Init:Error"},
      {"init exit code", "pod_status",
       R"({"spec":{"initContainers":[{"name":"i"}]},"status":{"phase":"Pending",
           "initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":7}}}]}})",
       "Init:ExitCode:7"},
      {"init signal", "pod_status",
       R"({"spec":{"initContainers":[{"name":"i"}]},"status":{"phase":"Pending",
           "initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":7,"signal":15}}}]}})",
       "Init:Signal:15"},
      {"init crash loop", "pod_status",
       R"({"spec":{"initContainers":[{"name":"i"}]},"status":{"phase":"Pending",
           "initContainerStatuses":[{"name":"i","state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}})",
       "Init:CrashLoopBackOff"},
      {"sidecar started does not block", "pod_status",
       R"({"spec":{"initContainers":[{"name":"s","restartPolicy":"Always"}]},"status":{"phase":"Running",
           "initContainerStatuses":[{"name":"s","started":true,"ready":true,"state":{"running":{}}}],
           "containerStatuses":[{"ready":true,"state":{"running":{}}}]}})",
       "Running"},
      {"deleted", "pod_status", R"({"metadata":{"deletionTimestamp":"2026-01-02T00:00:00Z"},"status":{"phase":"Running"}})",
       "Terminating"},
      {"deleted after the end", "pod_status",
       R"({"metadata":{"deletionTimestamp":"2026-01-02T00:00:00Z"},"status":{"phase":"Succeeded","containerStatuses":[
           {"state":{"terminated":{"exitCode":0,"reason":"Completed"}}}]}})",
       "Completed"},
      {"deleted on a lost node", "pod_status",
       R"({"metadata":{"deletionTimestamp":"2026-01-02T00:00:00Z"},"status":{"phase":"Running","reason":"NodeLost"}})", "Unknown"},
      {"odd types", "pod_status", R"({"spec":{"containers":{}},"status":{"phase":"Running","containerStatuses":[1,"x",{"state":7}]}})",
       "Running"},
  };
  check(rows);
}

TEST(Cells, PodOthers) {
  const Row rows[] = {
      {"ready", "pod_ready",
       R"({"spec":{"containers":[{},{}]},"status":{"containerStatuses":[{"ready":true,"state":{"running":{}}},{"ready":false,
           "state":{"running":{}}}]}})",
       "1/2"},
      {"ready counts sidecars", "pod_ready",
       R"({"spec":{"containers":[{}],"initContainers":[{"name":"s","restartPolicy":"Always"},{"name":"i"}]},"status":{
           "initContainerStatuses":[{"name":"s","started":true,"ready":true,"state":{"running":{}}},
           {"name":"i","state":{"terminated":{"exitCode":0}}}],"containerStatuses":[{"ready":true,"state":{"running":{}}}]}})",
       "2/2"},
      {"no restart", "pod_restarts", R"({"status":{"containerStatuses":[{"restartCount":0}]}})", "0"},
      {"restarts without a time", "pod_restarts", R"({"status":{"containerStatuses":[{"restartCount":2},{"restartCount":1}]}})", "3"},
      {"restarts with the newest time", "pod_restarts",
       R"({"status":{"containerStatuses":[
           {"restartCount":2,"lastState":{"terminated":{"finishedAt":"2026-01-02T00:05:00Z"}}},
           {"restartCount":1,"lastState":{"terminated":{"finishedAt":"2026-01-01T00:05:00Z"}}}]}})",
       "3 (5m ago)"},
      {"restarts while initializing", "pod_restarts",
       R"({"spec":{"initContainers":[{"name":"i"}]},"status":{"initContainerStatuses":[{"name":"i","restartCount":4,
           "state":{"waiting":{"reason":"CrashLoopBackOff"}}}],"containerStatuses":[{"restartCount":9}]}})",
       "4"},
      {"init restarts forgotten when initialized", "pod_restarts",
       R"({"spec":{"initContainers":[{"name":"i"}]},"status":{"initContainerStatuses":[{"name":"i","restartCount":4,
           "state":{"terminated":{"exitCode":0}}}],"containerStatuses":[{"restartCount":1}]}})",
       "1"},
      {"ip", "pod_ip", R"({"status":{"podIP":"10.244.1.2","podIPs":[{"ip":"10.244.1.2"},{"ip":"fd00::2"}]}})", "10.244.1.2"},
      {"no ip", "pod_ip", "{}", "<none>"},
      {"node", "pod_node", R"({"spec":{"nodeName":"node-1"}})", "node-1"},
      {"no node", "pod_node", "{}", "<none>"},
      {"nominated", "pod_nominated_node", "{}", "<none>"},
      {"no gates", "pod_readiness_gates", "{}", "<none>"},
      {"gates", "pod_readiness_gates",
       R"({"spec":{"readinessGates":[{"conditionType":"a"},{"conditionType":"b"}]},
           "status":{"conditions":[{"type":"a","status":"True"}]}})",
       "1/2"},
  };
  check(rows);
}

TEST(Cells, Network) {
  const Row rows[] = {
      {"cluster ip", "service_cluster_ip", R"({"spec":{"clusterIP":"10.96.0.5","clusterIPs":["10.96.0.5"]}})", "10.96.0.5"},
      {"headless", "service_cluster_ip", R"({"spec":{"clusterIP":"None","clusterIPs":["None"]}})", "None"},
      {"no cluster ip", "service_cluster_ip", R"({"spec":{"type":"ExternalName"}})", "<none>"},
      {"external of ClusterIP", "service_external_ip", R"({"spec":{"type":"ClusterIP"}})", "<none>"},
      {"externalIPs", "service_external_ip", R"({"spec":{"type":"NodePort","externalIPs":["1.2.3.4","1.2.3.5"]}})", "1.2.3.4,1.2.3.5"},
      {"pending", "service_external_ip", R"({"spec":{"type":"LoadBalancer"},"status":{"loadBalancer":{}}})", "<pending>"},
      {"balanced", "service_external_ip",
       R"({"spec":{"type":"LoadBalancer","externalIPs":["9.9.9.9"]},"status":{"loadBalancer":{"ingress":[{"ip":"172.30.255.2"},
           {"hostname":"a.example"},{"ip":"172.30.255.1"}]}}})",
       "172.30.255.1,172.30.255.2,a.example,9.9.9.9"},
      {"external name", "service_external_ip", R"({"spec":{"type":"ExternalName","externalName":"db.example.com"}})", "db.example.com"},
      {"ports", "service_ports",
       R"({"spec":{"ports":[{"port":80,"nodePort":30080,"protocol":"TCP"},{"port":53,"protocol":"UDP"}]}})", "80:30080/TCP,53/UDP"},
      {"no ports", "service_ports", "{}", "<none>"},
      {"selector", "service_selector", R"({"spec":{"selector":{"b":"2","a":"1"}}})", "a=1,b=2"},
      {"no selector", "service_selector", "{}", "<none>"},
      {"endpoints", "endpoints_list",
       R"({"subsets":[{"addresses":[{"ip":"10.244.1.2"},{"ip":"10.244.1.3"}],"ports":[{"port":80},{"port":443}]},
           {"addresses":[{"ip":"fd00::1"}],"ports":[{"port":80}]}]})",
       "10.244.1.2:80,10.244.1.3:80,10.244.1.2:443 + 2 more..."},
      {"endpoints v6", "endpoints_list", R"({"subsets":[{"addresses":[{"ip":"fd00::1"}],"ports":[{"port":80}]}]})", "[fd00::1]:80"},
      {"endpoints without ports", "endpoints_list", R"({"subsets":[{"addresses":[{"ip":"10.244.1.2"}]}]})", "10.244.1.2"},
      {"no endpoints", "endpoints_list", "{}", "<none>"},
      {"slice ports", "endpointslice_ports", R"({"ports":[{"port":80},{"name":"x"},{},{"port":1},{"port":2}]})", "80,x,* + 2 more..."},
      {"slice without ports", "endpointslice_ports", "{}", "<unset>"},
      {"slice endpoints", "endpointslice_endpoints",
       R"({"endpoints":[{"addresses":["10.244.1.2"]},{"addresses":["10.244.1.3","10.244.1.4"]}]})", "10.244.1.2,10.244.1.3,10.244.1.4"},
      {"slice without endpoints", "endpointslice_endpoints", "{}", "<unset>"},
      {"hosts", "ingress_hosts", R"({"spec":{"rules":[{"host":"a"},{"host":"b"},{"host":"c"},{"host":"d"}]}})", "a,b,c + 1 more..."},
      {"any host", "ingress_hosts", R"({"spec":{"rules":[{}]}})", "*"},
      {"tls", "ingress_ports", R"({"spec":{"tls":[{}]}})", "80, 443"},
      {"class", "ingress_class", "{}", "<none>"},
      {"parameters", "ingressclass_parameters", R"({"spec":{"parameters":{"apiGroup":"g","kind":"K","name":"n"}}})", "K.g/n"},
      {"all pods", "networkpolicy_selector", R"({"spec":{"podSelector":{}}})", "<none>"},
  };
  check(rows);
}

TEST(Cells, Workload) {
  const Row rows[] = {
      {"deployment", "deployment_ready", R"({"spec":{"replicas":3},"status":{"readyReplicas":2}})", "2/3"},
      {"new deployment", "deployment_ready", R"({"spec":{"replicas":3}})", "0/3"},
      {"containers", "container_names", R"({"spec":{"template":{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}}})", "a,b"},
      {"images", "container_images", R"({"spec":{"template":{"spec":{"containers":[{"image":"nginx:1.27"}]}}}})", "nginx:1.27"},
      {"cron containers", "container_names",
       R"({"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"name":"a"}]}}}}}})", "a"},
      {"selector", "label_selector",
       R"({"spec":{"selector":{"matchLabels":{"app":"web","tier":"x"},"matchExpressions":[
           {"key":"env","operator":"In","values":["prod","dev"]},{"key":"a","operator":"NotIn","values":["z"]},
           {"key":"b","operator":"Exists"},{"key":"c","operator":"DoesNotExist"}]}}})",
       "a notin (z),app=web,b,!c,env in (dev,prod),tier=x"},
      {"no selector", "label_selector", "{}", "<none>"},
      {"node selector", "daemonset_node_selector", "{}", "<none>"},
      {"job complete", "job_status", R"({"status":{"conditions":[{"type":"Complete","status":"True"}]}})", "Complete"},
      {"job running", "job_status", "{}", "Running"},
      {"job about to be complete", "job_status", R"({"status":{"conditions":[{"type":"SuccessCriteriaMet","status":"True"}]}})", "SuccessCriteriaMet"},
      {"job completions", "job_completions", R"({"spec":{"completions":3},"status":{"succeeded":1}})", "1/3"},
      {"job queue", "job_completions", R"({"spec":{"parallelism":2}})", "0/1 of 2"},
      {"job running for", "job_duration", R"({"status":{"startTime":"2026-01-02T00:09:00Z"}})", "60s"},
      {"job ran for", "job_duration",
       R"({"status":{"startTime":"2026-01-02T00:09:00Z","completionTime":"2026-01-02T00:09:05Z"}})", "5s"},
      {"cron", "cronjob_last_schedule", R"({"status":{"lastScheduleTime":"2026-01-02T00:09:00Z"}})", "60s"},
      {"cron suspend", "cronjob_suspend", R"({"spec":{"suspend":false}})", "False"},
  };
  check(rows);
}

TEST(Cells, Cluster) {
  const Row rows[] = {
      {"age", "age", R"({"metadata":{"creationTimestamp":"2026-01-02T00:07:00Z"}})", "3m"},
      {"no age", "age", R"({"metadata":{"creationTimestamp":null}})", "<unknown>"},
      {"node ready", "node_status", R"({"status":{"conditions":[{"type":"Ready","status":"True"}]}})", "Ready"},
      {"node cordoned", "node_status",
       R"({"spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"True"}]}})", "Ready,SchedulingDisabled"},
      {"node lost", "node_status", R"({"status":{"conditions":[{"type":"Ready","status":"Unknown"}]}})", "NotReady"},
      {"node new", "node_status", "{}", "Unknown"},
      {"roles", "node_roles",
       R"({"metadata":{"labels":{"node-role.kubernetes.io/worker":"","node-role.kubernetes.io/control-plane":"",
           "kubernetes.io/role":"edge","node-role.kubernetes.io/":""}}})",
       "control-plane,edge,worker"},
      {"no roles", "node_roles", "{}", "<none>"},
      {"internal", "node_internal_ip", R"({"status":{"addresses":[{"type":"InternalIP","address":"172.30.0.11"}]}})", "172.30.0.11"},
      {"external", "node_external_ip", R"({"status":{"addresses":[{"type":"InternalIP","address":"172.30.0.11"}]}})", "<none>"},
      {"no kernel", "node_kernel_version", "{}", "<unknown>"},
      {"kernel", "node_kernel_version", R"({"status":{"nodeInfo":{"kernelVersion":"6.1","architecture":"amd64"}}})", "6.1 (amd64)"},
      {"configmap", "configmap_data_count", R"({"data":{"a":"1"},"binaryData":{"b":""}})", 2},
      {"secret", "secret_data_count", R"({"data":{"a":"1"}})", 1},
      {"event, new API", "event_last_seen", R"({"eventTime":"2026-01-02T00:08:00.000000Z","lastTimestamp":null})", "2m"},
      {"event, old API", "event_last_seen",
       R"({"firstTimestamp":"2026-01-02T00:00:00Z","lastTimestamp":"2026-01-02T00:09:00Z"})", "60s"},
      {"event series", "event_last_seen",
       R"({"firstTimestamp":"2026-01-02T00:00:00Z","series":{"count":4,"lastObservedTime":"2026-01-02T00:09:30.000000Z"}})", "30s"},
      {"event first seen", "event_first_seen", R"({"firstTimestamp":"2026-01-02T00:00:00Z"})", "10m"},
      {"event count", "event_count", R"({"count":7})", 7},
      {"event once", "event_count", "{}", 1},
      {"event series count", "event_count", R"({"count":7,"series":{"count":4}})", 4},
      {"event object", "event_object", R"({"involvedObject":{"kind":"ReplicaSet","name":"web"}})", "replicaset/web"},
      {"event regarding", "event_object", R"({"regarding":{"kind":"Pod","name":"web"}})", "pod/web"},
      {"event source", "event_source", R"({"source":{"component":"kubelet","host":"node-1"}})", "kubelet, node-1"},
      {"event reporter", "event_source", R"({"source":{},"reportingComponent":"scheduler","reportingInstance":""})", "scheduler"},
      {"event message", "event_message", R"({"message":"  hello\n"})", "hello"},
  };
  check(rows);
}

TEST(Cells, Paths) {
  json tree = json::parse(R"({"spec":{"s":"x","n":3,"list":[{"type":"A","v":"1"},{"type":"B","v":"2"}],"a.b":"dot","o":{"k":1},"f":2.5,
      "t":"2026-01-02T00:09:00Z","names":["p","q"],"z":null}})");
  base::WallTime now = base::parse_rfc3339("2026-01-02T00:10:00Z").value();
  struct PathRow {
    const char* path;
    const char* type;
    json want;
  };
  const PathRow rows[] = {
      {"spec.s", "string", "x"},
      {"spec.n", "integer", 3},
      {"spec.none", "integer", 0},
      {"spec.none", "string", ""},
      {"spec.z", "string", ""},
      {"spec.t", "date", "60s"},
      {".spec.s", "string", "x"},
      {".spec.none", "string", nullptr},
      {".spec.n", "string", "3"},
      {".spec.s", "integer", nullptr},
      {".spec.list[1].v", "string", "2"},
      {".spec.list[9].v", "string", nullptr},
      {".spec.list[*].v", "string", "1"},
      {".spec.n", "number", 3},
      {".spec.f", "integer", 2},
      {".spec.n", "date", nullptr},
      {".spec.list[?(@.type==\"B\")].v", "string", "2"},
      {".spec.list[?(@.type == 'A')].v", "string", "1"},
      {".spec['a.b']", "string", "dot"},
      {".spec.a\\.b", "string", "dot"},
      {".spec.o", "string", "{\"k\":1}"},
      {".spec.t", "date", "60s"},
      {".spec.s", "date", "<invalid>"},
      {".spec.list[", "string", nullptr},
      {".spec.list[?(@.type==", "string", nullptr},
      {".spec[x]", "string", nullptr},
  };
  for (const PathRow& row : rows) EXPECT_EQ(path_cell({tree, now}, row.path, row.type), row.want) << row.path << " " << row.type;
}

TEST(Cells, NamesAreUnique) {
  std::map<std::string_view, CellFn> seen;
  for (auto table : {pod_cells(), network_cells(), workload_cells(), cluster_cells()}) {
    for (const CellRow& row : table) EXPECT_TRUE(seen.emplace(row.name, row.fn).second) << row.name;
  }
  EXPECT_EQ(find_cell("no_such_cell"), nullptr);
}

}  // namespace
}  // namespace compat
