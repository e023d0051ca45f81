#include "kubectl-compat/patch/managed.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "kubectl-compat/patch/fields_v1.h"
#include "store/object/access.h"

namespace compat {
namespace {

constexpr size_t kMaxUpdaters = 10;
constexpr std::string_view kOldUpdates = "ancient-changes";

// Whether the entry's set has a path of `paths`, without decoding it.
bool touches(const json& fields, const PathSet& paths) {
  if (!fields.is_object()) return false;
  if (paths.member && (fields.empty() || fields.contains("."))) return true;
  for (const PathSet::Child& child : paths.children()) {
    auto it = fields.find(child.element);
    if (it != fields.end() && touches(*it, child.set)) return true;
  }
  return false;
}

std::optional<Owner> decode_owner(json&& entry, bool strict) {
  if (!entry.is_object()) return std::nullopt;
  std::string operation = store::get_string(entry, "operation");
  if (operation != "Apply" && operation != "Update") return std::nullopt;
  Owner out;
  out.manager = store::get_string(entry, "manager");
  out.apply = operation == "Apply";
  out.api_version = store::get_string(entry, "apiVersion");
  out.subresource = store::get_string(entry, "subresource");
  out.time = store::get_string(entry, "time");
  if (out.api_version.empty() || store::get_string(entry, "fieldsType") != "FieldsV1") return std::nullopt;
  auto fields = entry.find("fieldsV1");
  bool has_fields = fields != entry.end() && !fields->is_null();
  out.loaded = !has_fields || strict;
  bool respelled = false;
  if (has_fields && strict) {
    auto set = decode_fields(*fields, &respelled);
    if (!set) return std::nullopt;
    out.fields = std::move(*set);
  }
  if (!respelled) out.entry = std::move(entry);
  return out;
}

json encode_owner(Owner&& owner) {
  if (!owner.entry.is_null()) return std::move(owner.entry);
  json out = {{"manager", owner.manager},
              {"operation", owner.apply ? "Apply" : "Update"},
              {"apiVersion", owner.api_version},
              {"fieldsType", "FieldsV1"},
              {"fieldsV1", encode_fields(owner.fields)}};
  if (!owner.time.empty()) out["time"] = owner.time;
  if (!owner.subresource.empty()) out["subresource"] = owner.subresource;
  return out;
}

}  // namespace

bool Owner::same_owner(const Owner& other) const {
  return manager == other.manager && apply == other.apply && subresource == other.subresource && (apply || api_version == other.api_version);
}

void Owner::load() {
  if (loaded) return;
  loaded = true;
  auto found = entry.find("fieldsV1");
  auto set = found == entry.end() ? std::nullopt : decode_fields(*found);
  if (set) fields = std::move(*set);
}

void Owners::load_all() {
  for (Owner& owner : list_) owner.load();
}

std::optional<Owners> Owners::decode(json managed_fields) { return read(std::move(managed_fields), true); }
std::optional<Owners> Owners::stored(json managed_fields) { return read(std::move(managed_fields), false); }

std::optional<Owners> Owners::read(json managed_fields, bool strict) {
  if (!managed_fields.is_array()) return std::nullopt;
  Owners out;
  for (json& entry : managed_fields) {
    auto owner = decode_owner(std::move(entry), strict);
    if (!owner) return std::nullopt;
    Owner* known = out.find(*owner);
    if (known != nullptr) {
      *known = std::move(*owner);
    } else {
      out.list_.push_back(std::move(*owner));
    }
  }
  return out;
}

json Owners::encode() && {
  std::stable_sort(list_.begin(), list_.end(), [](const Owner& l, const Owner& r) {
    return std::tie(r.apply, l.time, l.manager, l.api_version, l.subresource) < std::tie(l.apply, r.time, r.manager, r.api_version, r.subresource);
  });
  json out = json::array();
  for (Owner& owner : list_) out.push_back(encode_owner(std::move(owner)));
  return out;
}

Owner* Owners::find(const Owner& like) {
  for (Owner& owner : list_) {
    if (owner.same_owner(like)) return &owner;
  }
  return nullptr;
}

bool Owners::subtract(const PathSet& paths, const Owner* except) {
  bool changed = false;
  for (Owner& owner : list_) {
    if (&owner == except) continue;
    if (!owner.loaded && !touches(owner.entry["fieldsV1"], paths)) continue;
    owner.load();
    if (!owner.fields.subtract(paths)) continue;
    owner.entry = nullptr;
    changed = true;
  }
  if (changed) drop_empty();
  return changed;
}

void Owners::drop_empty() {
  std::erase_if(list_, [](const Owner& owner) { return owner.loaded && owner.fields.empty() && owner.entry.is_null(); });
}

void Owners::add(Owner owner) {
  if (owner.fields.empty()) return;
  Owner* known = find(owner);
  if (known == nullptr) {
    list_.push_back(std::move(owner));
    return;
  }
  known->load();
  known->fields.unite(owner.fields);
  known->time = std::move(owner.time);
  known->entry = nullptr;
}

void Owners::cap_updaters() {
  auto updaters = static_cast<size_t>(std::count_if(list_.begin(), list_.end(), [](const Owner& owner) { return !owner.apply; }));
  if (updaters <= kMaxUpdaters) return;
  load_all();
  // Oldest first; the list is small, and this is rare.
  std::stable_sort(list_.begin(), list_.end(), [](const Owner& l, const Owner& r) {
    return std::tie(l.apply, l.time, l.manager) < std::tie(r.apply, r.time, r.manager);
  });
  std::map<std::string, size_t> first_of_version;
  std::vector<bool> folded(list_.size());
  for (size_t i = 0; i < list_.size() && !list_[i].apply && updaters > kMaxUpdaters; ++i) {
    auto [first, is_first] = first_of_version.emplace(list_[i].api_version, i);
    if (is_first) continue;
    Owner& bucket = list_[first->second];
    bucket.manager = kOldUpdates;
    bucket.subresource.clear();
    bucket.fields.unite(list_[i].fields);
    bucket.time = list_[i].time;
    bucket.entry = nullptr;
    folded[i] = true;
    --updaters;
  }
  std::vector<Owner> kept;
  for (size_t i = 0; i < list_.size(); ++i) {
    if (!folded[i]) kept.push_back(std::move(list_[i]));
  }
  list_ = std::move(kept);
}

bool asks_for_reset(const json& managed_fields) {
  if (!managed_fields.is_array()) return false;
  return managed_fields.empty() || (managed_fields.size() == 1 && managed_fields[0].is_object() && managed_fields[0].empty());
}

const json* find_managed_fields(const json& tree) {
  const json* found = store::find(tree, "metadata.managedFields");
  return found == nullptr || found->is_null() ? nullptr : found;
}

std::string_view ignored_field(const store::Resource& resource, std::string_view subresource) {
  if (subresource == "status" || subresource == "approval") return "spec";
  return resource.has_status ? "status" : "";
}

// What strategies of upstream put back besides, so that nobody comes to own it.
const std::vector<std::string_view>& reset_path(const store::Resource& resource, std::string_view subresource) {
  static const std::vector<std::string_view> kNone, kSpec = {"spec"}, kMetadata = {"metadata"}, kLabels = {"metadata", "labels"}, kOwners = {"metadata", "ownerReferences"},
                                             kConditions = {"status", "conditions"}, kCertificate = {"status", "certificate"};
  const std::string_view name = resource.storage_name;
  if (name == "certificatesigningrequests.certificates.k8s.io") return subresource == "status" ? kConditions : subresource == "approval" ? kCertificate : kSpec;
  if (subresource != "status") return kNone;
  if (name == "deployments.apps") return kLabels;
  if (name == "pods") return kOwners;
  static constexpr std::string_view kWhole[] = {"servicecidrs.networking.k8s.io", "volumeattachments.storage.k8s.io", "apiservices.apiregistration.k8s.io",
                                                "validatingadmissionpolicies.admissionregistration.k8s.io", "customresourcedefinitions.apiextensions.k8s.io"};
  return resource.custom || std::find(std::begin(kWhole), std::end(kWhole), name) != std::end(kWhole) ? kMetadata : kNone;
}

void erase_reset(PathSet& set, const std::vector<std::string_view>& path) {
  if (path.empty()) return;
  const std::string first = field_element(path[0]);
  const PathSet* found = set.find(first);
  if (found == nullptr) return;
  PathSet rest = *found;
  set.erase(first);
  if (path.size() < 2) return;
  rest.erase(field_element(path[1]));
  set.attach(first, std::move(rest));
}

}  // namespace compat
