#include "server/controllers/endpoint_slice_mirroring.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "server/controllers/slice_names.h"
#include "server/informer/writes.h"
#include "server/model/meta.h"
#include "store/base/ip.h"
#include "store/object/access.h"

namespace server {
namespace {

using store::get_array;
using store::get_object;
using store::get_string;

constexpr const char* kMirroringManager = "endpointslicemirroring-controller.k8s.io";
constexpr size_t kMaxMirrored = 1000;  // A subset; upstream's limit.

std::string label_of(const json& tree, const char* label) {
  const std::string* value = store::find_label(tree, label);
  return value != nullptr ? *value : "";
}

std::string mirrored_service(const store::Object& slice) {
  return slice && label_of(slice.tree(), kManagedBy) == kMirroringManager ? label_of(slice.tree(), kServiceName) : "";
}

json compile_ports(const json& subset) {
  json out = json::array();
  for (const json& port : get_array(subset, "ports")) {
    json one = {{"name", get_string(port, "name")}, {"protocol", get_string(port, "protocol", "TCP")}, {"port", store::get_int(port, "port")}};
    if (const std::string app = get_string(port, "appProtocol"); !app.empty()) one["appProtocol"] = app;
    out.push_back(std::move(one));
  }
  return out;
}

json compile_endpoint(const json& address, bool ready) {
  json out = {{"addresses", {get_string(address, "ip")}}, {"conditions", {{"ready", ready}}}};
  for (const char* field : {"hostname", "nodeName"}) {
    if (const std::string text = get_string(address, field); !text.empty()) out[field] = text;
  }
  if (const json* target = store::find(address, "targetRef")) out["targetRef"] = *target;
  return out;
}

json compile_labels(const store::Object& endpoints) {
  json labels = get_object(endpoints.tree(), "metadata.labels");
  labels[kServiceName] = endpoints.name();
  labels[kManagedBy] = kMirroringManager;
  return labels;
}

json compile_annotations(const store::Object& endpoints) {
  json out = json::object();
  for (const auto& [key, value] : get_object(endpoints.tree(), "metadata.annotations").items()) {
    if (key != "kubectl.kubernetes.io/last-applied-configuration" && key != "endpoints.kubernetes.io/last-change-trigger-time") out[key] = value;
  }
  return out;
}

class MirroringController final : public Controller {
 public:
  explicit MirroringController(ControlLoop& loop)
      : loop_(loop), queue_(loop.make_queue("endpointslice-mirroring", [this](const store::Key& key) { return reconcile(key); })) {
    for (const char* storage : {"endpoints", "services"}) {
      loop.on_change(storage, [this](const store::Object& before, const store::Object& after) {
        const store::Object& object = after ? after : before;
        // Services with selectors are the other controller's, but one that got its selector now leaves slices behind.
        queue_.add({"endpoints", object.ns(), object.name()});
      });
    }
    loop.on_change(kSlices, [this](const store::Object& before, const store::Object& after) {
      const std::string was = mirrored_service(before), is = mirrored_service(after);
      if (!was.empty()) slices_[{before.ns(), was}].erase(before.name());
      if (!is.empty()) slices_[{after.ns(), is}].insert(after.name());
      for (const std::string& service : {was, is}) {
        if (!service.empty()) queue_.add({"endpoints", (after ? after : before).ns(), service});
      }
    });
  }

 private:
  bool is_mirrored(const store::Object* endpoints) const {
    if (endpoints == nullptr || store::find(endpoints->tree(), "metadata.deletionTimestamp") != nullptr) return false;
    if (label_of(endpoints->tree(), "endpointslice.kubernetes.io/skip-mirror") == "true") return false;
    if (endpoints->ns() == "default" && endpoints->name() == "kubernetes") return false;  // The API server makes both.
    if (store::find_annotation(endpoints->tree(), "control-plane.alpha.kubernetes.io/leader") != nullptr) return false;
    const store::Object* service = loop_.cache("services").find(endpoints->ns(), endpoints->name());
    return service != nullptr && get_object(service->tree(), "spec.selector").empty();
  }

  base::Result<Requeue> reconcile(const store::Key& key) {
    const store::Object* endpoints = loop_.cache("endpoints").find(key.ns, key.name);
    const bool wanted = is_mirrored(endpoints);
    auto known = slices_.find({key.ns, key.name});
    if (!wanted && (known == slices_.end() || known->second.empty())) return Requeue{};
    std::vector<store::Object> have;
    if (known != slices_.end()) {
      for (const std::string& name : known->second) {
        const store::Object* slice = loop_.cache(kSlices).find(key.ns, name);
        if (slice != nullptr) have.push_back(*slice);
      }
    }
    if (wanted) {
      const json slices = compile_mirrored_slices(endpoints->tree());
      for (const json& slice : slices) TRY_STATUS(write(*endpoints, slice, have));
    }
    for (const store::Object& slice : have) TRY_STATUS(remove_object(loop_.client(), slice));
    return Requeue{};
  }

  // Takes the slice it uses out of `have`; what is left there is not needed.
  base::Status write(const store::Object& endpoints, const json& slice, std::vector<store::Object>& have) {
    const json labels = compile_labels(endpoints), annotations = compile_annotations(endpoints);
    auto reuse = std::find_if(have.begin(), have.end(), [&](const store::Object& s) {
      return get_string(s.tree(), "addressType") == get_string(slice, "addressType") && get_array(s.tree(), "ports") == get_array(slice, "ports");
    });
    if (reuse == have.end()) {
      json tree = slice;
      tree["apiVersion"] = "discovery.k8s.io/v1";
      tree["kind"] = "EndpointSlice";
      json owner = {{"apiVersion", "v1"}, {"kind", "Endpoints"}, {"name", endpoints.name()}, {"uid", endpoints.uid()}, {"controller", true}, {"blockOwnerDeletion", true}};
      tree["metadata"] = {{"generateName", endpoints.name() + "-"}, {"namespace", endpoints.ns()}, {"labels", labels}, {"annotations", annotations}, {"ownerReferences", {owner}}};
      TRY(create_object(loop_.client(), kSlices, std::move(tree)));
      return {};
    }
    json tree = reuse->tree();
    have.erase(reuse);
    const bool same = get_array(tree, "endpoints") == get_array(slice, "endpoints") && get_object(tree, "metadata.labels") == labels &&
                      get_object(tree, "metadata.annotations") == annotations;
    if (same) return {};
    tree["endpoints"] = get_array(slice, "endpoints");
    tree["metadata"]["labels"] = labels;
    tree["metadata"]["annotations"] = annotations;
    TRY(update_object(loop_.client(), kSlices, std::move(tree)));
    return {};
  }

  ControlLoop& loop_;
  WorkQueue& queue_;
  std::map<std::pair<std::string, std::string>, std::set<std::string>> slices_;  // Namespace and Service -> slices of ours.
};

}  // namespace

json compile_mirrored_slices(const json& endpoints) {
  json out = json::array();
  auto slice_for = [&out](const std::string& type, const json& ports) -> json& {
    for (json& slice : out) {
      if (slice["addressType"] == type && slice["ports"] == ports && slice["endpoints"].size() < kMaxEndpoints) return slice;
    }
    out.push_back({{"addressType", type}, {"ports", ports}, {"endpoints", json::array()}});
    return out.back();
  };
  for (const json& subset : get_array(endpoints, "subsets")) {
    const json ports = compile_ports(subset);
    size_t count = 0;
    for (const auto& [field, ready] : {std::pair{"addresses", true}, std::pair{"notReadyAddresses", false}}) {
      for (const json& address : get_array(subset, field)) {
        base::Result<base::Ip> ip = base::Ip::parse(get_string(address, "ip"));
        if (!ip.ok() || ++count > kMaxMirrored) continue;
        slice_for(base::family_name(ip->family()), ports)["endpoints"].push_back(compile_endpoint(address, ready));
      }
    }
  }
  return out;
}

std::unique_ptr<Controller> make_endpoint_slice_mirroring_controller(ControlLoop& loop) { return std::make_unique<MirroringController>(loop); }

}  // namespace server
