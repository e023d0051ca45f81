// Namespace, ConfigMap, Secret, Event and Node.
#include <cctype>
#include <nlohmann/json.hpp>

#include "store/base/ip.h"
#include "store/object/label_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr size_t kMaxData = 1024 * 1024;

std::string base64(const std::string& bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = bytes.size() - i;
    uint32_t word = static_cast<unsigned char>(bytes[i]) << 16;
    if (left > 1) word |= static_cast<unsigned char>(bytes[i + 1]) << 8;
    if (left > 2) word |= static_cast<unsigned char>(bytes[i + 2]);
    out += kAlphabet[word >> 18];
    out += kAlphabet[(word >> 12) & 63];
    out += left > 1 ? kAlphabet[(word >> 6) & 63] : '=';
    out += left > 2 ? kAlphabet[word & 63] : '=';
  }
  return out;
}

size_t decoded_size(const std::string& text) {
  size_t letters = 0;
  for (char c : text) letters += c != '=' && c != '\n' && c != '\r';
  return letters * 3 / 4;
}

// Keys and total size of `data` (and the binary twin of a ConfigMap).
void check_data(const json& tree, const char* map, bool encoded, size_t& bytes, Causes& causes) {
  const json& data = object_at(tree, map);
  for (auto it = data.begin(); it != data.end(); ++it) {
    add_problem(causes, std::string(map) + "[" + it.key() + "]", it.key(), config_key_problem(it.key()));
    if (!it.value().is_string()) continue;
    const std::string& value = it.value().get_ref<const std::string&>();
    bytes += encoded ? decoded_size(value) : value.size();
  }
}

void check_size(size_t bytes, const char* field, Causes& causes) {
  if (bytes > kMaxData)
    causes.push_back({"FieldValueTooLong", "Too long: may not be more than " + std::to_string(kMaxData) + " bytes", field});
}

// What a ConfigMap or Secret with `immutable: true` no longer lets through.
void check_frozen(const json& tree, const json* old, std::initializer_list<const char*> fields, Causes& causes) {
  if (!old || !old->is_object() || old->value("immutable", json()) != true) return;
  const std::string detail = "field is immutable when `immutable` is set";
  if (tree.value("immutable", json()) != true) causes.push_back(cause_forbidden("immutable", detail));
  for (const char* field : fields) {
    if (object_at(tree, field) != object_at(*old, field)) causes.push_back(cause_forbidden(field, detail));
  }
}

void require_keys(const json& tree, std::initializer_list<const char*> keys, Causes& causes) {
  const json& data = object_at(tree, "data");
  for (const char* key : keys) {
    if (!data.contains(key)) causes.push_back(cause_required(std::string("data[") + key + "]"));
  }
}

}  // namespace

// Finalizers hold a namespace until its content is gone; once it is being deleted they are not put back.
void prepare_namespace(json& tree) {
  if (!tree.is_object()) return;
  const json& meta = object_at(tree, "metadata");
  const std::string name = string_at(meta, "name");
  if (meta.contains("deletionTimestamp")) return;
  if (!name.empty()) tree["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
  json& spec = tree["spec"];
  if (!spec.is_object()) spec = json::object();
  if (!spec.contains("finalizers")) spec["finalizers"] = json::array({"kubernetes"});
}

void prepare_secret(json& tree) {
  if (!tree.is_object() || !tree.contains("stringData")) return;
  const json text = object_at(tree, "stringData");
  for (auto it = text.begin(); it != text.end(); ++it) {
    if (it.value().is_string()) tree["data"][it.key()] = base64(it.value().get<std::string>());
  }
  tree.erase("stringData");
}

void prepare_node(json& tree) {
  const std::string cidr = string_at(object_at(tree, "spec"), "podCIDR");
  if (!cidr.empty() && array_at(object_at(tree, "spec"), "podCIDRs").empty()) tree["spec"]["podCIDRs"] = json::array({cidr});
}

std::vector<base::Cause> validate_configmap(const json& tree, const json* old) {
  Causes causes;
  size_t bytes = 0;
  check_data(tree, "data", false, bytes, causes);
  check_data(tree, "binaryData", true, bytes, causes);
  const json& binary = object_at(tree, "binaryData");
  const json& data = object_at(tree, "data");
  for (auto it = data.begin(); it != data.end(); ++it) {
    if (binary.contains(it.key()))
      causes.push_back(cause_invalid("data[" + it.key() + "]", it.key(), "duplicate of key present in binaryData"));
  }
  check_size(bytes, "", causes);
  check_frozen(tree, old, {"data", "binaryData"}, causes);
  return causes;
}

std::vector<base::Cause> validate_secret(const json& tree, const json* old) {
  Causes causes;
  size_t bytes = 0;
  check_data(tree, "data", true, bytes, causes);
  check_size(bytes, "data", causes);
  const std::string type = string_at(tree, "type");
  if (type == "kubernetes.io/tls") require_keys(tree, {"tls.crt", "tls.key"}, causes);
  if (type == "kubernetes.io/dockerconfigjson") require_keys(tree, {".dockerconfigjson"}, causes);
  if (type == "kubernetes.io/dockercfg") require_keys(tree, {".dockercfg"}, causes);
  if (type == "kubernetes.io/ssh-auth") require_keys(tree, {"ssh-privatekey"}, causes);
  if (type == "kubernetes.io/service-account-token" &&
      string_at(object_at(object_at(tree, "metadata"), "annotations"), "kubernetes.io/service-account.name").empty()) {
    causes.push_back(cause_required("metadata.annotations[kubernetes.io/service-account.name]"));
  }
  check_frozen(tree, old, {"data"}, causes);
  return causes;
}

std::vector<base::Cause> validate_node(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  const json& cidrs = array_at(spec, "podCIDRs");
  for (size_t i = 0; i < cidrs.size(); ++i) {
    if (cidrs[i].is_string() && !base::Cidr::parse(cidrs[i].get_ref<const std::string&>()).ok()) {
      causes.push_back(
          cause_invalid(item("spec", "podCIDRs", i), cidrs[i], "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"));
    }
  }
  const json& taints = array_at(spec, "taints");
  std::set<std::pair<std::string, std::string>> seen;
  for (size_t i = 0; i < taints.size(); ++i) {
    const std::string here = item("spec", "taints", i), key = string_at(taints[i], "key"), value = string_at(taints[i], "value");
    if (!key.empty()) add_problem(causes, here + ".key", key, label_key_problem(key));
    add_problem(causes, here + ".value", value, label_value_problem(value));
    if (!seen.emplace(key, string_at(taints[i], "effect")).second) causes.push_back(cause_duplicate(here, taints[i]));
  }
  const std::string before = old ? string_at(object_at(*old, "spec"), "podCIDR") : "";
  if (!before.empty() && before != string_at(spec, "podCIDR")) {
    causes.push_back(cause_forbidden("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid"));
  }
  return causes;
}

}  // namespace store
