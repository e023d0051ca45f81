// Ownership after ordinary writes.
#include <nlohmann/json.hpp>

#include "kubectl-compat/patch/managed.h"
#include "kubectl-compat/patch/patch.h"
#include "kubectl-compat/patch/typed.h"

namespace compat {
namespace {

// Takes managedFields out of the tree.
json take_managed_fields(json& tree) {
  auto metadata = tree.find("metadata");
  if (metadata == tree.end() || !metadata->is_object()) return nullptr;
  auto found = metadata->find("managedFields");
  if (found == metadata->end()) return nullptr;
  json out = std::move(*found);
  metadata->erase(found);
  return out;
}

// The owners before this write: those the client sent, if they are any good; else the live object's, so that
// a client that does not know of managedFields cannot lose them.
Owners starting_owners(const json& before, json sent, bool subresource) {
  if (!subresource && asks_for_reset(sent)) return {};
  const json* live = find_managed_fields(before);
  bool unchanged = live != nullptr && *live == sent;
  if (!subresource && !unchanged) {
    auto owners = Owners::decode(std::move(sent));
    if (owners && !owners->empty()) return std::move(*owners);
  }
  auto owners = live == nullptr ? std::nullopt : Owners::stored(unchanged ? std::move(sent) : *live);
  return owners ? std::move(*owners) : Owners();
}

}  // namespace

json track_update(const json& before, json after, const store::Resource& resource, const Manager& manager, base::WallTime now) {
  if (!after.is_object() || resource.type == nullptr) return after;
  Owners owners = starting_owners(before, take_managed_fields(after), !manager.subresource.empty());
  // An object whose ownership was reset stays so until somebody applies it.
  if (before.is_object() && owners.empty()) return after;
  CompareOptions options{ignored_field(resource, manager.subresource)};
  Difference difference = compare(before, after, *resource.type, options);
  const std::vector<std::string_view>& reset = reset_path(resource, manager.subresource);
  erase_reset(difference.taken, reset);
  erase_reset(difference.removed, reset);
  owners.subtract(difference.removed, nullptr);
  if (!difference.taken.empty()) {
    Owner self{manager.name, false, manager.api_version, manager.subresource, base::render_rfc3339(now), std::move(difference.taken), nullptr, true};
    owners.subtract(self.fields, owners.find(self));
    owners.add(std::move(self));
    owners.cap_updaters();
  }
  auto metadata = after.find("metadata");
  if (owners.empty() || metadata == after.end() || !metadata->is_object()) return after;
  (*metadata)["managedFields"] = std::move(owners).encode();
  return after;
}

}  // namespace compat
