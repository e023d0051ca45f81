// server/gateway/controller_pod.h - a pod that plays the ingress controller, as the gateway sees it: which container, and what
// its command line asks for (as far as it concerns routes; the rest of ingress-nginx's flags is accepted and means nothing
// here). Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/object/object.h"

namespace server {

// Pods with equal settings serve one and the same table.
struct ControllerSettings {
  std::string controller_class = "k8s.io/ingress-nginx";  // --controller-class: of IngressClasses
  std::string ingress_class = "nginx";                    // --ingress-class: of the annotation
  bool without_class = false;                             // --watch-ingress-without-class
  bool class_by_name = false;                             // --ingress-class-by-name
  std::string watch_namespace;                            // --watch-namespace; empty: all
  std::string config_map;                                 // --configmap, "ns/name" as all below; empty: none
  std::string tcp_services, udp_services;                 // --tcp-services-configmap, --udp-services-configmap
  std::string default_certificate;                        // --default-ssl-certificate
  std::string default_backend;                            // --default-backend-service
  std::string publish_service;                            // --publish-service
  std::vector<std::string> publish_addresses;             // --publish-status-address
  bool passthrough = true;                                // --enable-ssl-passthrough: on, unless it is set to false.
  auto operator<=>(const ControllerSettings&) const = default;
};

struct ControllerPod {
  std::string uid;
  std::string container;      // Name.
  std::string container_id;   // Of the run: another after a restart.
  bool deleting = false;
  bool gated = false;         // spec.readinessGates names kIngressGate.
  bool gate_open = false;     // The condition is True.
  ControllerSettings settings;
};

// Nothing: no container of the pod that plays the controller runs.
std::optional<ControllerPod> project_controller_pod(const store::Object& pod);
// As the container is given them; $(NAME) are replaced by now. Flags that mean nothing here are passed over.
ControllerSettings parse_controller_args(const std::vector<std::string>& args);

}  // namespace server
