// The pure operations of schema.h, by tables of {name, in, want}.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "store/schema/canonical.h"
#include "store/schema/schema.h"

namespace store {
namespace {

const Type& type_of(const char* api_version, const char* kind) { return *builtin_registry().find_kind(api_version, kind)->type; }
const Type& named(const char* name) { return *find_type(name); }
const char kPod[] = "io.k8s.api.core.v1.Pod";
const char kPodSpec[] = "io.k8s.api.core.v1.PodSpec";
const char kService[] = "io.k8s.api.core.v1.Service";
const char kDeployment[] = "io.k8s.api.apps.v1.Deployment";
const char kConfigMap[] = "io.k8s.api.core.v1.ConfigMap";
const char kSecretType[] = "io.k8s.api.core.v1.Secret";
const char kEndpointSlice[] = "io.k8s.api.discovery.v1.EndpointSlice";

std::vector<std::string> texts(const std::vector<base::Cause>& causes) {
  std::vector<std::string> out;
  for (const base::Cause& cause : causes) out.push_back(cause.reason + " " + cause.field + ": " + cause.message);
  return out;
}

TEST(Prune, RemovesAndNamesUnknownFields) {
  struct Row {
    const char* name;
    const char* type;
    const char* in;
    const char* left;
    std::vector<std::string> want;
  };
  const Row rows[] = {
      {"nothing unknown", kPod, R"({"spec":{"nodeName":"a"}})", R"({"spec":{"nodeName":"a"}})", {}},
      {"top level", kPod, R"({"foo":1})", R"({})", {R"(unknown field "foo")"}},
      {"in a list",
       kPod,
       R"({"spec":{"containers":[{"name":"a"},{"imag":"x"}]}})",
       R"({"spec":{"containers":[{"name":"a"},{}]}})",
       {R"(unknown field "spec.containers[1].imag")"}},
      {"several, in field order",
       kPod,
       R"({"spec":{"b":1,"a":2}})",
       R"({"spec":{}})",
       {R"(unknown field "spec.a")", R"(unknown field "spec.b")"}},
      {"names are case-sensitive", kPod, R"({"spec":{"NodeName":"a"}})", R"({"spec":{}})", {R"(unknown field "spec.NodeName")"}},
      {"map keys are free", kConfigMap, R"({"data":{"any.key":"x"}})", R"({"data":{"any.key":"x"}})", {}},
      {"arbitrary JSON is kept",
       kPod,
       R"({"metadata":{"managedFields":[{"fieldsV1":{"f:spec":{"x":{}}}}]}})",
       R"({"metadata":{"managedFields":[{"fieldsV1":{"f:spec":{"x":{}}}}]}})",
       {}},
      {"another JSON type is left alone", kPod, R"({"spec":[1]})", R"({"spec":[1]})", {}},
      {"not even an object", kPod, "7", "7", {}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    json tree = json::parse(row.in);
    EXPECT_EQ(prune_unknown(tree, named(row.type)), row.want);
    EXPECT_EQ(tree, json::parse(row.left));
  }
}

TEST(DropNulls, FollowsTheDecoder) {
  struct Row {
    const char* name;
    const char* type;
    const char* in;
    const char* want;
  };
  const Row rows[] = {
      {"field", kPod, R"({"metadata":{"creationTimestamp":null,"name":"a"},"status":null})", R"({"metadata":{"name":"a"}})"},
      {"map value becomes empty", kConfigMap, R"({"data":{"a":null}})", R"({"data":{"a":""}})"},
      {"list element becomes empty", kPodSpec, R"({"containers":[null,{"args":[null,"x"]}]})", R"({"containers":[{},{"args":["","x"]}]})"},
      {"arbitrary JSON keeps it", kPod, R"({"metadata":{"managedFields":[{"fieldsV1":{"f:a":null}}]}})",
       R"({"metadata":{"managedFields":[{"fieldsV1":{"f:a":null}}]}})"},
      {"unknown field keeps it", kPod, R"({"foo":null})", R"({"foo":null})"},
      {"resource quantity", kPodSpec, R"({"containers":[{"resources":{"limits":{"cpu":null}}}]})",
       R"({"containers":[{"resources":{"limits":{"cpu":"0"}}}]})"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    json tree = json::parse(row.in);
    drop_nulls(tree, named(row.type));
    EXPECT_EQ(tree, json::parse(row.want));
  }
}

TEST(Defaults, AreFilledUnderPresentParents) {
  struct Row {
    const char* name;
    const char* type;
    const char* in;
    const char* want;
  };
  const Row rows[] = {
      {"pod spec", kPodSpec, "{}",
       R"({"containers":null,"dnsPolicy":"ClusterFirst","restartPolicy":"Always","schedulerName":"default-scheduler","securityContext":{},"terminationGracePeriodSeconds":30})"},
      {"a given value stays", kPodSpec,
       R"({"restartPolicy":"Never","dnsPolicy":"Default","schedulerName":"s","terminationGracePeriodSeconds":0,"securityContext":{"runAsUser":1}})",
       R"({"containers":null,"restartPolicy":"Never","dnsPolicy":"Default","schedulerName":"s","terminationGracePeriodSeconds":0,"securityContext":{"runAsUser":1}})"},
      {"an empty string reads as absent", kService, R"({"spec":{"type":"","sessionAffinity":"ClientIP"},"status":{}})",
       R"({"metadata":{},"spec":{"type":"ClusterIP","sessionAffinity":"ClientIP"},"status":{"loadBalancer":{}}})"},
      {"service", kService, R"({"spec":{"ports":[{"port":80}]}})",
       R"({"metadata":{},"spec":{"ports":[{"port":80,"protocol":"TCP","targetPort":0}],"sessionAffinity":"None","type":"ClusterIP"},"status":{"loadBalancer":{}}})"},
      {"container", "io.k8s.api.core.v1.Container", R"({"name":"a","ports":[{"containerPort":80}]})",
       R"({"name":"a","ports":[{"containerPort":80,"protocol":"TCP"}],"resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"})"},
      {"probe: zero reads as absent, but not everywhere", "io.k8s.api.core.v1.Probe",
       R"({"periodSeconds":0,"initialDelaySeconds":0,"httpGet":{"port":80}})",
       R"({"periodSeconds":10,"timeoutSeconds":1,"successThreshold":1,"failureThreshold":3,"httpGet":{"port":80,"path":"/","scheme":"HTTP"}})"},
      {"replica set", "io.k8s.api.apps.v1.ReplicaSetSpec", R"({"replicas":0,"selector":{},"template":{"spec":{"containers":null}}})",
       R"({"replicas":0,"selector":{},"template":{"metadata":{},"spec":{"containers":null,"dnsPolicy":"ClusterFirst","restartPolicy":"Always",
           "schedulerName":"default-scheduler","securityContext":{},"terminationGracePeriodSeconds":30}}})"},
      {"a default object gets its own defaults", "io.k8s.api.core.v1.Namespace", "{}", R"({"metadata":{},"spec":{},"status":{"phase":"Active"}})"},
      {"numbers become quantities", kPodSpec,
       R"({"containers":[],"overhead":{"cpu":1,"memory":"1Gi"},"dnsPolicy":"None","restartPolicy":"Never","schedulerName":"x","securityContext":{},"terminationGracePeriodSeconds":1})",
       R"({"containers":null,"overhead":{"cpu":"1","memory":"1Gi"},"dnsPolicy":"None","restartPolicy":"Never","schedulerName":"x","securityContext":{},"terminationGracePeriodSeconds":1})"},
      {"another JSON type is left alone", kPodSpec, "[]", "[]"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    json tree = json::parse(row.in);
    apply_defaults(tree, named(row.type));
    EXPECT_EQ(tree, json::parse(row.want));
    json again = tree;
    apply_defaults(again, named(row.type));
    EXPECT_EQ(again, tree) << "not idempotent";
  }
}

// Go decodes into structs, and encodes those again.
TEST(Defaults, LeaveTheZeroValuesThatUpstreamShows) {
  struct Row {
    const char* name;
    const char* type;
    const char* in;
    const char* want;
  };
  const Row rows[] = {
      {"zeros of fields that are no pointers go", "io.k8s.api.core.v1.ServiceAccount",
       R"({"metadata":{"generateName":"","labels":{},"finalizers":[],"deletionGracePeriodSeconds":0},"imagePullSecrets":[],"automountServiceAccountToken":false})",
       R"({"metadata":{"deletionGracePeriodSeconds":0},"automountServiceAccountToken":false})"},
      {"elements stay", "io.k8s.api.core.v1.ConfigMap", R"({"metadata":{"finalizers":[""]},"data":{"a":""},"binaryData":{"b":""}})",
       R"({"metadata":{"finalizers":[""]},"data":{"a":""},"binaryData":{"b":""}})"},
      {"objects by pointer stay empty, those by value come", "io.k8s.api.networking.v1.NetworkPolicyPeer",
       R"({"podSelector":{},"ipBlock":{}})", R"({"podSelector":{},"ipBlock":{"cidr":""}})"},
      {"and bring what is in them", "io.k8s.api.batch.v1.CronJobSpec", R"({"schedule":"* * * * *","suspend":false})",
       R"({"schedule":"* * * * *","suspend":false,"concurrencyPolicy":"Allow","successfulJobsHistoryLimit":3,"failedJobsHistoryLimit":1,
           "jobTemplate":{"metadata":{},"spec":{"template":{"metadata":{},"spec":{"containers":null,"dnsPolicy":"ClusterFirst",
             "restartPolicy":"Always","schedulerName":"default-scheduler","securityContext":{},"terminationGracePeriodSeconds":30}}}}})"},
      {"numbers", "io.k8s.api.policy.v1.PodDisruptionBudgetStatus", R"({"currentHealthy":2,"observedGeneration":0})",
       R"({"currentHealthy":2,"desiredHealthy":0,"disruptionsAllowed":0,"expectedPods":0})"},
      {"lists are nil", "io.k8s.api.rbac.v1.Role", R"({"rules":[]})", R"({"metadata":{},"rules":null})"},
      {"times", "io.k8s.api.core.v1.PodCondition", R"({"type":"Ready","status":"True","reason":"","lastTransitionTime":"2026-01-02T05:04:05.5+02:00"})",
       R"({"type":"Ready","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-01-02T03:04:05Z"})"},
      {"pointers without omitempty", "io.k8s.api.networking.v1.HTTPIngressPath", R"({"path":""})", R"({"backend":{},"pathType":null})"},
      {"a pointer's text is no default", "io.k8s.api.storage.v1.CSIDriverSpec", R"({"fsGroupPolicy":""})",
       R"({"attachRequired":true,"fsGroupPolicy":"","podInfoOnMount":false,"requiresRepublish":false,"seLinuxMount":false,"storageCapacity":false,"volumeLifecycleModes":["Persistent"]})"},
      {"what is no type's business", "io.k8s.api.apps.v1.ControllerRevision", R"({"data":{"a":"","b":[]}})", R"({"metadata":{},"data":{"a":"","b":[]},"revision":0})"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    json tree = json::parse(row.in);
    apply_defaults(tree, named(row.type));
    EXPECT_EQ(tree, json::parse(row.want)) << tree.dump();
    json again = tree;
    apply_defaults(again, named(row.type));
    EXPECT_EQ(again, tree) << "not idempotent";
  }
}

TEST(Canonical, ValuesHaveOneForm) {
  struct Row {
    TypeKind kind;
    const char* in;
    const char* want;
  };
  const Row rows[] = {
      {TypeKind::kQuantity, "0", "0"},          {TypeKind::kQuantity, "0.0", "0"},         {TypeKind::kQuantity, "0Gi", "0"},
      {TypeKind::kQuantity, "0.1", "100m"},     {TypeKind::kQuantity, "1000", "1k"},       {TypeKind::kQuantity, "1.5", "1500m"},
      {TypeKind::kQuantity, "1.500", "1.500"},  {TypeKind::kQuantity, "2000m", "2"},       {TypeKind::kQuantity, "100m", "100m"},
      {TypeKind::kQuantity, "-0.1", "-100m"},   {TypeKind::kQuantity, "+5", "+5"},         {TypeKind::kQuantity, "1Gi", "1Gi"},
      {TypeKind::kQuantity, "1024Mi", "1Gi"},   {TypeKind::kQuantity, "1025Ki", "1025Ki"}, {TypeKind::kQuantity, "0.5Gi", "512Mi"},
      {TypeKind::kQuantity, "0.9Ki", "921600m"}, {TypeKind::kQuantity, "1.1Gi", "1181116006400m"},
      {TypeKind::kQuantity, "1e3", "1e3"},      {TypeKind::kQuantity, "1e1", "10"},        {TypeKind::kQuantity, "1000e3", "1e6"},
      {TypeKind::kQuantity, "0.0000000001", "1n"}, {TypeKind::kQuantity, "8Ei", "9223372036854775807"},
      {TypeKind::kQuantity, "123456789.123456789123", "123456789123456790n"}, {TypeKind::kQuantity, "none", "none"},
      {TypeKind::kTime, "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"},
      {TypeKind::kTime, "2026-01-02T03:04:05.9-01:00", "2026-01-02T04:04:05Z"},
      {TypeKind::kMicroTime, "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"},
      {TypeKind::kBytes, "YWJj\r\nZGVm\n", "YWJjZGVm"},
      {TypeKind::kString, "0.1\n", "0.1\n"},
  };
  for (const Row& row : rows) {
    json value = row.in;
    canonicalise(value, row.kind);
    EXPECT_EQ(value, row.want) << row.in;
  }
  json number = 1500;
  canonicalise(number, TypeKind::kQuantity);
  EXPECT_EQ(number, "1500");
}

TEST(CheckTypes, WordsProblemsAsTheDecoderDoes) {
  struct Row {
    const char* name;
    const char* type;
    const char* in;
    const char* want;  // After "X in version ... cannot be handled as a X: "; "" = fine.
  };
  const Row rows[] = {
      {"fine", kPod, R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":80}]}],"nodeName":null}})", ""},
      {"string for list", kPod, R"({"spec":{"containers":"x"}})",
       "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container"},
      {"object for list", kPod, R"({"spec":{"containers":{}}})",
       "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container"},
      {"string for int32", kDeployment, R"({"spec":{"replicas":"3"}})",
       "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"},
      {"fraction for int32", kDeployment, R"({"spec":{"replicas":1.5}})",
       "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32"},
      {"too large for int32", kDeployment, R"({"spec":{"replicas":4294967296}})",
       "json: cannot unmarshal number 4294967296 into Go struct field DeploymentSpec.spec.replicas of type int32"},
      {"too large for int64", kPod, R"({"spec":{"terminationGracePeriodSeconds":18446744073709551615}})",
       "json: cannot unmarshal number 18446744073709551615 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64"},
      {"number for env value", kDeployment, R"({"spec":{"template":{"spec":{"containers":[{"env":[{"name":"A","value":1}]}]}}}})",
       "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string"},
      {"number for label", kPod, R"({"metadata":{"labels":{"a":1}}})",
       "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"},
      {"bool for data", kConfigMap, R"({"data":{"a":true}})",
       "json: cannot unmarshal bool into Go struct field ConfigMap.data of type string"},
      {"list for map", kConfigMap, R"({"data":["a"]})",
       "json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string"},
      {"string for struct", kPod, R"({"spec":"x"})", "json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec"},
      {"string for bool", kPod, R"({"spec":{"hostNetwork":"yes"}})",
       "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool"},
      {"not an object", kPod, "[]", "json: cannot unmarshal array into Go value of type v1.Pod"},
      {"int or string", kService, R"({"spec":{"ports":[{"port":80,"targetPort":true}]}})",
       "json: cannot unmarshal bool into Go value of type int32"},
      {"int or string, both fine", kService, R"({"spec":{"ports":[{"targetPort":80},{"targetPort":"http"}]}})", ""},
      {"quantity", kPodSpec, R"({"overhead":{"cpu":"lots"}})",
       "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"},
      {"quantity suffix", kPodSpec, R"({"overhead":{"cpu":"1MM"}})", "unable to parse quantity's suffix"},
      {"quantities, all fine", kPodSpec, R"({"overhead":{"a":"100m","b":1,"c":"1.5Gi","d":"1e3","e":"-1","f":".5","g":0.1,"h":"2E"}})", ""},
      {"time", kPod, R"({"metadata":{"creationTimestamp":"soon"}})",
       R"(parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006")"},
      {"time, later part", kPod, R"({"metadata":{"creationTimestamp":"2026-01-02 03:04:05Z"}})",
       R"(parsing time "2026-01-02 03:04:05Z" as "2006-01-02T15:04:05Z07:00": cannot parse " 03:04:05Z" as "T")"},
      {"time of wrong type", kPod, R"({"metadata":{"creationTimestamp":5}})", "json: cannot unmarshal number into Go value of type string"},
      {"times, fine", kPod,
       R"({"metadata":{"creationTimestamp":"2026-01-02T03:04:05.123456+02:00","deletionTimestamp":"2026-01-02T03:04:05Z"}})", ""},
      {"base64", kSecretType, R"({"data":{"a":"abc!"}})", "illegal base64 data at input byte 3"},
      {"base64 padding", kSecretType, R"({"data":{"a":"abc"}})", "illegal base64 data at input byte 3"},
      {"base64, fine", kSecretType, R"({"data":{"a":"aGk=","b":"","c":"aGVs\nbG8h"}})", ""},
      {"unknown fields are not its business", kPod, R"({"foo":1})", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const base::Status status = check_types(json::parse(row.in), named(row.type), "v1", "X");
    if (*row.want == '\0') {
      EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().message);
      continue;
    }
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, base::Code::kBadRequest);
    EXPECT_EQ(status.error().message, std::string("X in version \"v1\" cannot be handled as a X: ") + row.want);
  }
  const Resource& deployment = *builtin_registry().find_kind("apps/v1", "Deployment");
  EXPECT_EQ(check_types(json::parse(R"({"spec":1})"), deployment).error().message,
            "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal number into Go struct field "
            "Deployment.spec of type v1.DeploymentSpec");
}

const char kAddress[] = "io.k8s.api.core.v1.NodeAddress";
const char kMutation[] = "io.k8s.api.admissionregistration.v1.Mutation";
const char kVolume[] = "io.k8s.api.core.v1.PersistentVolumeSpec";

TEST(ValidateFields, CollectsAllCausesInFieldOrder) {
  struct Row {
    const char* name;
    const char* type;
    const char* in;
    std::vector<std::string> want;
  };
  const Row rows[] = {
      {"fine", kAddress, R"({"type":"a","address":"b"})", {}},
      {"absent", kAddress, R"({"type":"a"})", {"FieldValueRequired address: Required value"}},
      {"empty list",
       "io.k8s.api.core.v1.CephFSPersistentVolumeSource",
       R"({"monitors":[]})",
       {"FieldValueRequired monitors: Required value"}},
      {"empty string, nested",
       "io.k8s.api.core.v1.NodeStatus",
       R"({"addresses":[{"type":"a","address":"b"},{"type":"","address":""}]})",
       {"FieldValueRequired addresses[1].address: Required value", "FieldValueRequired addresses[1].type: Required value"}},
      {"enum",
       kMutation,
       R"({"patchType":"Text"})",
       {R"(FieldValueNotSupported patchType: Unsupported value: "Text": supported values: "ApplyConfiguration", "JSONPatch")"}},
      {"enum, a pointer's empty text is a value",
       kVolume,
       R"({"volumeMode":""})",
       {R"(FieldValueNotSupported volumeMode: Unsupported value: "": supported values: "Block", "Filesystem")"}},
      {"range",
       kService,
       R"({"spec":{"ports":[{"port":70000}]}})",
       {"FieldValueInvalid spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive"}},
      {"range, beyond 64 bits",
       kService,
       R"({"spec":{"ports":[{"port":18446744073709551615}]}})",
       {"FieldValueInvalid spec.ports[0].port: Invalid value: 18446744073709551615: must be between 1 and 65535, inclusive"}},
      {"minimum",
       "io.k8s.api.autoscaling.v1.ScaleSpec",
       R"({"replicas":-1})",
       {"FieldValueInvalid replicas: Invalid value: -1: must be greater than or equal to 0"}},
      {"what hooks check", kPodSpec, R"({"restartPolicy":"Sometimes"})", {}},
      {"only said in OpenAPI", "io.k8s.api.core.v1.ContainerStatus", "{}", {}},
      {"wrong types are not its business", kMutation, R"({"patchType":5})", {}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(texts(validate_fields(json::parse(row.in), named(row.type))), row.want);
  }
  json endpoints = json::array();
  for (int i = 0; i < 1001; ++i) endpoints.push_back({{"addresses", {"10.0.0.1"}}});
  EXPECT_EQ(texts(validate_fields({{"addressType", "IPv4"}, {"endpoints", endpoints}}, named(kEndpointSlice))),
            std::vector<std::string>{"FieldValueTooMany endpoints: Too many: 1001: must have at most 1000 items"});
}

TEST(ValidateImmutable, ComparesMarkedFields) {
  Type spec = named("io.k8s.api.apps.v1.DeploymentSpec");
  std::vector<Field> fields(spec.fields.begin(), spec.fields.end());
  for (Field& field : fields) field.immutable = field.name == "selector";
  spec.fields = fields;
  struct Row {
    const char* name;
    const char *before, *after;
    std::vector<std::string> want;
  };
  const Row rows[] = {
      {"same", R"({"selector":{"matchLabels":{"a":"b"}}})", R"({"selector":{"matchLabels":{"a":"b"}}})", {}},
      {"changed",
       R"({"selector":{"matchLabels":{"a":"b"}}})",
       R"({"selector":{"matchLabels":{"a":"c"}}})",
       {R"(FieldValueInvalid selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable)"}},
      {"removed", R"({"selector":{}})", "{}", {"FieldValueInvalid selector: Invalid value: null: field is immutable"}},
      {"others may change", R"({"replicas":1})", R"({"replicas":2})", {}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(texts(validate_immutable(json::parse(row.before), json::parse(row.after), spec)), row.want);
  }
}

TEST(StoredOnly, NamesWhatIsKeptButNotActedOn) {
  struct Row {
    const char* name;
    const char* type;
    const char* in;
    std::vector<std::string> want;
  };
  const Row rows[] = {
      {"an ordinary pod says nothing",
       kPodSpec,
       R"({"containers":[{"name":"a","image":"b","imagePullPolicy":"Always","resources":{"requests":{"cpu":"1"}}}],"restartPolicy":"Always","schedulerName":"default-scheduler"})",
       {}},
      {"identities and limits",
       kPodSpec,
       R"({"containers":[{"livenessProbe":{"exec":{}},"securityContext":{"runAsUser":1},"resources":{"limits":{"cpu":"1"}}}]})",
       {"containers[0].resources.limits", "containers[0].securityContext"}},
      {"empty values say nothing",
       kPodSpec,
       R"({"securityContext":{},"hostNetwork":false,"priorityClassName":"","imagePullSecrets":[]})",
       {}},
      {"security context", kPodSpec, R"({"securityContext":{"runAsUser":0}})", {"securityContext"}},
      {"a default says nothing", kService, R"({"spec":{"sessionAffinity":"None"}})", {}},
      {"nothing of a Service", kService, R"({"spec":{"sessionAffinity":"ClientIP","externalIPs":["1.2.3.4"],"trafficDistribution":"PreferSameZone"}})", {}},
      {"below a template", kDeployment, R"({"spec":{"template":{"spec":{"hostPID":true}}}})", {"spec.template.spec.hostPID"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(stored_only_fields(json::parse(row.in), named(row.type)), row.want);
  }
}

// Any JSON must pass through every operation without harm.
TEST(Operations, TakeAnyJson) {
  const char* inputs[] = {"null",
                          "1",
                          "\"x\"",
                          "[]",
                          "[[[{}]]]",
                          R"({"spec":{"containers":[1,"x",null,[],{"ports":{"a":1}}]},"metadata":7})",
                          R"({"data":{"a":{"b":[]}},"subsets":[null,{"addresses":"x"}],"status":[]})"};
  for (const char* input : inputs) {
    for (const Resource* resource : builtin_registry().resources()) {
      SCOPED_TRACE(std::string(input) + " as " + std::string(resource->kind));
      json tree = json::parse(input);
      base::ignore(check_types(tree, *resource), "only that it returns");
      stored_only_fields(tree, *resource->type);
      validate_fields(tree, *resource->type);
      validate_immutable(tree, json::parse(input), *resource->type);
      drop_nulls(tree, *resource->type);
      prune_unknown(tree, *resource->type);
      apply_defaults(tree, *resource->type);
    }
  }
  EXPECT_EQ(type_of("v1", "Pod").name, kPod);
}

}  // namespace
}  // namespace store
