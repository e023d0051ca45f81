#include "server/controllers/certificate.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/auth/csr.h"
#include "server/informer/writes.h"
#include "store/base/text.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kRequests = "certificatesigningrequests.certificates.k8s.io";
constexpr int64_t kYear = 365 * 24 * 3600;

bool has_condition(const json& tree, const char* type) {
  for (const json& c : store::get_array(tree, "status.conditions")) {
    if (store::get_string(c, "type") == type) return true;
  }
  return false;
}

class CertificateController final : public Controller {
 public:
  CertificateController(ControlLoop& loop, std::string ca_cert_pem, std::string ca_key_pem)
      : loop_(loop),
        ca_cert_pem_(std::move(ca_cert_pem)),
        ca_key_pem_(std::move(ca_key_pem)),
        queue_(loop.make_queue("certificate", [this](const store::Key& key) { return reconcile(key); })) {
    loop.on_change(kRequests, [this](const store::Object&, const store::Object& after) {
      if (after) queue_.add(after.key());
    });
  }

 private:
  base::Result<Requeue> reconcile(const store::Key& key) {
    const store::Object* request = loop_.cache(kRequests).find("", key.name);
    if (request == nullptr) return Requeue{};
    const json& old = request->tree();
    const bool due = has_condition(old, "Approved") && !has_condition(old, "Denied") && !has_condition(old, "Failed") && store::get_string(old, "status.certificate").empty();
    const std::string signer = store::get_string(old, "spec.signerName");
    if (!due || !auth::is_own_signer(signer)) return Requeue{};
    auth::Issue what;
    what.request_pem = base::decode_base64(store::get_string(old, "spec.request")).value_or("");
    for (const json& usage : store::get_array(old, "spec.usages")) {
      if (usage.is_string()) what.usages.push_back(usage);
    }
    what.lifetime = std::chrono::seconds(std::clamp<int64_t>(store::get_int(old, "spec.expirationSeconds", kYear), 600, kYear));
    json status = store::get_object(old, "status");
    auto parsed = auth::parse_request(what.request_pem);
    const std::string problem = parsed.ok() ? auth::signer_problem(signer, *parsed, what.usages) : parsed.error().message;
    if (problem.empty()) {
      status["certificate"] = base::encode_base64(TRY(auth::issue(ca_cert_pem_, ca_key_pem_, what)));
    } else {
      const std::string now = base::render_rfc3339(loop_.clock().wall());
      status["conditions"].push_back({{"type", "Failed"}, {"status", "True"}, {"reason", "SignerValidationFailure"}, {"message", problem}, {"lastUpdateTime", now}, {"lastTransitionTime", now}});
    }
    base::Result<store::Object> written = server::write_status(loop_.client(), *request, std::move(status));
    if (!written.ok() && written.error().code != base::Code::kNotFound) return std::move(written).error();
    return Requeue{};
  }

  ControlLoop& loop_;
  const std::string ca_cert_pem_, ca_key_pem_;
  WorkQueue& queue_;
};

}  // namespace

std::unique_ptr<Controller> make_certificate_controller(ControlLoop& loop, std::string ca_cert_pem, std::string ca_key_pem) {
  return std::make_unique<CertificateController>(loop, std::move(ca_cert_pem), std::move(ca_key_pem));
}

}  // namespace server
