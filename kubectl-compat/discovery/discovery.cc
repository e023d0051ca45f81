#include "kubectl-compat/discovery/discovery.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

namespace compat {
namespace {

using store::Registry;
using store::Resource;
using store::Subresource;

#if defined(__aarch64__)
constexpr const char* kPlatform = "linux/arm64";
#else
constexpr const char* kPlatform = "linux/amd64";
#endif

struct VersionRows {
  std::string_view version;
  std::vector<const Resource*> resources;
};

struct GroupRows {
  std::string_view group;
  std::vector<VersionRows> versions;
};

// The Registry's rows by group and version, each in order of first appearance.
std::vector<GroupRows> by_group(const Registry& registry) {
  std::vector<GroupRows> groups;
  for (const Resource* resource : registry.resources()) {
    auto group = std::find_if(groups.begin(), groups.end(), [&](const GroupRows& g) { return g.group == resource->group; });
    if (group == groups.end()) group = groups.insert(groups.end(), GroupRows{resource->group, {}});
    auto& versions = group->versions;
    auto version =
        std::find_if(versions.begin(), versions.end(), [&](const VersionRows& v) { return v.version == resource->version; });
    if (version == versions.end()) version = versions.insert(versions.end(), VersionRows{resource->version, {}});
    version->resources.push_back(resource);
  }
  return groups;
}

Ordered string_array(std::span<const std::string_view> items) {
  Ordered out = Ordered::array();
  for (std::string_view item : items) out.push_back(item);
  return out;
}

struct DiscoveredKind {
  std::string_view group, version, kind;
};

// What a subresource's bodies are: the parent's own kind unless the row says otherwise.
DiscoveredKind subresource_kind(const Resource& parent, const Subresource& sub) {
  bool own = sub.group.empty() && sub.version.empty();
  return {own ? parent.group : sub.group, own ? parent.version : sub.version, sub.kind.empty() ? parent.kind : sub.kind};
}

// In the order of their names, as upstream lists them.
std::vector<const Subresource*> sorted_subresources(const Resource& resource) {
  std::vector<const Subresource*> out;
  for (const Subresource& sub : resource.subresources) out.push_back(&sub);
  std::sort(out.begin(), out.end(), [](const Subresource* a, const Subresource* b) { return a->name < b->name; });
  return out;
}

// A group and version that are those of the list go without saying.
DiscoveredKind within(const Resource& resource, DiscoveredKind gvk) {
  if (!resource.custom && gvk.group == resource.group && gvk.version == resource.version) gvk.group = gvk.version = "";
  return gvk;
}

Ordered response_kind(const DiscoveredKind& gvk) { return {{"group", gvk.group}, {"version", gvk.version}, {"kind", gvk.kind}}; }

Ordered aggregated_resource(const Resource& resource) {
  Ordered out = {{"resource", resource.plural},
              {"responseKind", response_kind(within(resource, {resource.group, resource.version, resource.kind}))},
              {"scope", resource.namespaced ? "Namespaced" : "Cluster"},
              {"singularResource", resource.singular},
              {"verbs", string_array(resource.verbs)}};
  if (!resource.short_names.empty()) out["shortNames"] = string_array(resource.short_names);
  if (!resource.categories.empty()) out["categories"] = string_array(resource.categories);
  for (const Subresource* sub : sorted_subresources(resource)) {
    out["subresources"].push_back({{"subresource", sub->name},
                                   {"responseKind", response_kind(within(resource, subresource_kind(resource, *sub)))},
                                   {"verbs", string_array(sub->verbs)}});
  }
  return out;
}

Ordered aggregated(const Registry& registry, DiscoveryVersion version, bool core) {
  Ordered items = Ordered::array();
  for (const GroupRows& group : by_group(registry)) {
    if (group.group.empty() != core) continue;
    Ordered versions = Ordered::array();
    for (const VersionRows& rows : group.versions) {
      Ordered resources = Ordered::array();
      for (const Resource* resource : rows.resources) resources.push_back(aggregated_resource(*resource));
      versions.push_back({{"version", rows.version}, {"resources", std::move(resources)}, {"freshness", "Current"}});
    }
    Ordered metadata = Ordered::object();
    if (!core) metadata["name"] = group.group;
    items.push_back({{"metadata", std::move(metadata)}, {"versions", std::move(versions)}});
  }
  return {{"kind", "APIGroupDiscoveryList"},
          {"apiVersion", version == DiscoveryVersion::kV2 ? "apidiscovery.k8s.io/v2" : "apidiscovery.k8s.io/v2beta1"},
          {"metadata", Ordered::object()},
          {"items", std::move(items)}};
}

Ordered group_version(std::string_view group, std::string_view version) {
  return {{"groupVersion", std::string(group) + "/" + std::string(version)}, {"version", version}};
}

Ordered group_entry(const GroupRows& group) {
  Ordered versions = Ordered::array();
  for (const VersionRows& rows : group.versions) versions.push_back(group_version(group.group, rows.version));
  Ordered preferred = versions[0];
  return {{"name", group.group}, {"versions", std::move(versions)}, {"preferredVersion", std::move(preferred)}};
}

// Eight bytes in base64 that change with the version that objects are kept in, and with nothing else.
std::string storage_version_hash(const Resource& resource) {
  uint64_t hash = 14695981039346656037ull;
  const std::string version = resource.is_stored() ? resource.api_version() : std::string(resource.stored_version);
  for (unsigned char c : version + "/" + std::string(resource.kind)) hash = (hash ^ c) * 1099511628211ull;
  static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (int shift = 58; shift >= 0; shift -= 6) out += kLetters[hash >> shift & 63];
  out += kLetters[(hash & 15) << 2];
  return out + "=";
}

void append_resource_rows(Ordered& out, const Resource& resource) {
  Ordered row = {{"name", resource.plural},
              {"singularName", resource.singular},
              {"namespaced", resource.namespaced},
              {"kind", resource.kind},
              {"verbs", string_array(resource.verbs)}};
  if (!resource.short_names.empty()) row["shortNames"] = string_array(resource.short_names);
  if (!resource.categories.empty()) row["categories"] = string_array(resource.categories);
  const bool kept = std::find(resource.verbs.begin(), resource.verbs.end(), "watch") != resource.verbs.end();
  if (kept && !resource.custom) row["storageVersionHash"] = storage_version_hash(resource);
  out.push_back(std::move(row));
  for (const Subresource* sub : sorted_subresources(resource)) {
    DiscoveredKind gvk = subresource_kind(resource, *sub);
    Ordered sub_row = {{"name", std::string(resource.plural) + "/" + std::string(sub->name)},
                    {"singularName", ""},
                    {"namespaced", resource.namespaced}};
    if (gvk.group != resource.group || gvk.version != resource.version) {
      sub_row["group"] = gvk.group;
      sub_row["version"] = gvk.version;
    }
    sub_row["kind"] = gvk.kind;
    sub_row["verbs"] = string_array(sub->verbs);
    out.push_back(std::move(sub_row));
  }
}

}  // namespace

Ordered aggregated_core(const Registry& registry, DiscoveryVersion version) { return aggregated(registry, version, true); }

Ordered aggregated_groups(const Registry& registry, DiscoveryVersion version) { return aggregated(registry, version, false); }

Ordered api_versions(const std::string& server_address) {
  return {{"kind", "APIVersions"},
          {"versions", {"v1"}},
          {"serverAddressByClientCIDRs", Ordered::array({{{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", server_address}}})}};
}

Ordered api_group_list(const Registry& registry) {
  Ordered groups = Ordered::array();
  for (const GroupRows& group : by_group(registry)) {
    if (!group.group.empty()) groups.push_back(group_entry(group));
  }
  return {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(groups)}};
}

std::optional<Ordered> api_group(const Registry& registry, std::string_view group) {
  if (group.empty()) return std::nullopt;  // The core group has no name to ask by.
  for (const GroupRows& rows : by_group(registry)) {
    if (rows.group != group) continue;
    Ordered out = {{"kind", "APIGroup"}, {"apiVersion", "v1"}};
    out.update(group_entry(rows));
    return out;
  }
  return std::nullopt;
}

std::optional<Ordered> api_resource_list(const Registry& registry, std::string_view group, std::string_view version) {
  Ordered resources = Ordered::array();
  std::string name;
  for (const Resource* resource : registry.resources()) {
    if (resource->group != group || resource->version != version) continue;
    name = resource->api_version();
    append_resource_rows(resources, *resource);
  }
  if (resources.empty()) return std::nullopt;
  Ordered out = {{"kind", "APIResourceList"}};
  if (!group.empty()) out["apiVersion"] = "v1";  // The core group's list is older than that.
  out["groupVersion"] = name;
  out["resources"] = std::move(resources);
  return out;
}

// Clients parse gitVersion as a semantic version and compare major and minor with their own; the part after '+' is free.
Ordered version_info() {
  return {{"major", "1"},
          {"minor", "36"},
          {"emulationMajor", "1"},
          {"emulationMinor", "36"},
          {"minCompatibilityMajor", "1"},
          {"minCompatibilityMinor", "35"},
          {"gitVersion", "v1.36.0+kubelan-" KUBELAN_VERSION},
          {"gitCommit", ""},
          {"gitTreeState", "clean"},
          {"buildDate", "1970-01-01T00:00:00Z"},  // Builds are reproducible.
          {"goVersion", ""},
          {"compiler", "g++"},
          {"platform", kPlatform}};
}

}  // namespace compat
