// server/api/boot.h - the objects every cluster starts with.
#pragma once

#include "server/api/api_server.h"

namespace server {

// Creates, where absent: the namespaces default, kube-system, kube-public and kube-node-lease; the Service
// default/kubernetes with Endpoints and EndpointSlice at options.api_ip:api_port; the Service kube-system/kube-dns
// at options.dns_address; the two priority classes of the system. Existing ones are kept, but the addresses of
// default/kubernetes follow the options. Without a network neither those endpoints nor kube-dns.
base::Status ensure_boot_objects(Client& client, const ApiOptions& options);

// The default roles and bindings; those that are there get what they lack (auth::reconciled). Needs the namespaces
// of the above. Some 150 objects: a start makes them beside its other work.
base::Status ensure_default_roles(Client& client);

}  // namespace server
