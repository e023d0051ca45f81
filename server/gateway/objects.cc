#include "server/gateway/objects.h"

#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server {
namespace {

const json kInstance = {{"app.kubernetes.io/name", "ingress-nginx"}, {"app.kubernetes.io/instance", "ingress-nginx"}};

json with_component(json labels) {
  labels["app.kubernetes.io/component"] = "controller";
  return labels;
}
json all_labels() {
  json out = with_component(kInstance);
  out["app.kubernetes.io/part-of"] = "ingress-nginx";
  out["app.kubernetes.io/version"] = "1.15.1";
  return out;
}

json metadata(const char* name, json labels) { return {{"name", name}, {"namespace", kIngressNamespace}, {"labels", std::move(labels)}}; }

json make_namespace() { return {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", kIngressNamespace}, {"labels", kInstance}}}}; }

json make_class(const char* name, const char* controller) {
  return {{"apiVersion", "networking.k8s.io/v1"}, {"kind", "IngressClass"}, {"metadata", {{"name", name}, {"labels", all_labels()}}}, {"spec", {{"controller", controller}}}};
}

// An Ingress without a class works, as it does where an admin has chosen one.
json default_class() {
  json out = make_class("nginx", "k8s.io/ingress-nginx");
  out["metadata"]["annotations"] = {{"ingressclass.kubernetes.io/is-default-class", "true"}};
  return out;
}

json config_map() { return {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", metadata(kIngressName, all_labels())}, {"data", json::object()}}; }

json service_port(const char* name, int port) { return {{"name", name}, {"port", port}, {"targetPort", name}, {"protocol", "TCP"}, {"appProtocol", name}}; }

// Policy Local: the controller sees who asks. The address is a fixed one at the pool's other end, so that the first Service of
// the user's own gets the first address.
json service(const std::vector<base::Ip>& addresses) {
  json out = {{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", metadata(kIngressName, all_labels())}};
  std::string wanted;
  for (const base::Ip& ip : addresses) wanted += (wanted.empty() ? "" : ",") + ip.text();
  out["metadata"]["annotations"] = {{"kubelan.dev/load-balancer-ip", wanted}};
  out["spec"] = {{"type", "LoadBalancer"},
                 {"externalTrafficPolicy", "Local"},
                 {"allocateLoadBalancerNodePorts", false},
                 {"ipFamilyPolicy", "PreferDualStack"},
                 {"selector", with_component(kInstance)},
                 {"ports", json::array({service_port("http", 80), service_port("https", 443)})}};
  return out;
}

json deployment() {
  const json fields = json::array({{{"name", "POD_NAME"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "metadata.name"}}}}}},
                                   {{"name", "POD_NAMESPACE"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "metadata.namespace"}}}}}}});
  const json args = json::array({"/nginx-ingress-controller", "--publish-service=$(POD_NAMESPACE)/ingress-nginx-controller", "--controller-class=k8s.io/ingress-nginx",
                                 "--ingress-class=nginx", "--configmap=$(POD_NAMESPACE)/ingress-nginx-controller", "--tcp-services-configmap=$(POD_NAMESPACE)/tcp-services",
                                 "--udp-services-configmap=$(POD_NAMESPACE)/udp-services"});
  const json container = {{"name", "controller"},
                          {"image", kIngressImage},
                          {"imagePullPolicy", "IfNotPresent"},
                          {"args", args},
                          {"env", fields},
                          {"ports", json::array({{{"name", "http"}, {"containerPort", 80}, {"protocol", "TCP"}}, {{"name", "https"}, {"containerPort", 443}, {"protocol", "TCP"}}})}};
  const json pod = {{"readinessGates", json::array({{{"conditionType", kIngressGate}}})}, {"containers", json::array({container})}};
  return {{"apiVersion", "apps/v1"},
          {"kind", "Deployment"},
          {"metadata", metadata(kIngressName, all_labels())},
          {"spec", {{"replicas", 1}, {"selector", {{"matchLabels", with_component(kInstance)}}}, {"template", {{"metadata", {{"labels", all_labels()}}}, {"spec", pod}}}}}};
}

base::Status ensure(Client& client, json object) {
  const std::string kind = store::get_string(object, "kind"), ns = store::get_string(object, "metadata.namespace"), name = store::get_string(object, "metadata.name");
  const store::Resource* r = client.registry().find_kind(store::get_string(object, "apiVersion"), kind);
  if (r == nullptr) return {};  // A registry without the kind (tests with few kinds).
  const base::Result<store::Object> found = client.get(*r, ns, name);
  if (found.ok()) return {};
  if (found.error().code != base::Code::kNotFound) return found.error();
  const base::Result<store::Object> created = client.create(*r, std::move(object));
  if (created.ok() || created.error().code == base::Code::kAlreadyExists) return {};
  return base::Error(created.error()).context("create " + kind + " " + name);
}

}  // namespace

base::Status ensure_ingress_classes(Client& client) {
  TRY_STATUS(ensure(client, make_namespace()));
  TRY_STATUS(ensure(client, default_class()));
  TRY_STATUS(ensure(client, make_class("kubelan", "kubelan.dev/ingress")));
  return ensure(client, config_map());
}

base::Status ensure_ingress_workload(Client& client, const std::vector<base::Ip>& addresses) {
  TRY_STATUS(ensure(client, service(addresses)));
  return ensure(client, deployment());
}

}  // namespace server
