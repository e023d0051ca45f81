#include "store/schema/go_form.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <vector>

namespace store {
namespace {

using Ordered = nlohmann::ordered_json;

// Where the capital first letter alone does not do.
struct NameRow {
  std::string_view json, go;
};
constexpr NameRow kNames[] = {
    {"apiGroup", "APIGroup"}, {"apiVersion", "APIVersion"}, {"awsElasticBlockStore", "AWSElasticBlockStore"}, {"cephfs", "CephFS"}, {"csi", "CSI"},
    {"datasetUUID", "DatasetUUID"}, {"fc", "FC"}, {"fsType", "FSType"}, {"gcePersistentDisk", "GCEPersistentDisk"}, {"iqn", "IQN"}, {"iscsi", "ISCSI"},
    {"iscsiInterface", "ISCSIInterface"}, {"kubeletConfigKey", "KubeletConfigKey"}, {"nfs", "NFS"}, {"pdID", "PdID"}, {"pdName", "PDName"}, {"rbd", "RBD"},
    {"image", "RBDImage"}, {"monitors", "CephMonitors"}, {"pool", "RBDPool"}, {"user", "RadosUser"}, {"storageos", "StorageOS"}, {"sslEnabled", "SSLEnabled"},
    {"targetWWNs", "TargetWWNs"}, {"uid", "UID"}, {"endpoints", "EndpointsName"}, {"chapAuthDiscovery", "DiscoveryCHAPAuth"}, {"chapAuthSession", "SessionCHAPAuth"},
    {"diskURI", "DataDiskURI"},
};
// Names of kNames that only these types have so.
bool renamed_here(const Type& type, std::string_view json_name) {
  const bool rbd = type.name.find("RBD") != std::string_view::npos;
  if (json_name == "image" || json_name == "monitors" || json_name == "pool" || json_name == "user") return rbd;
  if (json_name == "endpoints") return type.name.find("Glusterfs") != std::string_view::npos;
  return true;
}

std::string go_name(const Type& type, std::string_view json_name) {
  for (const NameRow& row : kNames) {
    if (row.json == json_name && renamed_here(type, json_name)) return std::string(row.go);
  }
  std::string out(json_name);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out;
}

// Types of apimachinery are the same inside and outside.
bool is_shared(const Type& type) { return type.name.starts_with("io.k8s.apimachinery."); }

// Numbers in protobuf follow the declaration; fields that JSON shows one level up stand where their struct is.
std::vector<const Field*> declared(const Type& type) {
  std::vector<const Field*> out;
  for (const Field& field : type.fields) {
    if (field.wire != 0) out.push_back(&field);
  }
  auto place = [](const Field* f) { return f->wire_in == 0 ? std::tuple(int(f->wire), 0, 0) : std::tuple(f->wire_in & 0xff, f->wire_in >> 8, int(f->wire)); };
  std::sort(out.begin(), out.end(), [&](const Field* a, const Field* b) { return place(a) < place(b); });
  // The one struct whose fields stand in another order.
  if (type.name.ends_with(".PersistentVolumeClaimSpec")) {
    const auto at = std::find_if(out.begin(), out.end(), [](const Field* f) { return f->name == "selector"; });
    if (at != out.end()) std::rotate(out.begin() + 1, at, at + 1);
  }
  return out;
}

Ordered form(const json& value, const Type& type);

Ordered unset(const Field& field) {
  if (field.pointer) return nullptr;
  switch (field.type->kind) {
    case TypeKind::kString:
      return "";
    case TypeKind::kInteger:
    case TypeKind::kNumber:
    case TypeKind::kIntOrString:
      return 0;
    case TypeKind::kBoolean:
      return false;
    case TypeKind::kQuantity:
      return "0";
    case TypeKind::kObject:
      return form(json::object(), *field.type);
    default:
      return nullptr;
  }
}

Ordered form(const json& value, const Type& type) {
  if (type.kind == TypeKind::kObject && value.is_object()) {
    Ordered out = Ordered::object();
    for (const Field* field : declared(type)) {
      const auto at = value.find(field->name);
      const bool there = at != value.end() && !at->is_null();
      if (is_shared(type) && !there) continue;
      out[is_shared(type) ? std::string(field->name) : go_name(type, field->name)] = there ? form(*at, *field->type) : unset(*field);
    }
    return out;
  }
  if (type.kind == TypeKind::kMap && value.is_object()) {
    Ordered out = Ordered::object();
    for (const auto& [key, element] : value.items()) out[key] = form(element, *type.element);
    return out;
  }
  if (type.kind == TypeKind::kList && value.is_array()) {
    Ordered out = Ordered::array();
    for (const json& element : value) out.push_back(form(element, *type.element));
    return out;
  }
  return Ordered(value);
}

}  // namespace

std::string go_form(const json& value, const Type& type, bool indented) {
  return form(value, type).dump(indented ? 1 : -1, ' ', false, Ordered::error_handler_t::replace);
}

std::string go_field(const json& object, const Type& type, std::string_view name) {
  const Field* field = type.find_field(name);
  if (!field) return "null";
  const auto at = object.find(name);
  const Ordered value = at == object.end() || at->is_null() ? unset(*field) : form(*at, *field->type);
  return value.dump(-1, ' ', false, Ordered::error_handler_t::replace);
}

base::Cause cause_invalid_struct(std::string field, const json& value, const Type& type, const std::string& detail) {
  return {"FieldValueInvalid", "Invalid value: " + go_form(value, type) + ": " + detail, std::move(field)};
}

}  // namespace store
