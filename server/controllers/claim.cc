#include "server/controllers/claim.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "server/informer/writes.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kClaims = "persistentvolumeclaims";

class ClaimController final : public Controller {
 public:
  explicit ClaimController(ControlLoop& loop) : loop_(loop), queue_(loop.make_queue("claim", [this](const store::Key& key) { return reconcile(key); })) {
    loop.on_change(kClaims, [this](const store::Object&, const store::Object& after) {
      if (after) queue_.add(after.key());
    });
  }

 private:
  base::Result<Requeue> reconcile(const store::Key& key) {
    const store::Object* claim = loop_.cache(kClaims).find(key.ns, key.name);
    if (claim == nullptr || store::find(claim->tree(), "metadata.deletionTimestamp") != nullptr) return Requeue{};
    const json& spec = store::get_object(claim->tree(), "spec");
    if (store::get_string(spec, "volumeName").empty()) {
      TRY(merge_patch(loop_.client(), key, {{"metadata", {{"uid", claim->uid()}}}, {"spec", {{"volumeName", "pvc-" + claim->uid()}}}}));
      return Requeue{};  // That change brings us back.
    }
    json status = store::get_object(claim->tree(), "status");
    status["phase"] = "Bound";
    status["accessModes"] = store::get_array(spec, "accessModes");
    status["capacity"] = {{"storage", store::get_string(spec, "resources.requests.storage")}};
    if (status != store::get_object(claim->tree(), "status")) TRY(write_status(loop_.client(), *claim, std::move(status)));
    return Requeue{};
  }

  ControlLoop& loop_;
  WorkQueue& queue_;
};

}  // namespace

std::unique_ptr<Controller> make_claim_controller(ControlLoop& loop) { return std::make_unique<ClaimController>(loop); }

}  // namespace server
