// server/gateway/ingress/routes.h - settings -> what a route does and who may: all that is the same for each rule of an Ingress is
// made once. One thread; lives as long as the compilation.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "server/gateway/ingress/backends.h"
#include "server/gateway/ingress/compiler.h"
#include "server/gateway/table/table.h"

namespace server::gateway {

// For all rules of an Ingress; shared by those Ingresses that have no annotations.
struct Prepared {
  std::shared_ptr<const Policy> policy, open_policy;  // open: without external authorization (no-auth-locations).
  Forward forward;                    // Without backends, rewrite.
  TemplatePtr target;                 // rewrite-target
  std::optional<Redirect> elsewhere;  // permanent-redirect, temporal-redirect
  Redirect to_tls;
  Variant variant;                    // Of its upstreams, when the client came without TLS,
  std::optional<Variant> variant_tls; // and with, if that makes a difference (AUTO_HTTP).
  bool closed = false;                // 503
};

class Routes {
 public:
  Routes(Compilation& compilation, Backends& backends);

  void prepare(Chosen& chosen);
  // The controller's own default backend; nullptr: none.
  UpstreamPtr default_backend() const { return default_backend_; }
  // The same with a condition on the client's certificate.
  std::shared_ptr<const Policy> with_common_name(const std::shared_ptr<const Policy>& policy, const std::string& pattern, const RegexPtr& regex);

 private:
  std::shared_ptr<const Prepared> make(const Chosen& chosen);
  void fill_forward(const Chosen& chosen, Forward& out);
  void fill_headers(const Chosen& chosen, Prepared& out);
  void fill_error_pages(const Chosen& chosen, Forward& out);
  void fill_mirror(const Chosen& chosen, Forward& out);
  void fill_variant(const Chosen& chosen, Prepared& out);
  void fill_redirects(const Chosen& chosen, Prepared& out) const;
  std::shared_ptr<const Policy> make_policy(const Chosen& chosen, bool* closed);
  std::shared_ptr<const PasswordAuth> make_password(const Chosen& chosen, bool* closed);
  std::shared_ptr<const ExternalAuth> make_external(const Chosen& chosen, bool* closed);
  std::shared_ptr<const UpstreamTls> make_tls(const Chosen& chosen, bool* closed);
  std::vector<HeaderChange> headers_of(const std::string& config_map, const char* key) const;
  // What is wrong with an object that a protecting annotation names: told, and the Ingress is closed.
  const Secret* secret_of(const Chosen& chosen, const char* annotation, const std::string& name, bool* closed);

  Compilation& compilation_;
  Backends& backends_;
  UpstreamPtr default_backend_;
  std::vector<HeaderChange> set_headers_, add_headers_;  // Of the controller's ConfigMaps.
  std::shared_ptr<const Prepared> usual_;
  std::unordered_map<std::string, std::shared_ptr<const Policy>> named_policies_;
};

}  // namespace server::gateway
