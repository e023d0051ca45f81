// server/gateway/objects.h - the ingress controller as objects: what ingress-nginx's own manifests make, as far as it has a
// meaning here. Users see, change and delete them as any other.
//
// Blocking calls of a Client; any thread that may use it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "server/api/client.h"
#include "store/base/ip.h"

namespace server {

inline constexpr char kIngressNamespace[] = "ingress-nginx";
inline constexpr char kIngressName[] = "ingress-nginx-controller";  // Of Deployment, Service and ConfigMap.
inline constexpr char kIngressImage[] = "registry.k8s.io/ingress-nginx/controller:v1.15.1";
// In readinessGates of the controller's pods: its engine answers.
inline constexpr char kIngressGate[] = "kubelan.dev/ingress-serving";

// Each makes what is missing, and keeps what is there as it is.
// The namespace ingress-nginx, IngressClasses nginx (the default) and kubelan, and the ConfigMap.
base::Status ensure_ingress_classes(Client& client);
// The Service, of type LoadBalancer at `addresses` (at most one a family), and the Deployment: apart, so that a cluster need not
// route to it and start its pod before it is ready itself.
base::Status ensure_ingress_workload(Client& client, const std::vector<base::Ip>& addresses);

}  // namespace server
