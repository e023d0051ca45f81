// kubectl-compat/patch/managed.h - metadata.managedFields as a list of managers with their path sets. Pure; any thread.
#pragma once

#include <nlohmann/json.hpp>  // Lint: a member is a tree.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kubectl-compat/patch/patch.h"
#include "kubectl-compat/patch/path_set.h"

namespace compat {

// One entry. Identity: (manager, operation, subresource) and, for updates, the API version; never the time.
struct Owner {
  std::string manager;
  bool apply = false;  // operation Apply, else Update
  std::string api_version;
  std::string subresource;
  std::string time;    // RFC 3339, "" = none
  PathSet fields;      // Empty until load(), for stored entries.
  json entry;          // As it was decoded; null once something changed.
  bool loaded = true;

  void load();         // Makes `fields` valid.

  bool same_owner(const Owner& other) const;
};

class Owners {
 public:
  // What a client sent. Nothing when an entry is malformed: the caller then keeps what the live object has, as upstream.
  static std::optional<Owners> decode(json managed_fields);
  // What an object in the store has, which was decoded or made here before: path sets are read when needed, because most
  // writes touch few owners.
  static std::optional<Owners> stored(json managed_fields);
  void load_all();
  json encode() &&;  // Sorted as upstream: Apply first, then by time, manager, version, subresource.

  bool empty() const { return list_.empty(); }
  std::vector<Owner>& list() { return list_; }
  Owner* find(const Owner& like);
  // Takes paths away from all owners but `except` (nullptr: from all); owners with nothing left go. True: some changed.
  bool subtract(const PathSet& paths, const Owner* except);
  // The manager's entry gains `paths`.
  void add(Owner owner);
  // More than ten updaters: the oldest are folded into "ancient-changes".
  void cap_updaters();

 private:
  static std::optional<Owners> read(json managed_fields, bool strict);
  void drop_empty();

  std::vector<Owner> list_;
};

// [] and [{}] ask for all ownership to be forgotten.
bool asks_for_reset(const json& managed_fields);
// metadata.managedFields, or nullptr.
const json* find_managed_fields(const json& tree);
// The top-level field that a write through `subresource` leaves alone: "status", "spec" or "".
std::string_view ignored_field(const store::Resource& resource, std::string_view subresource);

// A path that such a write leaves alone besides; empty: none.
const std::vector<std::string_view>& reset_path(const store::Resource& resource, std::string_view subresource);
void erase_reset(PathSet& set, const std::vector<std::string_view>& path);

}  // namespace compat
