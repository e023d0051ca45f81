#include "server/controllers/aggregated_role.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "server/informer/writes.h"
#include "store/object/access.h"
#include "store/object/selector.h"

namespace server {
namespace {

constexpr const char* kRoles = "clusterroles.rbac.authorization.k8s.io";

// A selector that cannot be read selects nothing.
bool selects(const json& selectors, const store::Object& role) {
  for (const json& selector : selectors) {
    auto parsed = store::LabelSelector::from_json(selector);
    if (parsed.ok() && parsed->matches_object(role.tree())) return true;
  }
  return false;
}

class AggregatedRoleController final : public Controller {
 public:
  explicit AggregatedRoleController(ControlLoop& loop)
      : loop_(loop), queue_(loop.make_queue("aggregated-role", [this](const store::Key& key) { return reconcile(key); })) {
    loop.on_change(kRoles, [this](const store::Object& before, const store::Object& after) {
      const store::Object& role = after ? after : before;
      if (after && store::find(after.tree(), "aggregationRule") != nullptr) {
        sums_.insert(role.name());
        queue_.add(role.key());
      } else {
        sums_.erase(role.name());
      }
      for (const std::string& name : sums_) {
        const store::Object* sum = loop_.cache(kRoles).find("", name);
        if (sum == nullptr) continue;  // Its own event is still to come.
        const json& selectors = store::get_array(sum->tree(), "aggregationRule.clusterRoleSelectors");
        if ((before && selects(selectors, before)) || (after && selects(selectors, after))) queue_.add(sum->key());
      }
    });
  }

 private:
  base::Result<Requeue> reconcile(const store::Key& key) {
    const store::Object* role = loop_.cache(kRoles).find("", key.name);
    if (role == nullptr || store::find(role->tree(), "aggregationRule") == nullptr) return Requeue{};
    const json& selectors = store::get_array(role->tree(), "aggregationRule.clusterRoleSelectors");
    json rules = json::array();
    for (const store::Object& other : loop_.cache(kRoles).list()) {
      if (other.name() == key.name || !selects(selectors, other)) continue;
      for (const json& rule : store::get_array(other.tree(), "rules")) {
        if (std::find(rules.begin(), rules.end(), rule) == rules.end()) rules.push_back(rule);
      }
    }
    if (store::get_array(role->tree(), "rules") == rules) return Requeue{};
    json tree = role->tree();
    tree["rules"] = std::move(rules);
    base::Result<store::Object> written = update_object(loop_.client(), kRoles, tree);
    if (!written.ok() && written.error().code != base::Code::kNotFound) return std::move(written).error();
    return Requeue{};
  }

  ControlLoop& loop_;
  std::set<std::string> sums_;  // Names of the roles with a rule.
  WorkQueue& queue_;
};

}  // namespace

std::unique_ptr<Controller> make_aggregated_role_controller(ControlLoop& loop) { return std::make_unique<AggregatedRoleController>(loop); }

}  // namespace server
