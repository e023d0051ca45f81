// A PodSpec as upstream's internal types print it: which fields, in which order, under which names. Values and what is a
// pointer come from the table of fields.
#include "store/schema/go_pod.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/base/text.h"
#include "store/schema/rules.h"

namespace store {
namespace {

// The names of a type's fields in their order. They are the fields' names in JSON but for upper case; where they are not,
// "Name=key" says so. "Name?zero" is a field that JSON has elsewhere, and "*metadata" one that has names of its own.
struct Order {
  std::string_view type;
  std::string_view fields;
};
constexpr Order kOrders[] = {
    {"AWSElasticBlockStoreVolumeSource", "VolumeID FSType Partition ReadOnly"},
    {"Affinity", "NodeAffinity PodAffinity PodAntiAffinity"},
    {"AppArmorProfile", "Type LocalhostProfile"},
    {"AzureDiskVolumeSource", "DiskName DataDiskURI=diskURI CachingMode FSType ReadOnly Kind"},
    {"AzureFileVolumeSource", "SecretName ShareName ReadOnly"},
    {"CSIVolumeSource", "Driver ReadOnly FSType VolumeAttributes NodePublishSecretRef"},
    {"Capabilities", "Add Drop"},
    {"CephFSVolumeSource", "Monitors Path User SecretFile SecretRef ReadOnly"},
    {"CinderVolumeSource", "VolumeID FSType ReadOnly SecretRef"},
    {"ClusterTrustBundleProjection", "Name SignerName LabelSelector Optional Path"},
    {"ConfigMapEnvSource", "Name Optional"},
    {"ConfigMapKeySelector", "Name Key Optional"},
    {"ConfigMapProjection", "Name Items Optional"},
    {"ConfigMapVolumeSource", "Name Items DefaultMode Optional"},
    {"Container",
     "Name Image Command Args WorkingDir Ports EnvFrom Env Resources ResizePolicy RestartPolicy RestartPolicyRules VolumeMounts "
     "VolumeDevices LivenessProbe ReadinessProbe StartupProbe Lifecycle TerminationMessagePath TerminationMessagePolicy "
     "ImagePullPolicy SecurityContext Stdin StdinOnce TTY"},
    {"ContainerPort", "Name HostPort ContainerPort Protocol HostIP"},
    {"ContainerResizePolicy", "ResourceName RestartPolicy"},
    {"ContainerRestartRule", "Action ExitCodes"},
    {"ContainerRestartRuleOnExitCodes", "Operator Values"},
    {"DownwardAPIProjection", "Items"},
    {"DownwardAPIVolumeFile", "Path FieldRef ResourceFieldRef Mode"},
    {"DownwardAPIVolumeSource", "Items DefaultMode"},
    {"EmptyDirVolumeSource", "Medium SizeLimit"},
    {"EnvFromSource", "Prefix ConfigMapRef SecretRef"},
    {"EnvVar", "Name Value ValueFrom"},
    {"EnvVarSource", "FieldRef ResourceFieldRef ConfigMapKeyRef SecretKeyRef FileKeyRef"},
    {"EphemeralContainer",
     "Name Image Command Args WorkingDir Ports EnvFrom Env Resources ResizePolicy RestartPolicy RestartPolicyRules VolumeMounts "
     "VolumeDevices LivenessProbe ReadinessProbe StartupProbe Lifecycle TerminationMessagePath TerminationMessagePolicy "
     "ImagePullPolicy SecurityContext Stdin StdinOnce TTY TargetContainerName"},
    {"EphemeralVolumeSource", "VolumeClaimTemplate"},
    {"ExecAction", "Command"},
    {"FCVolumeSource", "TargetWWNs Lun FSType ReadOnly WWIDs"},
    {"FileKeySelector", "VolumeName Path Key Optional"},
    {"FlexVolumeSource", "Driver FSType SecretRef ReadOnly Options"},
    {"FlockerVolumeSource", "DatasetName DatasetUUID"},
    {"GCEPersistentDiskVolumeSource", "PDName FSType Partition ReadOnly"},
    {"GRPCAction", "Port Service"},
    {"GitRepoVolumeSource", "Repository Revision Directory"},
    {"GlusterfsVolumeSource", "EndpointsName=endpoints Path ReadOnly"},
    {"HTTPGetAction", "Path Port Host Scheme HTTPHeaders"},
    {"HTTPHeader", "Name Value"},
    {"HostAlias", "IP Hostnames"},
    {"HostPathVolumeSource", "Path Type"},
    {"ISCSIVolumeSource",
     "TargetPortal IQN Lun ISCSIInterface FSType ReadOnly Portals DiscoveryCHAPAuth=chapAuthDiscovery "
     "SessionCHAPAuth=chapAuthSession SecretRef InitiatorName"},
    {"ImageVolumeSource", "Reference PullPolicy"},
    {"KeyToPath", "Key Path Mode"},
    {"Lifecycle", "PostStart PreStop StopSignal"},
    {"LifecycleHandler", "Exec HTTPGet TCPSocket Sleep"},
    {"LocalObjectReference", "Name"},
    {"NFSVolumeSource", "Server Path ReadOnly"},
    {"NodeAffinity", "RequiredDuringSchedulingIgnoredDuringExecution PreferredDuringSchedulingIgnoredDuringExecution"},
    {"NodeSelector", "NodeSelectorTerms"},
    {"NodeSelectorRequirement", "Key Operator Values"},
    {"NodeSelectorTerm", "MatchExpressions MatchFields"},
    {"ObjectFieldSelector", "APIVersion FieldPath"},
    {"PersistentVolumeClaimSpec",
     "AccessModes Selector Resources VolumeName StorageClassName VolumeMode DataSource DataSourceRef VolumeAttributesClassName"},
    {"PersistentVolumeClaimTemplate", "*metadata Spec"},
    {"PersistentVolumeClaimVolumeSource", "ClaimName ReadOnly"},
    {"PhotonPersistentDiskVolumeSource", "PdID FSType"},
    {"PodAffinity", "RequiredDuringSchedulingIgnoredDuringExecution PreferredDuringSchedulingIgnoredDuringExecution"},
    {"PodAffinityTerm", "LabelSelector Namespaces TopologyKey NamespaceSelector MatchLabelKeys MismatchLabelKeys"},
    {"PodAntiAffinity", "RequiredDuringSchedulingIgnoredDuringExecution PreferredDuringSchedulingIgnoredDuringExecution"},
    {"PodCertificateProjection", "SignerName KeyType MaxExpirationSeconds CredentialBundlePath KeyPath CertificateChainPath UserAnnotations"},
    {"PodDNSConfig", "Nameservers Searches Options"},
    {"PodDNSConfigOption", "Name Value"},
    {"PodOS", "Name"},
    {"PodReadinessGate", "ConditionType"},
    {"PodResourceClaim", "Name ResourceClaimName ResourceClaimTemplateName"},
    {"PodSchedulingGate", "Name"},
    {"PodSchedulingGroup", "PodGroupName"},
    {"PodSecurityContext",
     "HostNetwork?false HostPID?false HostIPC?false ShareProcessNamespace?null HostUsers?null SELinuxOptions WindowsOptions "
     "RunAsUser RunAsGroup RunAsNonRoot SupplementalGroups SupplementalGroupsPolicy FSGroup FSGroupChangePolicy Sysctls "
     "SeccompProfile AppArmorProfile SELinuxChangePolicy"},
    {"PodSpec",
     "Volumes InitContainers Containers EphemeralContainers RestartPolicy TerminationGracePeriodSeconds ActiveDeadlineSeconds "
     "DNSPolicy NodeSelector ServiceAccountName AutomountServiceAccountToken NodeName SecurityContext ImagePullSecrets Hostname "
     "Subdomain SetHostnameAsFQDN Affinity SchedulerName Tolerations HostAliases PriorityClassName Priority PreemptionPolicy "
     "DNSConfig ReadinessGates RuntimeClassName Overhead EnableServiceLinks TopologySpreadConstraints OS SchedulingGates "
     "ResourceClaims Resources HostnameOverride SchedulingGroup"},
    {"PortworxVolumeSource", "VolumeID FSType ReadOnly"},
    {"PreferredSchedulingTerm", "Weight Preference"},
    {"Probe",
     "Exec HTTPGet TCPSocket GRPC InitialDelaySeconds TimeoutSeconds PeriodSeconds SuccessThreshold FailureThreshold "
     "TerminationGracePeriodSeconds"},
    {"ProjectedVolumeSource", "Sources DefaultMode"},
    {"QuobyteVolumeSource", "Registry Volume ReadOnly User Group Tenant"},
    {"RBDVolumeSource", "CephMonitors=monitors RBDImage=image FSType RBDPool=pool RadosUser=user Keyring SecretRef ReadOnly"},
    {"ResourceClaim", "Name Request"},
    {"ResourceFieldSelector", "ContainerName Resource Divisor"},
    {"ResourceRequirements", "Limits Requests Claims"},
    {"SELinuxOptions", "User Role Type Level"},
    {"ScaleIOVolumeSource", "Gateway System SecretRef SSLEnabled ProtectionDomain StoragePool StorageMode VolumeName FSType ReadOnly"},
    {"SeccompProfile", "Type LocalhostProfile"},
    {"SecretEnvSource", "Name Optional"},
    {"SecretKeySelector", "Name Key Optional"},
    {"SecretProjection", "Name Items Optional"},
    {"SecretVolumeSource", "SecretName Items DefaultMode Optional"},
    {"SecurityContext",
     "Capabilities Privileged SELinuxOptions WindowsOptions RunAsUser RunAsGroup RunAsNonRoot ReadOnlyRootFilesystem "
     "AllowPrivilegeEscalation ProcMount SeccompProfile AppArmorProfile"},
    {"ServiceAccountTokenProjection", "Audience ExpirationSeconds Path"},
    {"SleepAction", "Seconds"},
    {"StorageOSVolumeSource", "VolumeName VolumeNamespace FSType ReadOnly SecretRef"},
    {"Sysctl", "Name Value"},
    {"TCPSocketAction", "Port Host"},
    {"Toleration", "Key Operator Value Effect TolerationSeconds"},
    {"TopologySpreadConstraint",
     "MaxSkew TopologyKey WhenUnsatisfiable LabelSelector MinDomains NodeAffinityPolicy NodeTaintsPolicy MatchLabelKeys"},
    {"TypedLocalObjectReference", "APIGroup Kind Name"},
    {"TypedObjectReference", "APIGroup Kind Name Namespace"},
    {"Volume",
     "Name HostPath EmptyDir GCEPersistentDisk AWSElasticBlockStore GitRepo Secret NFS ISCSI Glusterfs PersistentVolumeClaim RBD "
     "Quobyte FlexVolume Cinder CephFS Flocker DownwardAPI FC AzureFile ConfigMap VsphereVolume AzureDisk PhotonPersistentDisk "
     "Projected PortworxVolume ScaleIO StorageOS CSI Ephemeral Image"},
    {"VolumeDevice", "Name DevicePath"},
    {"VolumeMount", "Name ReadOnly RecursiveReadOnly MountPath SubPath MountPropagation SubPathExpr"},
    {"VolumeProjection", "Secret DownwardAPI ConfigMap ServiceAccountToken ClusterTrustBundle PodCertificate"},
    {"VolumeResourceRequirements", "Limits Requests"},
    {"VsphereVirtualDiskVolumeSource", "VolumePath FSType StoragePolicyName StoragePolicyID"},
    {"WeightedPodAffinityTerm", "Weight PodAffinityTerm"},
    {"WindowsSecurityContextOptions", "GMSACredentialSpecName GMSACredentialSpec RunAsUserName HostProcess"},
};

std::string_view order_of(const Type& type) {
  const std::string_view name = type.name.substr(type.name.rfind('.') + 1);
  const auto at = std::lower_bound(std::begin(kOrders), std::end(kOrders), name, [](const Order& row, std::string_view wanted) { return row.type < wanted; });
  return at != std::end(kOrders) && at->type == name ? at->fields : std::string_view();
}

// JSON as Go's MarshalIndent writes it with one space a level.
class Printer {
 public:
  std::string text;

  void open(char bracket) {
    text += bracket;
    ++depth_;
    first_ = true;
  }
  void close(char bracket) {
    --depth_;
    if (!first_) line();
    text += bracket;
    first_ = false;
  }
  void next() {
    if (!first_) text += ',';
    first_ = false;
    line();
  }
  void key(std::string_view name) {
    next();
    text.append(shown(std::string(name))).append(": ");
  }
  void scalar(const json& value) {
    for (const char c : shown(value)) {
      if (c == '<') text += "\\u003c";
      else if (c == '>') text += "\\u003e";
      else if (c == '&') text += "\\u0026";
      else text += c;
    }
  }

 private:
  void line() { text.append("\n").append(depth_, ' '); }

  size_t depth_ = 0;
  bool first_ = true;
};

const json& pod_member(const json& object, std::string_view key) {
  static const json kNull;
  const auto at = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && at != object.end() ? *at : kNull;
}

void print_plain(const json& value, Printer& out) {
  if (!value.is_structured()) return out.scalar(value);
  out.open(value.is_array() ? '[' : '{');
  for (auto it = value.begin(); it != value.end(); ++it) {
    if (value.is_array()) out.next();
    else out.key(it.key());
    print_plain(*it, out);
  }
  out.close(value.is_array() ? ']' : '}');
}

// A LabelSelector has names for JSON and leaves out what is empty.
void print_selector(const json& selector, Printer& out) {
  out.open('{');
  if (const json& labels = object_at(selector, "matchLabels"); !labels.empty()) out.key("matchLabels"), print_plain(labels, out);
  if (const json& expressions = array_at(selector, "matchExpressions"); !expressions.empty()) {
    out.key("matchExpressions");
    out.open('[');
    for (const json& expression : expressions) {
      out.next();
      out.open('{');
      for (const char* field : {"key", "operator"}) out.key(field), out.scalar(string_at(expression, field));
      if (const json& values = array_at(expression, "values"); !values.empty()) out.key("values"), print_plain(values, out);
      out.close('}');
    }
    out.close(']');
  }
  out.close('}');
}

void print(const json& value, const Type& type, Printer& out);

void print_list(const json& list, const Type& element, Printer& out) {
  out.open('[');
  for (const json& value : list) {
    out.next();
    print(value, element, out);
  }
  out.close(']');
}

const char* zero_of(const Field& field) {
  if (field.pointer) return "null";
  switch (field.type->kind) {
    case TypeKind::kString: return "\"\"";
    case TypeKind::kInteger:
    case TypeKind::kIntOrString: return "0";
    case TypeKind::kBoolean: return "false";
    case TypeKind::kQuantity: return "\"0\"";
    default: return "null";
  }
}

const Field* field_named(const Type& type, std::string_view key) {
  const std::string wanted = base::lower(key);
  const auto at = std::find_if(type.fields.begin(), type.fields.end(), [&](const Field& field) { return base::lower(field.name) == wanted; });
  return at == type.fields.end() ? nullptr : &*at;
}

void print_field(const json& object, const Type& type, std::string_view word, Printer& out) {
  const size_t sign = word.find_first_of("=?");
  const std::string_view name = word.substr(0, sign);
  if (sign != std::string_view::npos && word[sign] == '?') {
    const json& value = pod_member(object, base::lower(name.substr(0, 1)) + std::string(name.substr(1)));
    out.key(name);
    if (value.is_null()) out.text.append(word.substr(sign + 1));
    else out.scalar(value);
    return;
  }
  const Field* field = field_named(type, sign == std::string_view::npos ? name : word.substr(sign + 1));
  if (!field) return;
  const json& value = pod_member(object, field->name);
  out.key(name);
  const bool holds_struct = field->type->kind == TypeKind::kObject && !field->pointer;
  if (!value.is_null() || holds_struct) print(value, *field->type, out);
  else out.text.append(zero_of(*field));
}

void print(const json& value, const Type& type, Printer& out) {
  if (type.kind == TypeKind::kList && value.is_array()) return print_list(value, *type.element, out);
  if (type.kind != TypeKind::kObject || (!value.is_object() && !value.is_null())) return print_plain(value, out);
  if (type.name.ends_with(".LabelSelector")) return print_selector(value, out);
  std::string_view words = order_of(type);
  out.open('{');
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(' '));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    if (!word.starts_with('*')) {
      print_field(value, type, word, out);
      continue;
    }
    const json& metadata = pod_member(value, word.substr(1));
    for (const char* map : {"labels", "annotations"}) {
      if (!object_at(metadata, map).empty()) out.key(map), print_plain(metadata[map], out);
    }
  }
  out.close('}');
}

}  // namespace

std::string pod_spec_text(const json& spec) {
  static const Type* const kType = find_type("io.k8s.api.core.v1.PodSpec");
  json moved = spec.is_object() ? spec : json::object();
  // What a pod shares with its node is part of the security context there.
  json& context = moved["securityContext"];
  if (!context.is_object()) context = json::object();
  for (const char* field : {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"}) {
    if (moved.contains(field)) context[field] = moved[field];
  }
  Printer out;
  print(moved, *kType, out);
  return std::move(out.text);
}

}  // namespace store
