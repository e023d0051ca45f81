// server/gateway/ingress/certificates.h - Secrets -> what is shown to clients and asked of them. Certificates are judged before they are
// put into a table, so that their owner hears of it. One thread; lives as long as the compilation.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "server/gateway/ingress/compiler.h"
#include "server/gateway/table/table.h"

namespace server::gateway {

class Certificates {
 public:
  explicit Certificates(Compilation& compilation) : compilation_(compilation) {}

  // By the tls sections of an Ingress for a host of its rules: the section that names the host, else any whose certificate covers
  // it. nullptr: the default certificate is to be shown; why is told.
  IdentityPtr for_host(const Ingress& ingress, const std::string& host);
  // --default-ssl-certificate, else ingress-nginx's fake one.
  IdentityPtr for_everybody();
  bool covers(const IdentityPtr& identity, const std::string& host);
  // auth-tls-*; nullptr: none.
  std::shared_ptr<const ClientAuth> client_auth(const Chosen& chosen);

 private:
  IdentityPtr find(const ObjectKey& key);  // nullptr: no such Secret, or not with tls.crt and tls.key.
  base::Status judge(const Identity& identity, const std::string& host);

  Compilation& compilation_;
  std::unordered_map<std::string, IdentityPtr> found_;  // By Secret.
};

}  // namespace server::gateway
