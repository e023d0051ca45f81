// store/schema/rules.h - private to store/schema: checks that several kinds share, and the hooks by kind. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/ip.h"
#include "store/base/result.h"
#include "store/schema/hooks.h"
#include "store/schema/validate.h"

namespace store {

inline constexpr std::string_view kProtocols[] = {"SCTP", "TCP", "UDP"};
inline constexpr std::string_view kAccessModes[] = {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"};
inline constexpr std::string_view kBadIp = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
inline constexpr std::string_view kIpWithFamily[] = {"must be a valid IPv4 address", "must be a valid IPv6 address"};

// Adds cause_invalid(field, value, problem) for each of the problems, which are joined with "; "; none when it is empty.
void add_problem(Causes& causes, const std::string& field, const json& value, const std::string& problem);
std::string port_name_problem(std::string_view name);  // IANA service name
std::string port_number_problem(int64_t port);         // 1 to 65535
// A DNS name of two parts at least, with or without the dot at its end.
void check_domain_name(const std::string& name, const std::string& field, Causes& causes);
std::string config_key_problem(std::string_view key);  // Keys of ConfigMap and Secret data
void check_labels(const json& labels, const std::string& field, Causes& causes);
void check_annotations(const json& annotations, const std::string& field, Causes& causes);
// A LabelSelector {matchLabels, matchExpressions} at `path`.
void check_label_selector(const json& selector, const std::string& path, Causes& causes);
bool selector_matches(const json& selector, const json& labels);
// A quantity in billionths, so that "1000m" and "1" compare equal; nothing when it is malformed.
std::optional<long double> quantity_nanos(const json& quantity);
std::string quantity_text(const json& quantity);  // A number's, too.

// As upstream: "must be greater than or equal to 0". Absent is fine.
void check_nonnegative(const json& parent, std::string_view key, const std::string& field, Causes& causes);

bool has(const json& object, std::string_view key);   // Present and not null.
bool says(const json& object, std::string_view key);  // Present.

bool is_among(std::span<const std::string_view> list, std::string_view value);
// Where upstream has a pointer: what is there must be one of `supported`, also "".
void check_supported(const json& parent, std::string_view key, std::span<const std::string_view> supported, const std::string& path, Causes& causes);

// "spec.containers[0]"
std::string item(const std::string& path, std::string_view list, size_t index);

// Elements of an array or members of an object at `key`; empty when absent or of another type.
const json& array_at(const json& object, std::string_view key);
const json& object_at(const json& object, std::string_view key);
std::string string_at(const json& object, std::string_view key);
json value_at(const json& object, std::string_view key);  // null when absent

// --- Resources, from resource_names.cc ---
enum class NamedIn { kAnywhere, kContainer, kQuota };
void check_resource_name(const std::string& name, NamedIn where, const std::string& field, Causes& causes);
void check_resource_amount(const std::string& name, const json& amount, const std::string& field, Causes& causes);  // Not negative; whole where things are counted.
bool is_quota_resource(const std::string& name);
bool may_overcommit(const std::string& name);
bool is_native(const std::string& name);      // cpu, pods, kubernetes.io/batch-cpu
bool is_huge_pages(const std::string& name);
bool is_extended(const std::string& name);    // example.com/gpu

// --- Services, from service_address_rules.cc ---
bool is_headless(const json& cluster_ips);  // Exactly ["None"].
// What an update may not do to addresses and families; `spec` and `before` are the specs.
void check_service_address_change(const json& spec, const json& before, Causes& causes);
std::string special_ip_problem(const base::Ip& ip);  // Loopback, link-local and the like

// --- Workloads, from workload_rules.cc ---
// How upstream's messages name a kind: one of its selector, another of its template, and what else is said of a selector
// that is no good.
struct SelectorWords {
  const char* kind;
  const char* title;
  const char* bad_selector;
};
// spec.selector and spec.template of a kind whose pods run for ever.
void check_selector_and_template(const json& spec, const SelectorWords& words, Causes& causes);
// The steps of it, for kinds that take them in another order.
void check_not_everything(const json& spec, const char* kind, Causes& causes);
void check_template_labels(const json& spec, const std::string& path, Causes& causes);  // An absent selector matches none.
void check_restart_always(const json& spec, const char* title, Causes& causes);
void check_unchanged_selector(const json& spec, const json* old, Causes& causes);
void check_pod_template(const json& pod, const std::string& path, Causes& causes);
std::optional<int64_t> percent_of(const json& value);  // The number before '%', or nothing.
bool says_zero(const json& value);  // Absent, 0, 0%, or text that is no share.
// A number or a share such as 25%, as an int-or-string.
void check_share(const json& value, const std::string& field, Causes& causes);
void check_at_most_all(const json& value, const std::string& field, Causes& causes);
int64_t integer_at(const json& object, const char* key);  // 0 when absent.

// --- by kind ---
void prepare_pod(json& tree);
void prepare_pod_template(json& tree);  // Of every kind with a spec.template.
void prepare_deployment(json& tree);
void prepare_statefulset(json& tree);
void prepare_customresourcedefinition(json& tree);
void prepare_daemonset(json& tree);
void prepare_job(json& tree);
void prepare_cronjob(json& tree);
void prepare_service(json& tree);
void prepare_ingress(json& tree);
void prepare_namespace(json& tree);
void prepare_secret(json& tree);
void prepare_node(json& tree);
void prepare_rolebinding(json& tree);
void prepare_autoscaler(json& tree);
void prepare_limitrange(json& tree);
void prepare_networkpolicy(json& tree);
void prepare_csidriver(json& tree);
void prepare_lease(json& tree);
void prepare_persistentvolumeclaim(json& tree);
void prepare_podtemplate(json& tree);
void prepare_replicationcontroller(json& tree);

void admit_pod(json& tree, const json* old);
void admit_job(json& tree, const json* old);
void admit_daemonset(json& tree, const json* old);

Causes validate_pod(const json& tree, const json* old);
Causes validate_deployment(const json& tree, const json* old);
Causes validate_replicaset(const json& tree, const json* old);
Causes validate_statefulset(const json& tree, const json* old);
Causes validate_apiservice(const json& tree, const json* old);
Causes validate_customresourcedefinition(const json& tree, const json* old);
Causes validate_daemonset(const json& tree, const json* old);
Causes validate_controllerrevision(const json& tree, const json* old);
Causes validate_persistentvolumeclaim(const json& tree, const json* old);
Causes validate_job(const json& tree, const json* old);
Causes validate_cronjob(const json& tree, const json* old);
Causes validate_service(const json& tree, const json* old);
Causes validate_endpoints(const json& tree, const json* old);
Causes validate_endpointslice(const json& tree, const json* old);
Causes validate_ipaddress(const json& tree, const json* old);
Causes validate_servicecidr(const json& tree, const json* old);
Causes validate_ingress(const json& tree, const json* old);
Causes validate_ingressclass(const json& tree, const json* old);
Causes validate_configmap(const json& tree, const json* old);
Causes validate_secret(const json& tree, const json* old);
Causes validate_event(const json& tree, const json* old);
Causes validate_event_strict(const json& tree, const json* old);  // As written through events.k8s.io.
Causes validate_poddisruptionbudget(const json& tree, const json* old);
Causes validate_autoscaler(const json& tree, const json* old);
Causes validate_csidriver(const json& tree, const json* old);
Causes validate_csinode(const json& tree, const json* old);
Causes validate_csistoragecapacity(const json& tree, const json* old);
Causes validate_limitrange(const json& tree, const json* old);
Causes validate_networkpolicy(const json& tree, const json* old);
Causes validate_persistentvolume(const json& tree, const json* old);
Causes validate_podtemplate(const json& tree, const json* old);
Causes validate_lease(const json& tree, const json* old);
Causes validate_priorityclass(const json& tree, const json* old);
Causes validate_replicationcontroller(const json& tree, const json* old);
Causes validate_resourcequota(const json& tree, const json* old);
Causes validate_runtimeclass(const json& tree, const json* old);
Causes validate_storageclass(const json& tree, const json* old);
Causes validate_volumeattachment(const json& tree, const json* old);
Causes validate_webhooks(const json& tree, const json* old);
Causes validate_volumeattributesclass(const json& tree, const json* old);
Causes validate_node(const json& tree, const json* old);
Causes validate_role(const json& tree, const json* old);
Causes validate_clusterrole(const json& tree, const json* old);
Causes validate_rolebinding(const json& tree, const json* old);
Causes validate_clusterrolebinding(const json& tree, const json* old);
Causes validate_certificatesigningrequest(const json& tree, const json* old);

// A PodSpec at `path`, of a pod or a template.
void check_pod_spec(const json& spec, const std::string& path, Causes& causes);
// Probes and lifecycle hooks of the container at `path`; kInit: of one that runs before the others.
enum class ContainerRole { kMain, kInit };
void check_probes(const json& container, ContainerRole role, const json& pod_spec, const std::string& path, Causes& causes);
void check_affinity(const json& spec, const std::string& path, Causes& causes);
void check_spreading(const json& spec, const std::string& path, Causes& causes);
void check_tolerations(const json& spec, const std::string& path, Causes& causes);
void check_node_selector(const json& selector, const std::string& path, Causes& causes);
// A PersistentVolumeSpec within a VolumeAttachment.
void check_inline_volume(const json& spec, const std::string& path, Causes& causes);

}  // namespace store
