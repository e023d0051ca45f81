#include "server/app/ingress_ports.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "server/gateway/objects.h"
#include "store/base/log.h"

namespace server {
namespace {

struct Port {
  const char* name;  // Of the Service's port, and of the URL's scheme.
  uint16_t usual;
};
constexpr Port kPorts[] = {{"http", 80}, {"https", 443}};

publish::Target target_of(const Port& port) {
  publish::Target target;
  target.kind = publish::TargetKind::kService;
  target.ns = kIngressNamespace;
  target.name = kIngressName;
  target.port = port.name;
  return target;
}

std::optional<PublishedPort> find(const std::vector<PublishedPort>& published, const Port& port) {
  for (const PublishedPort& each : published) {
    if (each.spec.target == target_of(port)) return each;
  }
  return std::nullopt;
}

base::Result<PublishedPort> add(Publisher& publisher, const Port& port, uint16_t number) {
  publish::Spec spec;
  spec.host.port = number;
  spec.target = target_of(port);
  return publisher.add(spec, Publisher::Keep::kLater);
}

}  // namespace

bool publish_ingress(Publisher& publisher, bool usual) {
  bool changed = false;
  const std::vector<PublishedPort> published = publisher.list();
  for (const Port& port : kPorts) {
    const std::optional<PublishedPort> kept = find(published, port);
    if (kept && kept->status != "failed") continue;
    if (kept) base::ignore(publisher.remove(kept->spec.host), "it is listed and was never open");
    base::Result<PublishedPort> added = base::Error(base::Code::kConflict, "");
    if (usual) added = add(publisher, port, port.usual);
    if (!added.ok()) added = add(publisher, port, 0);
    if (added.ok()) changed = true;
    else base::log::warn("the ingress controller's port {} is not published on this machine: {}", port.name, added.error().message);
  }
  return changed;
}

void unpublish_ingress(Publisher& publisher) {
  const std::vector<PublishedPort> published = publisher.list();
  for (const Port& port : kPorts) {
    const std::optional<PublishedPort> kept = find(published, port);
    if (kept) base::ignore(publisher.remove(kept->spec.host), "somebody else removed it meanwhile");
  }
}

json ingress_urls(const std::vector<PublishedPort>& published) {
  json out = json::object();
  for (const Port& port : kPorts) {
    const std::optional<PublishedPort> found = find(published, port);
    if (found && found->status != "failed") out[port.name] = std::string(port.name) + "://" + publish::HostPort{found->spec.host.ip, found->spec.host.port}.text();
  }
  return out;
}

}  // namespace server
