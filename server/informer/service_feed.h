// server/informer/service_feed.h - Services with their EndpointSlices, projected once a change for all who compute with
// them: the service proxy, DNS, the ways to load balancers.
//
// Control thread only. Lives until the loop has stopped.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "server/informer/control_loop.h"
#include "server/model/service_index.h"

namespace server {

class ServiceFeed {
 public:
  explicit ServiceFeed(ControlLoop& loop);
  ServiceFeed(const ServiceFeed&) = delete;
  ServiceFeed& operator=(const ServiceFeed&) = delete;

  const model::ServiceIndex& index() const { return index_; }
  // `changed`: those for which something that the projections hold has changed; never empty. In the order of these calls.
  // As for ControlLoop::on_change(), what a handler captures lives until the loop has stopped.
  using Handler = std::function<void(const std::set<model::ServiceKey>& changed)>;
  void on_change(Handler handler) { handlers_.push_back(std::move(handler)); }

 private:
  void tell(const std::set<model::ServiceKey>& changed) const;

  model::ServiceIndex index_;
  std::vector<Handler> handlers_;
};

}  // namespace server
