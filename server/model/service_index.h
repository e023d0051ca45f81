// server/model/service_index.h - all Services with the EndpointSlices that belong to them, projected once a
// change. One is fed for all who compute with Services: server/informer/service_feed.h.
//
// Invariant: a slice is filed under the service its label names, whether or not that service exists.
// Thread rule: one owner thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/model/endpoint_slice.h"
#include "server/model/service.h"

namespace server::model {

class ServiceIndex {
 public:
  // `before`/`after` as ControlLoop::on_change() delivers them. Result: the services for which something that
  // the projections hold has changed; often none (status and metadata writes).
  std::set<ServiceKey> change_service(const store::Object& before, const store::Object& after);
  std::set<ServiceKey> change_slice(const store::Object& before, const store::Object& after);

  const Service* find(const ServiceKey& key) const;                       // nullptr: no such Service.
  std::vector<const EndpointSlice*> slices(const ServiceKey& key) const;  // By name. Valid until the next change.
  std::set<ServiceKey> keys() const;                                      // Of all Services.

 private:
  struct Entry {
    std::optional<Service> service;
    std::map<std::string, EndpointSlice> slices;
  };
  void drop_if_empty(const ServiceKey& key);

  std::map<ServiceKey, Entry> entries_;
  std::map<std::pair<std::string, std::string>, ServiceKey> owners_;  // Slice namespace and name -> service.
};

}  // namespace server::model
