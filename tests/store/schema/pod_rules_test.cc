// What the parts of a pod are refused for: each row is a fragment of a pod and the causes, worded as upstream.
#include <functional>

#include "tests/store/schema/rules_support.h"

namespace store {
namespace {

struct PodRow {
  const char* name;
  std::string in;
  std::vector<std::string> want;
};

template <size_t N>
void expect(const PodRow (&rows)[N]) {
  for (const PodRow& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems("Pod", row.in), row.want);
  }
}

std::string pod(const std::string& spec, const std::string& annotations = "") {
  return R"({"metadata":{"annotations":{)" + annotations + R"(}},"spec":{"containers":[{"name":"a","image":"nginx"}],)" + spec + "}}";
}
std::string container(const std::string& fields, const std::string& spec = "") {
  return R"({"spec":{"containers":[{"name":"a","image":"nginx",)" + fields + "}]" + (spec.empty() ? "" : "," + spec) + "}}";
}
std::string volume(const std::string& source) { return pod(R"("volumes":[{"name":"v",)" + source + "}]"); }

const std::string in_container = "spec.containers[0].";
const std::string v = "spec.volumes[0].";
const std::string label =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. "
    "'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const std::string subdomain =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
    "'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const std::string no_name = "name part must be non-empty";
const std::string empty_name =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const std::string label_value =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
    "'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const std::string mode = "must be a number between 0 and 0777 (octal), both inclusive";

TEST(PodVolumes, SourcesAndFiles) {
  const PodRow rows[] = {
      {"fine", volume(R"("configMap":{"name":"c","defaultMode":511,"items":[{"key":"k","path":"a/b","mode":0}]})"), {}},
      {"two sources, the later in upstream's order", volume(R"("csi":{"driver":"d"},"emptyDir":{})"), {v + "csi: Forbidden: may not specify more than 1 volume type"}},
      {"three sources", volume(R"("secret":{"secretName":"s"},"downwardAPI":{},"hostPath":{"path":"/"})"),
       {v + "secret: Forbidden: may not specify more than 1 volume type", v + "downwarAPI: Forbidden: may not specify more than 1 volume type"}},
      {"size below zero", volume(R"("emptyDir":{"sizeLimit":"-1"})"), {v + "emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity"}},
      {"steps back", volume(R"("hostPath":{"path":"/a/../b"})"), {v + R"(hostPath.path: Invalid value: "/a/../b": must not contain '..')"}},
      {"two dots within a name", volume(R"("hostPath":{"path":"/a..b"})"), {}},
      {"modes", volume(R"("secret":{"secretName":"s","defaultMode":512,"items":[{"key":"k","path":"p","mode":-1}]})"),
       {v + "secret.defaultMode: Invalid value: 512: " + mode, v + "secret.items[0].mode: Invalid value: -1: " + mode}},
      {"no name", volume(R"("configMap":{})"), {v + "configMap.name: Required value"}},
      {"absolute path", volume(R"("configMap":{"name":"c","items":[{"key":"k","path":"/p"}]})"),
       {v + R"(configMap.items[0].path: Invalid value: "/p": must be a relative path)"}},
      {"reserved path", volume(R"("configMap":{"name":"c","items":[{"key":"k","path":"..data"}]})"),
       {v + R"(configMap.items[0].path: Invalid value: "..data": must not start with '..')"}},
      {"path back", volume(R"("configMap":{"name":"c","items":[{"key":"k","path":"../p"}]})"),
       {v + R"(configMap.items[0].path: Invalid value: "../p": must not contain '..')"}},
      {"NFS", volume(R"("nfs":{"server":"s","path":"p"})"), {v + R"(nfs.path: Invalid value: "p": must be an absolute path)"}},
      {"iSCSI", volume(R"("iscsi":{"targetPortal":"t","iqn":"iqn.x","lun":256,"chapAuthSession":true})"),
       {v + "iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive", v + "iscsi.secretRef: Required value"}},
      {"flocker", volume(R"("flocker":{})"), {v + "flocker: Required value: one of datasetName and datasetUUID is required"}},
      {"fibre channel", volume(R"("fc":{"targetWWNs":["a"]})"), {v + "fc.lun: Required value: lun is required if targetWWNs is specified"}},
      {"fibre channel without target", volume(R"("fc":{})"), {v + "fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both"}},
      {"flex", volume(R"("flexVolume":{"driver":"d","options":{"x.K8s.io/a":"b","a":"b"}})"),
       {v + R"(flexVolume.options[x.K8s.io/a]: Invalid value: "x.K8s.io/a": kubernetes.io and k8s.io namespaces are reserved)"}},
      {"CSI", volume(R"("csi":{"driver":"a_b","nodePublishSecretRef":{}})"),
       {v + R"(csi.driver: Invalid value: "a_b": )" + subdomain, v + "csi.nodePublishSecretRef.name: Required value"}},
      {"ephemeral without template", volume(R"("ephemeral":{})"), {v + "ephemeral.volumeClaimTemplate: Required value"}},
      {"ephemeral", volume(R"("ephemeral":{"volumeClaimTemplate":{"spec":{}}})"),
       {v + "ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required",
        v + "ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value"}},
      {"only the first source is looked at", volume(R"("hostPath":{"path":"/"},"nfs":{},"gcePersistentDisk":{})"),
       {v + "gcePersistentDisk: Forbidden: may not specify more than 1 volume type", v + "nfs: Forbidden: may not specify more than 1 volume type"}},
      {"a disk of Google", volume(R"("gcePersistentDisk":{})"), {v + "persistentDisk.pdName: Required value"}},
      {"fields in upstream's order", volume(R"("nfs":{})"),
       {v + "nfs.server: Required value", v + "nfs.path: Required value", v + R"(nfs.path: Invalid value: "": must be an absolute path)"}},
      {"image without reference", volume(R"("image":{})"), {v + "image.reference: Required value"}},
  };
  expect(rows);
}

TEST(PodVolumes, Projections) {
  auto projected = [](const std::string& sources) { return volume(R"("projected":{"sources":[)" + sources + "]}"); };
  const std::string p = v + "projected";
  const PodRow rows[] = {
      {"fine", projected(R"({"serviceAccountToken":{"path":"token"}},{"configMap":{"name":"c","items":[{"key":"k","path":"p"}]}})"), {}},
      {"one file twice", projected(R"({"secret":{"name":"s","items":[{"key":"k","path":"p"}]}},{"configMap":{"name":"c","items":[{"key":"k","path":"p"}]}})"),
       {p + R"(: Invalid value: "c": conflicting duplicate paths)"}},
      {"two in one", projected(R"({"secret":{"name":"s"},"configMap":{"name":"c"}})"),
       {p + ".sources[0]: Forbidden: may not specify more than 1 volume type per source"}},
      {"token", projected(R"({"serviceAccountToken":{"path":"/t","expirationSeconds":599}})"),
       {p + ".sources[0].serviceAccountToken.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes",
        p + R"(.path: Invalid value: "/t": must be a relative path)"}},
      {"token for ever", projected(R"({"serviceAccountToken":{"path":"t","expirationSeconds":4294967297}})"),
       {p + ".sources[0].serviceAccountToken.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds"}},
      {"what waits for a feature goes", projected(R"({"secret":{"name":"s"},"clusterTrustBundle":{"path":"b"},"podCertificate":{}})"), {}},
      {"a fact", projected(R"({"downwardAPI":{"items":[{"path":"p"}]}})"),
       {p + ".sources[0].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required"}},
      {"a fact that files do not carry", projected(R"({"downwardAPI":{"items":[{"path":"p","fieldRef":{"fieldPath":"status.podIP"}}]}})"),
       {p + R"(.sources[0].downwardAPI.fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: "metadata.annotations", "metadata.labels", )"
            R"("metadata.name", "metadata.namespace", "metadata.uid")"}},
      {"whose resource", projected(R"({"downwardAPI":{"items":[{"path":"p","resourceFieldRef":{"resource":"limits.cpu"}}]}})"),
       {p + ".sources[0].downwardAPI.resourceFieldRef.containerName: Required value"}},
  };
  expect(rows);
}

TEST(PodEnvironment, Sources) {
  auto from = [](const std::string& source) { return container(R"("env":[{"name":"A","valueFrom":{)" + source + "}}]"); };
  const std::string at = in_container + "env[0].valueFrom.";
  const PodRow rows[] = {
      {"fields", from(R"("fieldRef":{"fieldPath":"metadata.labels['app']"})"), {}},
      {"a field's old name", from(R"("fieldRef":{"fieldPath":"spec.host"})"), {}},
      {"unknown field", from(R"("fieldRef":{"fieldPath":"spec.x"})"),
       {at + R"(fieldRef.fieldPath: Invalid value: "spec.x": error converting fieldPath: field label not supported: spec.x)"}},
      {"subscript", from(R"("fieldRef":{"fieldPath":"metadata.name['a']"})"),
       {at + R"(fieldRef.fieldPath: Invalid value: "metadata.name['a']": error converting fieldPath: field label does not support subscript: metadata.name['a'])"}},
      {"version", from(R"("fieldRef":{"apiVersion":"v2","fieldPath":"metadata.name"})"),
       {at + R"(fieldRef.fieldPath: Invalid value: "metadata.name": error converting fieldPath: unsupported pod version: v2)"}},
      {"all labels", from(R"("fieldRef":{"fieldPath":"metadata.labels"})"),
       {at + R"(fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", )"
             R"("spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs")"}},
      {"resource", from(R"("resourceFieldRef":{"resource":"limits.disk"})"),
       {at + R"(resourceFieldRef.resource: Unsupported value: "limits.disk": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", )"
             R"("requests.cpu", "requests.ephemeral-storage", "requests.memory")"}},
      {"huge pages", from(R"("resourceFieldRef":{"resource":"limits.hugepages-2Mi","divisor":"1Mi"})"), {}},
      {"divisor", from(R"("resourceFieldRef":{"resource":"limits.cpu","divisor":"10m"})"),
       {at + R"(resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource)"}},
      {"divisor of storage", from(R"("resourceFieldRef":{"resource":"limits.ephemeral-storage","divisor":"2"})"),
       {at + R"(resourceFieldRef.divisor: Invalid value: "limits.ephemeral-storage": only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, )"
             "1Pi, 1Ei are supported with the local ephemeral storage resource"}},
      {"key", from(R"("configMapKeyRef":{"name":"A","key":".."})"),
       {at + R"(configMapKeyRef.name: Invalid value: "A": )" + subdomain, at + R"(configMapKeyRef.key: Invalid value: "..": must not be '..')"}},
      {"two", from(R"("configMapKeyRef":{"name":"a","key":"k"},"secretKeyRef":{"name":"a","key":"k"})"),
       {in_container + R"(env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time)"}},
      {"value, too", container(R"("env":[{"name":"A","value":"x","valueFrom":{"secretKeyRef":{"name":"a","key":"k"}}}])"),
       {in_container + R"(env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty)"}},
      {"all of nothing", container(R"("envFrom":[{"prefix":"P"}])"), {in_container + R"(envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`)"}},
      {"all of both", container(R"("envFrom":[{"configMapRef":{"name":"a"},"secretRef":{}}])"),
       {in_container + "envFrom[0].secretRef.name: Required value", in_container + R"(envFrom: Invalid value: "": may not have more than one field specified at a time)"}},
      {"prefix", container(R"("envFrom":[{"prefix":"=","configMapRef":{"name":"a"}}])"),
       {in_container + R"(envFrom[0].prefix: Invalid value: "=": a valid environment variable name must consist only of printable ASCII characters other than '=')"}},
  };
  expect(rows);
}

TEST(PodContainers, MountsAndDevices) {
  const std::string volumes = R"("volumes":[{"name":"v","emptyDir":{}},{"name":"p","persistentVolumeClaim":{"claimName":"c"}},{"name":"i","image":{"reference":"x"}}])";
  auto mount = [&](const std::string& fields) { return container(R"("volumeMounts":[{"name":"v","mountPath":"/v",)" + fields + "}]", volumes); };
  auto device = [&](const std::string& fields) { return container(R"("volumeDevices":[{)" + fields + "}]", volumes); };
  const PodRow rows[] = {
      {"fine", mount(R"("subPath":"a/b","readOnly":true,"recursiveReadOnly":"Enabled")"), {}},
      {"same place twice", container(R"("volumeMounts":[{"name":"v","mountPath":"/v"},{"name":"p","mountPath":"/v"}])", volumes),
       {in_container + R"(volumeMounts[1].mountPath: Invalid value: "/v": must be unique)"}},
      {"sub path", mount(R"("subPath":"/a")"), {in_container + R"(volumeMounts.subPath: Invalid value: "/a": must be a relative path)"}},
      {"both sub paths", mount(R"("subPath":"a","subPathExpr":"..")"),
       {in_container + R"(volumeMounts[0].subPathExpr: Invalid value: "..": subPathExpr and subPath are mutually exclusive)",
        in_container + R"(volumeMounts.subPathExpr: Invalid value: "..": must not contain '..')"}},
      {"sub path of an image", container(R"("volumeMounts":[{"name":"i","mountPath":"/v","subPath":"a"}])", volumes),
       {in_container + R"(volumeMounts[0].subPath: Invalid value: "a": not allowed in image volume sources)"}},
      {"both ways", mount(R"("mountPropagation":"Bidirectional")"),
       {in_container + "volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers"}},
      {"recursive", mount(R"("recursiveReadOnly":"IfPossible","mountPropagation":"HostToContainer")"),
       {in_container + "volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true",
        in_container + "volumeMounts.recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified"}},
      {"a volume that is wrong itself cannot be mounted", container(R"("volumeMounts":[{"name":"w","mountPath":"/w"}])", R"("volumes":[{"name":"w","configMap":{}}])"),
       {"spec.volumes[0].configMap.name: Required value", in_container + R"(volumeMounts[0].name: Not found: "w")"}},
      {"a mount of nothing", container(R"("volumeMounts":[{}])"),
       {in_container + "volumeMounts[0].name: Required value", in_container + R"(volumeMounts[0].name: Not found: "")", in_container + "volumeMounts[0].mountPath: Required value"}},
      {"an unknown way", mount(R"("mountPropagation":"Up")"),
       {in_container + R"(volumeMounts.mountPropagation: Unsupported value: "Up": supported values: "Bidirectional", "HostToContainer", "None")"}},
      {"a file of variables", container(R"("env":[{"name":"A","valueFrom":{"fileKeyRef":{"key":"K","volumeName":"p","path":"../x"}}}])", volumes),
       {in_container + R"(env[0].valueFrom.fileKeyRef.path: Invalid value: "../x": must not contain '..')",
        in_container + R"(env[0].valueFrom.fileKeyRef.volumeName: Invalid value: "p": referenced volume must be of type emptyDir)"}},
      {"device", device(R"("name":"p","devicePath":"/dev/x")"), {}},
      {"no block device", device(R"("name":"v","devicePath":"/dev/x")"),
       {in_container + R"(volumeDevices[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode)"}},
      {"unknown device", device(R"("name":"z","devicePath":"/a/../b")"),
       {in_container + R"(volumeDevices[0].name: Not found: "z")", in_container + R"(volumeDevices[0].devicePath: Invalid value: "/a/../b": can not contain backsteps ('..'))"}},
      {"device and mount",
       container(R"("volumeDevices":[{"name":"p","devicePath":"/x"}],"volumeMounts":[{"name":"p","mountPath":"/x"}])", volumes),
       {in_container + R"(volumeMounts[0].name: Invalid value: "p": must not already exist in volumeDevices)",
        in_container + R"(volumeMounts[0].mountPath: Invalid value: "/x": must not already exist as a path in volumeDevices)",
        in_container + R"(volumeDevices[0].name: Invalid value: "p": must not already exist in volumeMounts)",
        in_container + R"(volumeDevices[0].devicePath: Invalid value: "/x": must not already exist as a path in volumeMounts)"}},
  };
  expect(rows);
}

TEST(PodContainers, PortsPoliciesAndRules) {
  const PodRow rows[] = {
      {"host port", container(R"("ports":[{"containerPort":1,"hostPort":65536}])"),
       {in_container + "ports[0].hostPort: Invalid value: 65536: must be between 1 and 65535, inclusive"}},
      {"host port of another container",
       R"({"spec":{"containers":[{"name":"a","image":"x","ports":[{"containerPort":1,"hostPort":80}]},{"name":"b","image":"x","ports":[{"containerPort":2,"hostPort":80}]}]}})",
       {R"(spec.containers[1].ports[0].hostPort: Duplicate value: "TCP//80")"}},
      {"the same port of another address or protocol",
       container(R"("ports":[{"containerPort":1,"hostPort":80},{"containerPort":1,"hostPort":80,"protocol":"UDP"},{"containerPort":1,"hostPort":80,"hostIP":"127.0.0.1"}])"), {}},
      {"init containers run one by one",
       pod(R"("initContainers":[{"name":"i","image":"x","ports":[{"containerPort":1,"hostPort":80}]},{"name":"j","image":"x","ports":[{"containerPort":1,"hostPort":80}]}])"), {}},
      {"image with a space", container(R"("image":" nginx")"), {in_container + R"(image: Invalid value: " nginx": must not have leading or trailing whitespace)"}},
      {"resize policy", container(R"("resizePolicy":[{"resourceName":"cpu","restartPolicy":"NotRequired"},{"resourceName":"cpu","restartPolicy":"NotRequired"},{"resourceName":"disk","restartPolicy":"NotRequired"}])"),
       {in_container + R"(resizePolicy[1]: Duplicate value: "cpu")", in_container + R"(resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory")"}},
      {"resize of a pod that never restarts", container(R"("resizePolicy":[{"resourceName":"cpu","restartPolicy":"RestartContainer"}])", R"("restartPolicy":"Never")"),
       {in_container + R"(resizePolicy: Invalid value: "RestartContainer": must be 'NotRequired' when pod `restartPolicy` is 'Never')"}},
      {"restart rules", container(R"("restartPolicyRules":[{"action":"Restart"}])"),
       {in_container + "restartPolicy: Required value: must specify restartPolicy when restart rules are used", in_container + "restartPolicyRules[0].exitCodes: Required value: must be specified"}},
      {"a message policy", container(R"("terminationMessagePolicy":"Log")"),
       {in_container + R"(terminationMessagePolicy: Unsupported value: "Log": supported values: "File", "FallbackToLogsOnError")"}},
  };
  expect(rows);
}

TEST(PodResources, NamesAndAmounts) {
  auto resources = [](const std::string& fields) { return container(R"("resources":{)" + fields + "}"); };
  const std::string at = in_container + "resources.";
  const PodRow rows[] = {
      {"fine", resources(R"("limits":{"cpu":"1","memory":"1Gi","ephemeral-storage":"1","example.com/gpu":"2"},"requests":{"cpu":"500m","example.com/gpu":2})"), {}},
      {"unknown", resources(R"("requests":{"disk":"1"})"),
       {at + R"(requests[disk]: Invalid value: "disk": must be a standard resource type or fully qualified)",
        at + R"(requests[disk]: Invalid value: "disk": must be a standard resource for containers)"}},
      {"for quotas only", resources(R"("requests":{"pods":"1"})"), {at + R"(requests[pods]: Invalid value: "pods": must be a standard resource for containers)"}},
      {"reserved; what is limited is requested", resources(R"("limits":{"requests.example.com/x":"1"})"),
       {at + R"(limits[requests.example.com/x]: Invalid value: "requests.example.com/x": doesn't follow extended resource name standard)",
        at + R"(requests[requests.example.com/x]: Invalid value: "requests.example.com/x": doesn't follow extended resource name standard)"}},
      {"below zero", resources(R"("limits":{"cpu":"-1"})"), {at + R"(limits[cpu]: Invalid value: "-1": must be greater than or equal to 0)", at + R"(requests[cpu]: Invalid value: "-1": must be greater than or equal to 0)"}},
      {"part of a device", resources(R"("limits":{"example.com/gpu":"500m"})"),
       {at + R"(limits[example.com/gpu]: Invalid value: "500m": must be an integer)", at + R"(requests[example.com/gpu]: Invalid value: "500m": must be an integer)"}},
      {"fewer devices than the limit", resources(R"("limits":{"example.com/gpu":2},"requests":{"example.com/gpu":1})"),
       {at + R"(requests: Invalid value: "1": must be equal to example.com/gpu limit of 2)"}},
      {"devices without limit", resources(R"("requests":{"example.com/gpu":1})"),
       {at + "limits: Required value: Limit must be set for non overcommitable resources"}},
      {"part of a page", resources(R"("limits":{"cpu":"1","hugepages-2Mi":"3Mi"})"),
       {at + R"(limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi)",
        at + R"(requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi)"}},
      {"pages alone", resources(R"("limits":{"hugepages-2Mi":"4Mi"})"), {at.substr(0, at.size() - 1) + ": Forbidden: HugePages require cpu or memory"}},
      {"claims", container(R"("resources":{"claims":[{"name":"g"},{"name":"g"},{"name":"h","request":"r"}]})", R"("resourceClaims":[{"name":"g","resourceClaimName":"x"}])"),
       {at + R"(claims[1]: Duplicate value: "g")", at + R"(claims[2]: Not found: "h": must be one of the names in pod.spec.resourceClaims: g)"}},
      {"no claims", container(R"("resources":{"claims":[{"name":"g"}]})"),
       {at + R"(claims[0]: Not found: "g": must be one of the names in pod.spec.resourceClaims which is empty)"}},
      {"a claim of nothing", pod(R"("resourceClaims":[{"name":"g"}])"),
       {R"(spec.resourceClaims[0]: Invalid value: {"Name":"g","ResourceClaimName":null,"ResourceClaimTemplateName":null}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`)"}},
      {"of the pod", pod(R"("resources":{"limits":{"disk":"1"}})"), {R"(spec.resources.limits[disk]: Unsupported value: "disk": supported values: "cpu", "hugepages-", "memory")"}},
      {"more than the pod's", container(R"("resources":{"limits":{"cpu":2}})", R"("resources":{"limits":{"cpu":1}})"),
       {R"(spec.resources.containers[0][cpu].limits: Invalid value: "2": must be less than or equal to pod limits of 1)"}},
      {"overhead", pod(R"("overhead":{"pods":"1"})"), {R"(spec.overhead.limits[pods]: Invalid value: "pods": must be a standard resource for containers)"}},
  };
  expect(rows);
}

TEST(PodSecurity, ContextsAndSystems) {
  auto context = [](const std::string& fields, const std::string& spec = "") { return container(R"("securityContext":{)" + fields + "}", spec); };
  auto whole = [](const std::string& fields) { return pod(R"("securityContext":{)" + fields + "}"); };
  const std::string at = in_container + "securityContext.", p = "spec.securityContext.";
  const std::string id = "must be between 0 and 2147483647, inclusive";
  const PodRow rows[] = {
      {"fine", context(R"("runAsUser":0,"runAsGroup":2147483647,"seccompProfile":{"type":"Localhost","localhostProfile":"a/b"},"capabilities":{"add":["NET_ADMIN"]})"), {}},
      {"ids", context(R"("runAsUser":-1,"runAsGroup":2147483648)"), {at + "runAsUser: Invalid value: -1: " + id, at + "runAsGroup: Invalid value: 2147483648: " + id}},
      {"ids of the pod", whole(R"("fsGroup":-1,"supplementalGroups":[1,-2])"),
       {p + "fsGroup: Invalid value: -1: " + id, p + "supplementalGroups[1]: Invalid value: -2: " + id}},
      {"/proc", context(R"("procMount":"Unmasked")"), {at + R"(procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`)"}},
      {"/proc of other users", context(R"("procMount":"Unmasked")", R"("hostUsers":false)"), {}},
      {"no rights but all", context(R"("allowPrivilegeEscalation":false,"privileged":true)"),
       {in_container + R"(securityContext: Invalid value: {"Capabilities":null,"Privileged":true,"SELinuxOptions":null,"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,"AppArmorProfile":null}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true)"}},
      {"no rights but nearly all", context(R"("allowPrivilegeEscalation":false,"capabilities":{"add":["CAP_SYS_ADMIN"]})"),
       {in_container + R"(securityContext: Invalid value: {"Capabilities":{"Add":["CAP_SYS_ADMIN"],"Drop":null},"Privileged":null,"SELinuxOptions":null,"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,"AppArmorProfile":null}: )"
            "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"}},
      {"profile without type", whole(R"("seccompProfile":{})"), {p + "seccompProfile.type: Required value: type is required when seccompProfile is set"}},
      {"profile without file", whole(R"("seccompProfile":{"type":"Localhost"})"),
       {p + "seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"}},
      {"profile with a file too many", whole(R"("seccompProfile":{"type":"Unconfined","localhostProfile":"x"})"),
       {p + R"(seccompProfile.localhostProfile: Invalid value: {"Type":"Unconfined","LocalhostProfile":"x"}: can only be set when seccomp type is Localhost)"}},
      {"AppArmor", context(R"("appArmorProfile":{"type":"Localhost","localhostProfile":" x"})"),
       {at + R"(appArmorProfile.localhostProfile: Invalid value: " x": must not be padded with whitespace)"}},
      {"AppArmor of the pod", whole(R"("appArmorProfile":{"type":"RuntimeDefault","localhostProfile":"x"})"),
       {p + R"(appArmorProfile.localhostProfile: Invalid value: "x": can only be set when AppArmor type is Localhost)"}},
      {"sysctls", whole(R"("sysctls":[{"name":"net.ipv4.ip_forward","value":"1"},{"name":"net.ipv4.ip_forward","value":"1"},{"name":"Net..x","value":""}])"),
       {p + R"(sysctls[1].name: Duplicate value: "net.ipv4.ip_forward")",
        p + R"(sysctls[2].name: Invalid value: "Net..x": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$)"}},
      {"sysctl of the node", pod(R"("hostNetwork":true,"securityContext":{"sysctls":[{"name":"net/core/somaxconn","value":"1"},{"name":"kernel.sem","value":"1"}]})"),
       {p + R"(sysctls[0].name: Invalid value: "net/core/somaxconn": may not be specified when 'hostNetwork' is true)"}},
      {"processes of the node", pod(R"("hostPID":true,"shareProcessNamespace":true)"),
       {p + "shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled"}},
      {"own users in the node's network", pod(R"("hostUsers":false,"hostNetwork":true,"hostPID":true)"),
       {"spec.hostNetwork: Forbidden: when `hostUsers` is false", "spec.HostPID: Forbidden: when `hostUsers` is false"}},
      {"no system", pod(R"("os":{})"), {"spec.os.name: Required value"}},
      {"a label of volumes that waits for a feature", whole(R"("seLinuxChangePolicy":"MountOption")"),
       {p + R"(seLinuxChangePolicy: Unsupported value: "MountOption": supported values: "Recursive")"}},
      {"another system", pod(R"("os":{"name":"plan9"})"), {R"(spec.os: Unsupported value: "plan9": supported values: "linux", "windows")"}},
      {"windows options", container(R"("securityContext":{"windowsOptions":{}})", R"("os":{"name":"linux"})"),
       {at + "windowsOptions: Forbidden: windows options cannot be set for a linux pod"}},
      {"windows", container(R"("securityContext":{"privileged":false,"runAsNonRoot":true})", R"("os":{"name":"windows"},"hostPID":true,"hostIPC":false,"securityContext":{"fsGroup":1,"sysctls":[]})"),
       {"spec.hostPID: Forbidden: cannot be set for a windows pod", "spec.securityContext.fsGroup: Forbidden: cannot be set for a windows pod",
        at + "privileged: Forbidden: cannot be set for a windows pod"}},
  };
  expect(rows);
}

TEST(PodScheduling, AffinityAndSpreading) {
  auto node = [](const std::string& fields) { return pod(R"("affinity":{"nodeAffinity":{)" + fields + "}}"); };
  auto anti = [](const std::string& term) { return pod(R"("affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{)" + term + "}]}}"); };
  auto spread = [](const std::string& fields) { return pod(R"("topologySpreadConstraints":[{)" + fields + "}]"); };
  const std::string required = "requiredDuringSchedulingIgnoredDuringExecution", preferred = "preferredDuringSchedulingIgnoredDuringExecution";
  const std::string n = "spec.affinity.nodeAffinity.", a = "spec.affinity.podAntiAffinity." + required + "[0].", s = "spec.topologySpreadConstraints[0].";
  const PodRow rows[] = {
      {"no terms", node("\"" + required + R"(":{"nodeSelectorTerms":[]})"), {n + required + ".nodeSelectorTerms: Required value: must have at least one node selector term"}},
      {"value", node("\"" + required + R"(":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In","values":["-"]}]}]})"),
       {n + required + R"(.nodeSelectorTerms[0].matchExpressions[0].values[0]: Invalid value: "-": )" + label_value}},
      {"a wish may name any value", node("\"" + preferred + R"(":[{"weight":1,"preference":{"matchExpressions":[{"key":"a","operator":"In","values":["-"]}]}}])"), {}},
      {"weight", node("\"" + preferred + R"(":[{"weight":101,"preference":{}}])"), {n + preferred + "[0].weight: Invalid value: 101: must be in the range 1-100"}},
      {"no weight", node("\"" + preferred + R"(":[{"preference":{}}])"), {n + preferred + "[0].weight: Invalid value: 0: must be in the range 1-100"}},
      {"field", node("\"" + required + R"(":{"nodeSelectorTerms":[{"matchFields":[{"key":"metadata.uid","operator":"Gt","values":["1"]}]}]})"),
       {n + required + R"(.nodeSelectorTerms[0].matchFields[0].operator: Invalid value: "Gt": not a valid selector operator)",
        n + required + R"(.nodeSelectorTerms[0].matchFields[0].key: Invalid value: "metadata.uid": not a valid field selector key)"}},
      {"near", anti(R"("topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"a":"b"}})"), {}},
      {"where", anti(R"("labelSelector":{})"), {a + "topologyKey: Required value: can not be empty", a + R"(topologyKey: Invalid value: "": )" + no_name,
                                               a + R"(topologyKey: Invalid value: "": )" + empty_name}},
      {"which", anti(R"("topologyKey":"k","labelSelector":{"matchExpressions":[{"key":"a","operator":"Is"}]},"namespaces":["A"])"),
       {a + R"(labelSelector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator)", a + R"(namespace: Invalid value: "A": )" + label}},
      {"keys without selector", anti(R"("topologyKey":"k","matchLabelKeys":["a"])"), {a + "matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"}},
      {"keys both ways", anti(R"("topologyKey":"k","labelSelector":{},"matchLabelKeys":["a"],"mismatchLabelKeys":["a"])"),
       {a + R"(matchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and mismatchLabelKeys)"}},
      {"spread", spread(R"("maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule","minDomains":2,"labelSelector":{"matchLabels":{"a":"b"}},"matchLabelKeys":["c"])"), {}},
      {"spread of nothing", spread(""),
       {s + "maxSkew: Invalid value: 0: must be greater than zero", s + "topologyKey: Required value: can not be empty",
        s + R"(whenUnsatisfiable: Unsupported value: "": supported values: "DoNotSchedule", "ScheduleAnyway")"}},
      {"domains", spread(R"("maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"ScheduleAnyway","minDomains":0)"),
       {s + "minDomains: Invalid value: 0: must be greater than zero",
        s + "minDomains: Invalid value: 0: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"}},
      {"twice", pod(R"("topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"z","whenUnsatisfiable":"DoNotSchedule"},{"maxSkew":2,"topologyKey":"z","whenUnsatisfiable":"DoNotSchedule"}])"),
       {s + R"({topologyKey, whenUnsatisfiable}: Duplicate value: "{z, DoNotSchedule}")"}},
      {"spread key", spread(R"("maxSkew":1,"topologyKey":"z","whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"a":"b"}},"matchLabelKeys":["a"])"),
       {s + R"(matchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and labelSelector)"}},
      {"toleration with a value too many", pod(R"("tolerations":[{"key":"k","operator":"Exists","value":"v"}])"),
       {R"(spec.tolerations[0].operator: Invalid value: "v": value must be empty when `operator` is 'Exists')"}},
      {"toleration of no value", pod(R"("tolerations":[{"key":"k","value":"-"}])"), {R"(spec.tolerations[0].operator: Invalid value: "-": )" + label_value}},
      {"an operator that waits for a feature", pod(R"("tolerations":[{"key":"k","operator":"Gt","value":"1"},{"key":"k","operator":"Is"}])"),
       {R"(spec.tolerations[0].operator: Unsupported value: "Gt": supported values: "Equal", "Exists", "Lt", "Gt")",
        R"(spec.tolerations[1].operator: Unsupported value: "Is": supported values: "Equal", "Exists")"}},
      {"effect after its seconds", pod(R"("tolerations":[{"key":"k","effect":"Never","tolerationSeconds":1}])"),
       {R"(spec.tolerations[0].effect: Invalid value: "Never": effect must be 'NoExecute' when `tolerationSeconds` is set)",
        R"(spec.tolerations[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute")"}},
      {"effect", pod(R"("tolerations":[{"key":"k","effect":"Never"}])"),
       {R"(spec.tolerations[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute")"}},
  };
  expect(rows);
}

TEST(PodNames, DnsGatesAndAnnotations) {
  const std::string search =
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character "
      "(e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";
  const std::string cost = "controller.kubernetes.io/pod-deletion-cost", armor = "container.apparmor.security.beta.kubernetes.io/";
  const PodRow rows[] = {
      {"DNS None", pod(R"("dnsPolicy":"None")"), {"spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"}},
      {"DNS policy", pod(R"("dnsPolicy":"Mine")"),
       {R"(spec.dnsPolicy: Unsupported value: "Mine": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")"}},
      {"searches", pod(R"("dnsConfig":{"searches":["a.b.","_tcp.x_y",".","A","a_"],"options":[{"name":"ndots","value":"2"},{}]})"),
       {R"(spec.dnsConfig.searches[3]: Invalid value: "A": )" + search, R"(spec.dnsConfig.searches[4]: Invalid value: "a_": )" + search,
        "spec.dnsConfig.options[1]: Required value: must not be empty"}},
      {"host aliases", pod(R"("hostAliases":[{"ip":"1.2.3.4","hostnames":["a.b","A"]}])"), {R"(spec.hostAliases[0].hostnames[1]: Invalid value: "A": )" + subdomain}},
      {"alias of nothing", pod(R"("hostAliases":[{}])"), {R"(spec.hostAliases[0].ip: Invalid value: "": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff))"}},
      {"names of others", pod(R"("nodeName":"A","priorityClassName":"B","runtimeClassName":"C","hostname":"a.b")"),
       {R"(spec.nodeName: Invalid value: "A": )" + subdomain, R"(spec.hostname: Invalid value: "a.b": must not contain dots)",
        R"(spec.priorityClassName: Invalid value: "B": )" + subdomain, R"(spec.runtimeClassName: Invalid value: "C": )" + subdomain}},
      {"readiness gate", pod(R"("readinessGates":[{"conditionType":""}])"), {R"(spec.readinessGates[0].conditionType: Invalid value: "": )" + no_name, R"(spec.readinessGates[0].conditionType: Invalid value: "": )" + empty_name}},
      {"scheduling gates", pod(R"("nodeName":"n","schedulingGates":[{"name":"a.b/c"},{"name":"a.b/c"}])"),
       {R"(spec.schedulingGates[1]: Duplicate value: "a.b/c")", "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"}},
      {"deletion cost", pod(R"("hostname":"h")", "\"" + cost + R"(":"2147483648")"), {"metadata.annotations[" + cost + R"(]: Invalid value: "2147483648": must be a 32bit integer)"}},
      {"a fine one", pod(R"("hostname":"h")", "\"" + cost + R"(":"-5")"), {}},
      {"mirror", pod(R"("hostname":"h")", R"("kubernetes.io/config.mirror":"x")"),
       {R"(metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set)"}},
      {"AppArmor by annotation", pod(R"("hostname":"h")", "\"" + armor + R"(z":"strict")"),
       {"metadata.annotations[" + armor + R"(z]: Invalid value: "z": container not found)",
        "metadata.annotations[" + armor + R"(z]: Invalid value: "strict": invalid AppArmor profile name: "strict")"}},
  };
  expect(rows);
}

TEST(PodTemplate, HasNoEphemeralContainersButSpacesInImages) {
  auto deployment = [](const std::string& spec) {
    return R"({"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{)" + spec + "}}}}";
  };
  EXPECT_EQ(problems("Deployment", deployment(R"("containers":[{"name":"a","image":" x"}])")), std::vector<std::string>{});
  EXPECT_EQ(problems("Deployment", deployment(R"("containers":[{"name":"a","image":"x"}],"ephemeralContainers":[{"name":"d","image":"x"}])")),
            std::vector<std::string>{"spec.template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template"});
}

TEST(PodUpdate, DeadlinesGatesAndGuests) {
  struct UpdateRow {
    const char* name;
    std::string before, after;
    std::vector<std::string> want;
  };
  const std::string gate = R"("schedulingGates":[{"name":"g"}])";
  auto gated = [&](const std::string& values) {
    return pod(gate + R"(,"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[)" + values + "]}]}}}");
  };
  const std::string one = R"({"key":"a","operator":"Exists"})", two = R"({"key":"b","operator":"Exists"})";
  const std::string terms = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
  const std::string forbidden =
      "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
      "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
  auto guest = [](const std::string& fields) { return pod(R"("ephemeralContainers":[{"name":"d","image":"x")" + fields + "}]"); };
  const std::string plain = pod(R"("hostname":"h")"), e = "spec.ephemeralContainers[0].";
  const UpdateRow rows[] = {
      {"a deadline", plain, pod(R"("hostname":"h","activeDeadlineSeconds":5)"), {}},
      {"an earlier deadline", pod(R"("activeDeadlineSeconds":5)"), pod(R"("activeDeadlineSeconds":4)"), {}},
      {"a later deadline", pod(R"("activeDeadlineSeconds":5)"), pod(R"("activeDeadlineSeconds":6)"),
       {"spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"}},
      {"no deadline", pod(R"("activeDeadlineSeconds":5)"), pod(R"("hostNetwork":false)"),
       {"spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"}},
      {"seconds of a toleration", pod(R"("tolerations":[{"key":"k","effect":"NoExecute","tolerationSeconds":1}])"),
       pod(R"("tolerations":[{"key":"k","effect":"NoExecute","tolerationSeconds":2}])"), {}},
      {"a gate less", pod(R"("schedulingGates":[{"name":"g"},{"name":"h"}])"), pod(gate), {}},
      {"a gate more", pod(gate), pod(R"("schedulingGates":[{"name":"g"},{"name":"h"}])"),
       {"spec.schedulingGates[1].name: Forbidden: only deletion is allowed, but found new scheduling gate 'h'"}},
      {"another node label, behind a gate", pod(gate), pod(gate + R"(,"nodeSelector":{"a":"b"})"), {}},
      {"another node label", plain, pod(R"("hostname":"h","nodeSelector":{"a":"b"})"), {forbidden}},
      {"a changed node label", pod(gate + R"(,"nodeSelector":{"a":"b"})"), pod(gate + R"(,"nodeSelector":{"a":"c"})"),
       {R"(spec.nodeSelector: Invalid value: {"a":"c"}: only additions to spec.nodeSelector are allowed (no mutations or deletions))"}},
      {"narrower", gated(one), gated(one + "," + two), {}},
      {"first terms", pod(gate), gated(one), {}},
      {"wider", gated(one + "," + two), gated(one),
       {terms + R"([0]: Invalid value: {"MatchExpressions":[{"Key":"a","Operator":"Exists","Values":null}],"MatchFields":null}: only additions are allowed (no mutations or deletions))"}},
      {"no terms", gated(one), pod(gate), {terms + ": Invalid value: null: no additions/deletions to non-empty NodeSelectorTerms list are allowed"}},
      {"grace", pod(R"("terminationGracePeriodSeconds":5)"), pod(R"("terminationGracePeriodSeconds":1)"), {forbidden}},
      {"init containers", pod(R"("initContainers":[{"name":"i","image":"x"}])"), pod(R"("initContainers":[])"),
       {"spec.initContainers: Forbidden: pod updates may not add or remove containers"}},
      {"a guest with claims on the pod", guest(""), guest(R"(,"ports":[{"containerPort":1}],"targetContainerName":"z","resources":{"limits":{"cpu":1}})"),
       {e + R"(targetContainerName: Not found: "z")", e + "ports: Forbidden: cannot be set for an Ephemeral Container",
        e + "resources: Forbidden: cannot be set for an Ephemeral Container"}},
  };
  for (const UpdateRow& row : rows) {
    SCOPED_TRACE(row.name);
    std::vector<std::string> found = problems("Pod", with_account(row.after), row.before);
    for (std::string& problem : found) problem = problem.substr(0, problem.find('\n'));  // What follows is the difference.
    EXPECT_EQ(found, row.want);
  }
}

// Types are checked before, but the checks must not rest on it: every value at every place of a pod, and no exception.
void every_place(json& node, const std::function<void()>& check) {
  const json values[] = {nullptr, true, -1, 1e300, "", "../x", json::array(), json::array({nullptr}), json::array({json::object()}), json::object()};
  const json kept = node;
  for (const json& value : values) {
    node = value;
    check();
  }
  node = kept;
  if (!node.is_structured()) return;
  for (json& child : node) every_place(child, check);
}

TEST(PodRules, StandAnyValueAnywhere) {
  const json before = prepared("Pod", pod(R"("volumes":[{"name":"v","projected":{"sources":[{"secret":{"name":"s","items":[{"key":"k","path":"p"}]}},
        {"downwardAPI":{"items":[{"path":"q","resourceFieldRef":{"containerName":"a","resource":"limits.cpu","divisor":"1m"}}]}},
        {"serviceAccountToken":{"path":"t"}},{"clusterTrustBundle":{"name":"n","path":"c"}}]}},{"name":"w","csi":{"driver":"d","nodePublishSecretRef":{"name":"s"}}}],
      "initContainers":[{"name":"i","image":"x","restartPolicy":"Always","ports":[{"containerPort":1,"hostPort":2}],"envFrom":[{"secretRef":{"name":"s"}}],
        "env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['a']"}}}],"volumeMounts":[{"name":"v","mountPath":"/v","subPath":"a"}],
        "resources":{"limits":{"cpu":1,"hugepages-2Mi":"2Mi"},"claims":[{"name":"g","request":"r"}]},"resizePolicy":[{"resourceName":"cpu","restartPolicy":"NotRequired"}],
        "restartPolicyRules":[{"action":"Restart","exitCodes":{"operator":"In","values":[1]}}],"volumeDevices":[{"name":"p","devicePath":"/p"}],
        "securityContext":{"runAsUser":1,"capabilities":{"add":["A"]},"allowPrivilegeEscalation":false,"seccompProfile":{"type":"Localhost","localhostProfile":"x"},
          "appArmorProfile":{"type":"Localhost","localhostProfile":"x"}}}],
      "resourceClaims":[{"name":"g","resourceClaimName":"x"}],"resources":{"limits":{"cpu":1}},"overhead":{"cpu":1},"os":{"name":"windows"},"hostUsers":false,"hostNetwork":true,
      "securityContext":{"fsGroup":1,"supplementalGroups":[1],"sysctls":[{"name":"net.a","value":"1"}]},"schedulingGates":[{"name":"g"}],
      "readinessGates":[{"conditionType":"a"}],"dnsConfig":{"nameservers":["1.1.1.1"],"searches":["a"],"options":[{"name":"n"}]},"hostAliases":[{"ip":"1.1.1.1","hostnames":["a"]}],
      "affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In","values":["b"]}],
        "matchFields":[{"key":"metadata.name","operator":"In","values":["n"]}]}]},"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"preference":{}}]},
        "podAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"podAffinityTerm":{"topologyKey":"k","labelSelector":{"matchLabels":{"a":"b"}},
          "matchLabelKeys":["c"],"mismatchLabelKeys":["d"],"namespaces":["n"]}}]}},
      "topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"k","whenUnsatisfiable":"DoNotSchedule","minDomains":1,"matchLabelKeys":["c"],"labelSelector":{}}],
      "tolerations":[{"key":"k","operator":"Equal","value":"v","effect":"NoExecute","tolerationSeconds":1}],
      "ephemeralContainers":[{"name":"d","image":"x","targetContainerName":"a"}])",
                                       R"("controller.kubernetes.io/pod-deletion-cost":"1","container.apparmor.security.beta.kubernetes.io/a":"x")"));
  json tree = before;
  const ValidateHook validate = find_validate_hook("pod");
  size_t checks = 0;
  every_place(tree, [&] {
    ++checks;
    EXPECT_NO_THROW(validate(tree, nullptr)) << tree;
    EXPECT_NO_THROW(validate(tree, &before)) << tree;
    EXPECT_NO_THROW(validate(before, &tree)) << tree;
  });
  EXPECT_GT(checks, 2000u);
}

}  // namespace
}  // namespace store
