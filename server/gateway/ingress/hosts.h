// server/gateway/ingress/hosts.h - rules of all Ingresses -> virtual hosts: which rule has a path when several want it, what takes
// the rest, canaries, certificates, other names of a host. One thread; lives as long as the compilation.
//
//   claim()  hosts and their defaults     ┐ oldest Ingress first
//   settle() paths, certificates          ┘
//   join()   canaries, aliases
//   emit()   -> VirtualHost, emit_tls()
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/gateway/ingress/backends.h"
#include "server/gateway/ingress/certificates.h"
#include "server/gateway/ingress/compiler.h"
#include "server/gateway/ingress/routes.h"
#include "server/gateway/table/table.h"

namespace server::gateway {

class Hosts {
 public:
  Hosts(Compilation& compilation, Backends& backends, Routes& routes, Certificates& certificates);

  // `all`: oldest first; outlives this.
  void add(const std::vector<Chosen>& all);
  // For the listener without TLS. Sorted by name, "" last.
  std::vector<VirtualHost> emit();
  // The same for the one that ends TLS: `plain` is what emit() gave.
  std::vector<VirtualHost> emit_tls(const std::vector<VirtualHost>& plain);
  // For names without a host.
  Action otherwise() const;

 private:
  struct Taker {  // A canary.
    const Chosen* chosen;
    const IngressBackend* backend;
    Origin origin;
  };
  struct Location {
    std::string path = "/";
    bool exact = false;
    const Chosen* owner = nullptr;            // nullptr: nobody's, the default of the host "".
    const IngressBackend* backend = nullptr;  // nullptr: the controller's default backend.
    Origin origin;
    bool is_default = false;                  // Gives way to a rule.
    std::vector<Taker> canaries;
  };
  struct Host {
    std::string name;
    const Chosen* first = nullptr;
    Origin origin;
    std::vector<Location> locations;
    std::unordered_map<std::string, size_t> by_path;
    bool tls = false;
    IdentityPtr identity;
    std::shared_ptr<const ClientAuth> client_auth;
    const Chosen* client_auth_owner = nullptr;
    std::string common_name;
    RegexPtr common_name_regex;
    std::string ciphers;
    std::vector<std::string> aliases;
    const Chosen* www = nullptr;              // from-to-www-redirect
    const Chosen* app_root = nullptr;
    bool regex = false, differs_with_tls = false;
  };

  Host& host_of(const std::string& name);
  Location& location_of(Host& host, const std::string& path, bool exact);
  void claim(const Chosen& chosen);
  void claim_rest(const Chosen& chosen);
  void settle(const Chosen& chosen);
  void settle_rule(const Chosen& chosen, size_t rule);
  void settle_server(const Chosen& chosen, Host& host);
  void settle_client_auth(const Chosen& chosen, Host& host);
  void join_canary(const Chosen& chosen);
  void join_canary_path(const Chosen& chosen, Host& host, const std::string& path, bool exact, const IngressBackend& backend, Origin origin);
  void join_aliases(const Chosen& chosen);
  void order(Host& host) const;

  // A virtual host to be: a host's own, or the one that sends clients to it (from-to-www-redirect).
  struct Place {
    std::string name;
    const Host* host;
    bool www;
  };
  void plan();
  void emit_host(const Host& host, VirtualHost& out);
  void emit_routes(const Host& host, bool tls, VirtualHost& out);
  void emit_app_root(const Host& host, VirtualHost& out) const;
  void emit_www(const Place& place, VirtualHost& out) const;
  bool emit_location(const Host& host, const Location& location, bool tls, Route& out);
  bool emit_match(const Host& host, const Location& location, Match& out);
  Forward emit_forward(const Location& location, bool tls);
  UpstreamPtr upstream_of(const Chosen& chosen, const IngressBackend& backend, const Variant& variant, const Origin& origin);
  UpstreamPtr passthrough_of(const Host& host);

  Compilation& compilation_;
  Backends& backends_;
  Routes& routes_;
  Certificates& certificates_;
  std::deque<Host> hosts_;                              // [0] is "".
  std::unordered_map<std::string, size_t> by_name_;
  std::vector<Place> places_;                           // In the order of their names.
};

}  // namespace server::gateway
