// server/gateway/policy/request_origin.h - who a request is from, and how it reached the outermost proxy, by the word of proxies in
// front (use-forwarded-headers, enable-real-ip, PROXY protocol). Pure; any thread.
#pragma once

#include <memory>
#include <string>

#include "server/gateway/message/message.h"
#include "server/gateway/table/table.h"

namespace server::gateway {

struct RequestOrigin {
  ClientInfo client;          // As connected, but with the address that is believed. Port 0: nobody said.
  base::Ip peer;              // Of the connection, or what PROXY protocol said of it: $realip_remote_addr.
  std::string scheme;         // $pass_access_scheme
  std::string port;           // $pass_port
  std::string host;           // $best_http_host: what the client called, by the word of the first proxy.
  std::string forwarded_for;  // For the endpoint's X-Forwarded-For.
};

// nullptr: nobody is asked, everything is as the connection shows. As in ingress-nginx the address is believed only of
// `trusted_proxies`, scheme, port and host of anyone.
std::unique_ptr<const RequestOrigin> find_origin(const Listener& listener, const RequestHead& request, const ClientInfo& client);

// The address of `chain` ("client, proxy1, proxy2") that the first untrusted one on the way from `peer` has, as nginx's
// real_ip_recursive: from the right, as long as who said so is trusted and it can be read. `port`: of "address:port", else 0.
base::Ip last_untrusted(const std::vector<base::Cidr>& trusted, const base::Ip& peer, std::string_view chain, uint16_t* port);

}  // namespace server::gateway
