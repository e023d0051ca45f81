// server/app/ingress_ports.h - the ingress controller's ports on the host: two published ports (server/publish) like a
// user's own, chosen by us and kept over restarts with the others. Any thread; blocks briefly, as Publisher does.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "server/publish/publisher.h"

namespace server {

using json = nlohmann::json;

// Ports 80 and 443 with `usual`, where they are free and allowed; else those of last time, else any that are free. A port that
// cannot be had is logged. True: the publisher has something new to keep().
bool publish_ingress(Publisher& publisher, bool usual);
// Takes away those of an earlier run.
void unpublish_ingress(Publisher& publisher);
// {"http": "http://127.0.0.1:80", "https": "https://127.0.0.1:8443"}; empty without.
json ingress_urls(const std::vector<PublishedPort>& published);

}  // namespace server
