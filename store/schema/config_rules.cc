// Namespace, ConfigMap and Secret.
#include <nlohmann/json.hpp>

#include "store/base/text.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr size_t kMaxData = 1024 * 1024;

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
  if (!old || !old->is_object() || !tree.is_object() || old->value("immutable", json()) != true) return;
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
  if (const auto data = tree.find("data"); data != tree.end() && !data->is_object()) *data = json::object();
  for (auto it = text.begin(); it != text.end(); ++it) {
    if (it.value().is_string()) tree["data"][it.key()] = base::encode_base64(it.value().get_ref<const std::string&>());
  }
  tree.erase("stringData");
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
  const std::string type = string_at(tree, "type");
  const json& data = object_at(tree, "data");
  if (old && type != string_at(*old, "type")) causes.push_back(cause_invalid("type", type, "field is immutable"));
  check_frozen(tree, old, {"data"}, causes);
  size_t bytes = 0;
  check_data(tree, "data", true, bytes, causes);
  check_size(bytes, "data", causes);
  if (type == "kubernetes.io/tls") require_keys(tree, {"tls.crt", "tls.key"}, causes);
  if (type == "kubernetes.io/dockerconfigjson") require_keys(tree, {".dockerconfigjson"}, causes);
  if (type == "kubernetes.io/dockercfg") require_keys(tree, {".dockercfg"}, causes);
  if (type == "kubernetes.io/ssh-auth" && string_at(data, "ssh-privatekey").empty()) causes.push_back(cause_required("data[ssh-privatekey]"));
  if (type == "kubernetes.io/basic-auth" && !data.contains("username") && !data.contains("password")) require_keys(tree, {"username", "password"}, causes);
  if (type == "kubernetes.io/service-account-token" &&
      string_at(object_at(object_at(tree, "metadata"), "annotations"), "kubernetes.io/service-account.name").empty()) {
    causes.push_back(cause_required("metadata.annotations[kubernetes.io/service-account.name]"));
  }
  return causes;
}

}  // namespace store
