// server/api/ingress_admission.h - what an Ingress meets between its own checks and the store, where other objects count: it
// gets the default class, and one of ingress-nginx's class is judged as by that controller's webhook.
//
// Holds which Ingress has which route, so that a write looks only at those that could stand in its way; what they are is read
// from the store then. Thread-safe; calls block on the store.
#pragma once

#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/nginx_webhook.h"
#include "store/base/result.h"
#include "store/schema/schema.h"
#include "store/store.h"

namespace server {

using json = nlohmann::json;

// Of no effect for other kinds.
class IngressAdmission {
 public:
  explicit IngressAdmission(store::Store& store) : store_(store) {}

  // Reads the Ingresses that are there. Before the first write.
  base::Status load();

  // Before the checks of a new Ingress: one that names no class gets the default one (of several the newest), and the old way
  // to name it is warned of. Store errors.
  base::Status complete(const store::Resource& r, json& tree, std::vector<std::string>& warnings) const;

  // After the checks of one that is made or replaced: kBadRequest with the webhook's words. Store errors.
  base::Status check(const store::Resource& r, const json& tree, std::vector<std::string>& warnings) const;

  // The object was written or removed.
  void changed(const store::Key& key);

 private:
  bool is_served_by_nginx(const json& ingress) const;
  std::vector<store::Object> rivals(const json& ingress) const;

  store::Store& store_;
  mutable std::mutex mutex_;
  std::map<NginxRoute, std::set<store::Key>> owners_;
  std::map<store::Key, std::vector<NginxRoute>> routes_;  // What owners_ has of each.
};

}  // namespace server
