#include "server/auth/role_rows.h"

namespace auth {
namespace {

// kubelan's own controllers are in the server and ask nobody; these are for those who run or replace one as a pod.
constexpr RuleRow kControllerRules[] = {
    {"attachdetach-controller", "list watch", "core", "persistentvolumes persistentvolumeclaims"},
    {"attachdetach-controller", READ, "core", "nodes"},
    {"attachdetach-controller", "patch update", "core", "nodes/status"},
    {"attachdetach-controller", "list watch", "core", "pods"},
    {"attachdetach-controller", EVENTS},
    {"attachdetach-controller", "create delete get list watch", "storage.k8s.io", "volumeattachments"},
    {"attachdetach-controller", READ, "storage.k8s.io", "csidrivers"},
    {"attachdetach-controller", READ, "storage.k8s.io", "csinodes"},

    {"certificate-controller", "delete get list watch", "certificates.k8s.io", "certificatesigningrequests"},
    {"certificate-controller", "update", "certificates.k8s.io", "certificatesigningrequests/approval certificatesigningrequests/status"},
    {"certificate-controller", "approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client-kubelet"},
    {"certificate-controller", "sign", "certificates.k8s.io", "signers", "kubernetes.io/legacy-unknown kubernetes.io/kubelet-serving kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet"},
    {"certificate-controller", "create", "authorization.k8s.io", "subjectaccessreviews"},
    {"certificate-controller", EVENTS},

    {"clusterrole-aggregation-controller", "escalate get list patch update watch", "rbac.authorization.k8s.io", "clusterroles"},

    {"cronjob-controller", "get list update watch", "batch", "cronjobs"},
    {"cronjob-controller", "create delete get list patch update watch", "batch", "jobs"},
    {"cronjob-controller", "update", "batch", "cronjobs/status"},
    {"cronjob-controller", "update", "batch", "cronjobs/finalizers"},
    {"cronjob-controller", "delete list watch", "core", "pods"},
    {"cronjob-controller", EVENTS},

    {"daemon-set-controller", READ, "apps extensions", "daemonsets"},
    {"daemon-set-controller", "update", "apps extensions", "daemonsets/status"},
    {"daemon-set-controller", "update", "apps extensions", "daemonsets/finalizers"},
    {"daemon-set-controller", "list watch", "core", "nodes"},
    {"daemon-set-controller", "create delete list patch watch", "core", "pods"},
    {"daemon-set-controller", "create", "core", "pods/binding"},
    {"daemon-set-controller", "create delete get list patch update watch", "apps", "controllerrevisions"},
    {"daemon-set-controller", EVENTS},

    {"deployment-controller", "get list update watch", "apps extensions", "deployments"},
    {"deployment-controller", "update", "apps extensions", "deployments/status"},
    {"deployment-controller", "update", "apps extensions", "deployments/finalizers"},
    {"deployment-controller", "create delete get list patch update watch", "apps extensions", "replicasets"},
    {"deployment-controller", "get list update watch", "core", "pods"},
    {"deployment-controller", EVENTS},

    {"disruption-controller", READ, "apps extensions", "deployments"},
    {"disruption-controller", READ, "apps extensions", "replicasets"},
    {"disruption-controller", READ, "core", "replicationcontrollers"},
    {"disruption-controller", READ, "policy", "poddisruptionbudgets"},
    {"disruption-controller", READ, "apps", "statefulsets"},
    {"disruption-controller", "update", "policy", "poddisruptionbudgets/status"},
    {"disruption-controller", "patch update", "core", "pods/status"},
    {"disruption-controller", "get", "*", "*/scale"},
    {"disruption-controller", EVENTS},

    {"endpoint-controller", READ, "core", "pods services"},
    {"endpoint-controller", "create delete get list update watch", "core", "endpoints"},
    {"endpoint-controller", "create", "core", "endpoints/restricted"},
    {"endpoint-controller", EVENTS},

    {"endpointslice-controller", READ, "core", "nodes pods services"},
    {"endpointslice-controller", "update", "core", "services/finalizers"},
    {"endpointslice-controller", "create delete get list update watch", "discovery.k8s.io", "endpointslices"},
    {"endpointslice-controller", EVENTS},

    {"endpointslicemirroring-controller", READ, "core", "endpoints services"},
    {"endpointslicemirroring-controller", "update", "core", "services/finalizers"},
    {"endpointslicemirroring-controller", "update", "core", "endpoints/finalizers"},
    {"endpointslicemirroring-controller", "create delete get list update watch", "discovery.k8s.io", "endpointslices"},
    {"endpointslicemirroring-controller", EVENTS},

    {"ephemeral-volume-controller", READ, "core", "pods"},
    {"ephemeral-volume-controller", "update", "core", "pods/finalizers"},
    {"ephemeral-volume-controller", "create get list watch", "core", "persistentvolumeclaims"},
    {"ephemeral-volume-controller", EVENTS},

    {"expand-controller", "get list patch update watch", "core", "persistentvolumes"},
    {"expand-controller", "patch update", "core", "persistentvolumeclaims/status"},
    {"expand-controller", READ, "core", "persistentvolumeclaims"},
    {"expand-controller", EVENTS},

    {"generic-garbage-collector", "delete get list patch update watch", "*", "*"},
    {"generic-garbage-collector", EVENTS},

    {"horizontal-pod-autoscaler", READ, "autoscaling", "horizontalpodautoscalers"},
    {"horizontal-pod-autoscaler", "update", "autoscaling", "horizontalpodautoscalers/status"},
    {"horizontal-pod-autoscaler", "get update", "*", "*/scale"},
    {"horizontal-pod-autoscaler", "list watch", "core", "pods"},
    {"horizontal-pod-autoscaler", "list watch", "metrics.k8s.io", "pods"},
    {"horizontal-pod-autoscaler", READ, "custom.metrics.k8s.io", "*"},
    {"horizontal-pod-autoscaler", READ, "external.metrics.k8s.io", "*"},
    {"horizontal-pod-autoscaler", EVENTS},

    {"job-controller", "get list patch update watch", "batch", "jobs"},
    {"job-controller", "update", "batch", "jobs/status"},
    {"job-controller", "update", "batch", "jobs/finalizers"},
    {"job-controller", "create delete list patch watch", "core", "pods"},
    {"job-controller", EVENTS},

    {"legacy-service-account-token-cleaner", "get", "core", "configmaps", "kube-apiserver-legacy-service-account-token-tracking"},
    {"legacy-service-account-token-cleaner", "delete patch", "core", "secrets"},

    {"namespace-controller", "delete get list watch", "core", "namespaces"},
    {"namespace-controller", "update", "core", "namespaces/finalize namespaces/status"},
    {"namespace-controller", "delete deletecollection get list watch", "*", "*"},

    {"node-controller", "delete get list patch update watch", "core", "nodes"},
    {"node-controller", "patch update", "core", "nodes/status"},
    {"node-controller", "patch update", "core", "pods/status"},
    {"node-controller", "delete get list watch", "core", "pods"},
    {"node-controller", EVENTS},

    {"persistent-volume-binder", "create delete get list update watch", "core", "persistentvolumes"},
    {"persistent-volume-binder", "update", "core", "persistentvolumes/status"},
    {"persistent-volume-binder", "get list update watch", "core", "persistentvolumeclaims"},
    {"persistent-volume-binder", "update", "core", "persistentvolumeclaims/status"},
    {"persistent-volume-binder", "create delete get list watch", "core", "pods"},
    {"persistent-volume-binder", READ, "storage.k8s.io", "storageclasses"},
    {"persistent-volume-binder", "list watch", "core", "nodes"},
    {"persistent-volume-binder", EVENTS},
    {"persistent-volume-binder", "watch", "core", "events"},

    {"pod-garbage-collector", "delete list watch", "core", "pods"},
    {"pod-garbage-collector", READ, "core", "nodes"},
    {"pod-garbage-collector", "patch", "core", "pods/status"},

    {"pv-protection-controller", "get list update watch", "core", "persistentvolumes"},
    {"pv-protection-controller", EVENTS},

    {"pvc-protection-controller", "get list update watch", "core", "persistentvolumeclaims"},
    {"pvc-protection-controller", READ, "core", "pods"},
    {"pvc-protection-controller", EVENTS},

    {"replicaset-controller", "get list update watch", "apps extensions", "replicasets"},
    {"replicaset-controller", "update", "apps extensions", "replicasets/status"},
    {"replicaset-controller", "update", "apps extensions", "replicasets/finalizers"},
    {"replicaset-controller", "create delete list patch watch", "core", "pods"},
    {"replicaset-controller", EVENTS},

    {"replication-controller", "get list update watch", "core", "replicationcontrollers"},
    {"replication-controller", "update", "core", "replicationcontrollers/status"},
    {"replication-controller", "update", "core", "replicationcontrollers/finalizers"},
    {"replication-controller", "create delete list patch watch", "core", "pods"},
    {"replication-controller", EVENTS},

    {"resourcequota-controller", "list watch", "*", "*"},
    {"resourcequota-controller", "update", "core", "resourcequotas/status"},
    {"resourcequota-controller", EVENTS},

    {"root-ca-cert-publisher", "create update", "core", "configmaps"},
    {"root-ca-cert-publisher", EVENTS},

    {"route-controller", "list watch", "core", "nodes"},
    {"route-controller", "patch", "core", "nodes/status"},
    {"route-controller", EVENTS},

    {"service-account-controller", "create", "core", "serviceaccounts"},
    {"service-account-controller", EVENTS},

    {"service-cidrs-controller", "get list patch update watch", "networking.k8s.io", "servicecidrs"},
    {"service-cidrs-controller", "patch update", "networking.k8s.io", "servicecidrs/finalizers"},
    {"service-cidrs-controller", "patch update", "networking.k8s.io", "servicecidrs/status"},
    {"service-cidrs-controller", READ, "networking.k8s.io", "ipaddresses"},
    {"service-cidrs-controller", EVENTS},

    {"service-controller", READ, "core", "services"},
    {"service-controller", "patch update", "core", "services/status"},
    {"service-controller", "list watch", "core", "nodes"},
    {"service-controller", EVENTS},

    {"statefulset-controller", "list watch", "core", "pods"},
    {"statefulset-controller", READ, "apps", "statefulsets"},
    {"statefulset-controller", "update", "apps", "statefulsets/status"},
    {"statefulset-controller", "update", "apps", "statefulsets/finalizers"},
    {"statefulset-controller", "create delete get patch update", "core", "pods"},
    {"statefulset-controller", "create delete get list patch update watch", "apps", "controllerrevisions"},
    {"statefulset-controller", "create get list watch", "core", "persistentvolumeclaims"},
    {"statefulset-controller", "delete update", "core", "persistentvolumeclaims"},
    {"statefulset-controller", "update", "core", "pods/finalizers"},
    {"statefulset-controller", EVENTS},

    {"ttl-after-finished-controller", "delete get list watch", "batch", "jobs"},
    {"ttl-after-finished-controller", EVENTS},

    {"ttl-controller", "list patch update watch", "core", "nodes"},
    {"ttl-controller", EVENTS},

    {"validatingadmissionpolicy-status-controller", READ, "admissionregistration.k8s.io", "validatingadmissionpolicies"},
    {"validatingadmissionpolicy-status-controller", "get patch update", "admissionregistration.k8s.io", "validatingadmissionpolicies/status"},
    {"validatingadmissionpolicy-status-controller", EVENTS},
};

constexpr NamespacedRow kNamespacedRules[] = {
    {"kube-system", {"extension-apiserver-authentication-reader", READ, "core", "configmaps", "extension-apiserver-authentication"}},
    {"kube-system", {"system:controller:bootstrap-signer", READ, "core", "secrets"}},
    {"kube-system", {"system:controller:cloud-provider", "create get list watch", "core", "configmaps"}},
    {"kube-system", {"system:controller:token-cleaner", "delete get list watch", "core", "secrets"}},
    {"kube-system", {"system:controller:token-cleaner", EVENTS}},
    {"kube-system", {"system::leader-locking-kube-controller-manager", "watch", "core", "configmaps"}},
    {"kube-system", {"system::leader-locking-kube-controller-manager", "get update", "core", "configmaps", "kube-controller-manager"}},
    {"kube-system", {"system::leader-locking-kube-controller-manager", "create get list update watch", "coordination.k8s.io", "leases"}},
    {"kube-system", {"system::leader-locking-kube-scheduler", "watch", "core", "configmaps"}},
    {"kube-system", {"system::leader-locking-kube-scheduler", "get update", "core", "configmaps", "kube-scheduler"}},
    {"kube-public", {"system:controller:bootstrap-signer", READ, "core", "configmaps"}},
    {"kube-public", {"system:controller:bootstrap-signer", "update", "core", "configmaps", "cluster-info"}},
    {"kube-public", {"system:controller:bootstrap-signer", EVENTS}},
};

}  // namespace

std::span<const RuleRow> controller_rule_rows() { return kControllerRules; }
std::span<const NamespacedRow> namespaced_rule_rows() { return kNamespacedRules; }

}  // namespace auth
