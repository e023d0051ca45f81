#include "server/informer/service_feed.h"

namespace server {

ServiceFeed::ServiceFeed(ControlLoop& loop) {
  loop.on_change("services", [this](const store::Object& before, const store::Object& after) { tell(index_.change_service(before, after)); });
  loop.on_change("endpointslices.discovery.k8s.io",
                 [this](const store::Object& before, const store::Object& after) { tell(index_.change_slice(before, after)); });
}

void ServiceFeed::tell(const std::set<model::ServiceKey>& changed) const {
  if (changed.empty()) return;
  for (const Handler& handler : handlers_) handler(changed);
}

}  // namespace server
