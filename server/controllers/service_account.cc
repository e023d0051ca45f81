#include "server/controllers/service_account.h"

#include <nlohmann/json.hpp>

#include "server/informer/writes.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kAccount = "default";
constexpr const char* kRootCa = "kube-root-ca.crt";

class ServiceAccountController final : public Controller {
 public:
  ServiceAccountController(ControlLoop& loop, std::string root_ca_pem)
      : loop_(loop),
        root_ca_pem_(std::move(root_ca_pem)),
        queue_(loop.make_queue("service-account", [this](const store::Key& key) { return reconcile(key); })) {
    loop.on_change("namespaces", [this](const store::Object&, const store::Object& after) {
      if (after) queue_.add(after.key());
    });
    for (const char* storage : {"serviceaccounts", "configmaps"}) {
      const std::string ours = storage == std::string("configmaps") ? kRootCa : kAccount;
      loop.on_change(storage, [this, ours](const store::Object& before, const store::Object& after) {
        const store::Object& object = after ? after : before;
        if (object.name() == ours) queue_.add({"namespaces", "", object.ns()});
      });
    }
  }

 private:
  base::Result<Requeue> reconcile(const store::Key& key) {
    const store::Object* ns = loop_.cache("namespaces").find("", key.name);
    if (ns == nullptr || store::find(ns->tree(), "metadata.deletionTimestamp") != nullptr) return Requeue{};
    if (loop_.cache("serviceaccounts").find(key.name, kAccount) == nullptr) {
      TRY_STATUS(make("serviceaccounts",
                      {{"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", {{"name", kAccount}, {"namespace", key.name}}}}));
    }
    json data = {{"ca.crt", root_ca_pem_}};
    const store::Object* root_ca = loop_.cache("configmaps").find(key.name, kRootCa);
    if (root_ca == nullptr) {
      json annotations = {{"kubernetes.io/description", "The certificate of this cluster's CA, for verifying the API server."}};
      TRY_STATUS(make("configmaps", {{"apiVersion", "v1"},
                                     {"kind", "ConfigMap"},
                                     {"metadata", {{"name", kRootCa}, {"namespace", key.name}, {"annotations", annotations}}},
                                     {"data", data}}));
    } else if (store::get_object(root_ca->tree(), "data") != data) {
      json tree = root_ca->tree();
      tree["data"] = data;
      TRY(update_object(loop_.client(), "configmaps", tree));
    }
    return Requeue{};
  }

  // Somebody else may have been quicker; that is as good.
  base::Status make(const std::string& storage, json tree) {
    base::Result<store::Object> made = create_object(loop_.client(), storage, std::move(tree));
    if (made.ok() || made.error().code == base::Code::kAlreadyExists) return {};
    return std::move(made).error();
  }

  ControlLoop& loop_;
  const std::string root_ca_pem_;
  WorkQueue& queue_;
};

}  // namespace

std::unique_ptr<Controller> make_service_account_controller(ControlLoop& loop, std::string root_ca_pem) {
  return std::make_unique<ServiceAccountController>(loop, std::move(root_ca_pem));
}

}  // namespace server
