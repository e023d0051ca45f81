#include "server/api/admission.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/auth/key_pair.h"
#include "store/base/text.h"
#include "store/object/access.h"

namespace server {

void taint_new_node(json& node) {
  constexpr const char* kNotReady = "node.kubernetes.io/not-ready";
  const json taint = {{"key", kNotReady}, {"effect", "NoSchedule"}};
  const json& taints = store::get_array(node, "spec.taints");
  const bool there = std::any_of(taints.begin(), taints.end(), [&](const json& t) {
    return store::get_string(t, "key") == kNotReady && store::get_string(t, "effect") == "NoSchedule";
  });
  if (!there) node["spec"]["taints"].push_back(taint);
}

void stamp_volume_phase(const json& old, json& volume, const std::string& now) {
  constexpr const char *kPhase = "status.phase", *kTime = "status.lastPhaseTransitionTime";
  const std::string before = old.is_object() ? store::get_string(old, kTime) : "", written = store::get_string(volume, kTime);
  if (old.is_object() && store::get_string(old, kPhase) == store::get_string(volume, kPhase)) return;
  if (written.empty() || written == before) store::set(volume, kTime, now);
}

std::string tls_secret_problem(const json& secret) {
  if (store::get_string(secret, "type") != "kubernetes.io/tls") return {};
  auto value = [&](const char* key) {
    const json& text = store::get_object(secret, "stringData");
    if (const json* plain = store::find_key(text, key); plain && plain->is_string()) return plain->get<std::string>();
    const json* encoded = store::find_key(store::get_object(secret, "data"), key);
    return encoded && encoded->is_string() ? base::decode_base64(encoded->get_ref<const std::string&>()).value_or("") : "";
  };
  return auth::key_pair_problem(value("tls.crt"), value("tls.key"));
}

}  // namespace server
