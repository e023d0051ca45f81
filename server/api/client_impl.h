// server/api/client_impl.h - the in-process Client over the pipeline. Internal to server/api.
#pragma once

#include "server/api/client.h"
#include "server/api/core.h"

namespace server {

class ClientImpl final : public Client {
 public:
  explicit ClientImpl(Core& core) : core_(core) {}
  const store::Registry& registry() const override { return core_.registry; }
  base::Result<store::Object> get(const store::Resource& r, const std::string& ns, const std::string& name) override;
  base::Result<std::vector<store::Object>> list(const store::Resource& r, const std::string& ns, const store::LabelSelector& selector) override;
  base::Result<store::Object> create(const store::Resource& r, json tree) override;
  base::Result<store::Object> update(const store::Resource& r, json tree) override;
  base::Result<store::Object> update_status(const store::Resource& r, json tree) override;
  base::Result<store::Object> patch(const store::Resource& r, const std::string& ns, const std::string& name, PatchType type, const json& patch,
                                    const std::string& subresource) override;
  base::Status remove(const store::Resource& r, const std::string& ns, const std::string& name, const DeleteOptions& options) override;
  base::Status bind(const std::string& ns, const std::string& pod, const std::string& node) override;
  base::Result<IssuedToken> issue_token(const TokenWish& wish) override { return core_.access.tokens().issue(wish); }
  base::Result<std::string> issue_secret_token(const std::string& ns, const std::string& account, const std::string& secret) override {
    return core_.access.tokens().issue_legacy(ns, account, secret);
  }
  base::Result<Snapshot> snapshot_and_watch() override;

 private:
  base::Result<store::Object> write(const store::Resource& r, json tree, const std::string& subresource);
  Core& core_;
};

}  // namespace server
