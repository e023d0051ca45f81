#include "server/controllers/token_secret.h"

#include <nlohmann/json.hpp>

#include "server/informer/writes.h"
#include "store/base/text.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kType = "kubernetes.io/service-account-token";
constexpr const char* kName = "kubernetes.io/service-account.name";
constexpr const char* kUid = "kubernetes.io/service-account.uid";

bool is_token(const store::Object& secret) { return store::get_string(secret.tree(), "type") == kType; }

std::string annotation(const json& tree, const char* name) {
  const std::string* value = store::find_annotation(tree, name);
  return value ? *value : "";
}

class TokenSecretController final : public Controller {
 public:
  TokenSecretController(ControlLoop& loop, std::string root_ca_pem)
      : loop_(loop), root_ca_pem_(std::move(root_ca_pem)), queue_(loop.make_queue("token-secret", [this](const store::Key& key) { return reconcile(key); })) {
    loop.on_change("secrets", [this](const store::Object&, const store::Object& after) {
      if (after && is_token(after)) queue_.add(after.key());
    });
    loop.on_change("serviceaccounts", [this](const store::Object& before, const store::Object& after) {
      if (before && after && before.uid() == after.uid()) return;
      const store::Object& account = after ? after : before;
      for (const store::Object& secret : loop_.cache("secrets").list(account.ns())) {
        if (is_token(secret) && annotation(secret.tree(), kName) == account.name()) queue_.add(secret.key());
      }
    });
  }

 private:
  base::Result<Requeue> reconcile(const store::Key& key) {
    const store::Object* secret = loop_.cache("secrets").find(key.ns, key.name);
    if (secret == nullptr || !is_token(*secret) || store::find(secret->tree(), "metadata.deletionTimestamp") != nullptr) return Requeue{};
    const std::string name = annotation(secret->tree(), kName), uid = annotation(secret->tree(), kUid);
    const store::Object* account = loop_.cache("serviceaccounts").find(key.ns, name);
    // Of an account that is gone, or was made anew since.
    if (account == nullptr || (!uid.empty() && uid != account->uid())) {
      base::Status removed = remove_object(loop_.client(), *secret);
      if (!removed.ok() && removed.error().code != base::Code::kNotFound) return std::move(removed).error();
      return Requeue{};
    }
    json tree = secret->tree();
    tree["metadata"]["annotations"][kUid] = account->uid();
    json& data = tree["data"];
    if (!data.is_object()) data = json::object();
    data["ca.crt"] = base::encode_base64(root_ca_pem_);
    data["namespace"] = base::encode_base64(key.ns);
    if (store::get_string(data, "token").empty()) data["token"] = base::encode_base64(TRY(loop_.client().issue_secret_token(key.ns, name, key.name)));
    if (tree == secret->tree()) return Requeue{};
    base::Result<store::Object> written = update_object(loop_.client(), "secrets", tree);
    if (!written.ok() && written.error().code != base::Code::kNotFound) return std::move(written).error();
    return Requeue{};
  }

  ControlLoop& loop_;
  const std::string root_ca_pem_;
  WorkQueue& queue_;
};

}  // namespace

std::unique_ptr<Controller> make_token_secret_controller(ControlLoop& loop, std::string root_ca_pem) {
  return std::make_unique<TokenSecretController>(loop, std::move(root_ca_pem));
}

}  // namespace server
