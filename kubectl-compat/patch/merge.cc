// Laying a configuration over a live tree, and taking out what its manager no longer sets.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "kubectl-compat/patch/fields_v1.h"
#include "kubectl-compat/patch/typed.h"

namespace compat {

using store::Type;
using store::TypeKind;

namespace {

void merge_into(json& live, const json& config, const Type* type);

struct Item {
  std::string element;
  size_t index;
};

// False: some item has no element (the list is then replaced as a whole).
bool name_items(const json& list, const Type& type, std::vector<Item>& out) {
  out.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    auto element = item_element(list[i], type);
    if (!element) return false;
    out.push_back({std::move(*element), i});
  }
  return true;
}

// Config's items in config's order; between two that live has too, what only live has keeps its place.
bool merge_items(json& live, const json& config, const Type& type) {
  std::vector<Item> left, right;
  if (!name_items(live, type, left) || !name_items(config, type, right)) return false;
  std::unordered_map<std::string_view, size_t> in_live, in_config;
  for (const Item& item : left) in_live.emplace(item.element, item.index);
  for (const Item& item : right) in_config.emplace(item.element, item.index);
  json out = json::array();
  auto take_config = [&](const Item& item) {
    auto known = in_live.find(item.element);
    if (known == in_live.end()) {
      out.push_back(config[item.index]);
      return;
    }
    json merged = live[known->second];  // A copy: live may name an item twice.
    merge_into(merged, config[item.index], type.element);
    out.push_back(std::move(merged));
  };
  auto next_shared = [&](size_t from) {
    while (from < right.size() && !in_live.contains(right[from].element)) ++from;
    return from;
  };
  size_t l = 0, r = 0, shared = next_shared(0);
  while (l < left.size() || r < right.size()) {
    bool in_both = l < left.size() && in_config.contains(left[l].element);
    if (in_both && r < right.size() && left[l].element == right[r].element) {
      take_config(right[r++]);
      ++l;
      shared = next_shared(r);
    } else if (in_both && (shared >= right.size() || left[l].element != right[shared].element)) {
      ++l;  // Comes, or came, at its place in config.
    } else if (l < left.size() && !in_both) {
      out.push_back(live[left[l++].index]);
    } else if (r < right.size()) {
      take_config(right[r++]);
      if (r > shared) shared = next_shared(r);
    } else {
      ++l;
    }
  }
  live = std::move(out);
  return true;
}

void merge_into(json& live, const json& config, const Type* type) {
  Shape shape = shape_of(type, config);
  if (shape == Shape::kLeaf || shape_of(type, live) != shape || live.empty() || (config.empty() && shape == Shape::kItems)) {
    // An empty list of items in config sets nothing; elsewhere config's value wins.
    if (!(shape == Shape::kItems && config.empty() && live.is_array())) live = config;
    return;
  }
  if (shape == Shape::kItems) {
    if (!merge_items(live, config, *type)) live = config;
    return;
  }
  for (auto it = config.begin(); it != config.end(); ++it) {
    if (it->is_null()) {
      live.erase(it.key());
      continue;
    }
    auto known = live.find(it.key());
    if (known == live.end() || known->is_null()) {
      live[it.key()] = *it;
    } else {
      merge_into(*known, *it, child_type(type, it.key()));
    }
  }
}

bool is_named_field(const Type* type, std::string_view name) {
  return type != nullptr && type->kind == TypeKind::kObject && type->find_field(name) != nullptr;
}

// A path counts as owned when it is in the set; a declared field already when something below it is.
bool owned(const PathSet* set, bool named) { return set != nullptr && (set->member || (named && !set->children().empty())); }

void prune(json& tree, const Type* type, const PathSet& last, const PathSet* managed);

void prune_fields(json& tree, const Type* type, const PathSet& last, const PathSet* managed) {
  for (const PathSet::Child& child : last.children()) {
    if (!child.element.starts_with("f:")) continue;
    std::string name = child.element.substr(2);
    auto it = tree.find(name);
    if (it == tree.end()) continue;
    bool named = is_named_field(type, name);
    const PathSet* others = managed == nullptr ? nullptr : managed->find(child.element);
    if (owned(&child.set, named) && !owned(others, named)) {
      tree.erase(it);
      continue;
    }
    if (!it->is_structured() || it->empty()) continue;
    prune(*it, child_type(type, name), child.set, others);
    if (it->empty()) tree.erase(it);
  }
}

void prune_items(json& tree, const Type& type, const PathSet& last, const PathSet* managed) {
  json kept = json::array();
  for (json& item : tree) {
    auto element = item_element(item, type);
    const PathSet* mine = element ? last.find(*element) : nullptr;
    if (mine == nullptr) {
      kept.push_back(std::move(item));
      continue;
    }
    const PathSet* others = managed == nullptr ? nullptr : managed->find(*element);
    if (mine->member && !owned(others, false)) continue;
    std::vector<std::pair<std::string, json>> keys;  // What names an item stays while the item does.
    for (std::string_view key : type.list_keys) {
      auto it = item.is_object() ? item.find(key) : item.end();
      if (item.is_object() && it != item.end()) keys.emplace_back(key, *it);
    }
    prune(item, type.element, *mine, others);
    for (auto& [key, value] : keys) item[key] = std::move(value);
    kept.push_back(std::move(item));
  }
  tree = std::move(kept);
}

void prune(json& tree, const Type* type, const PathSet& last, const PathSet* managed) {
  switch (shape_of(type, tree)) {
    case Shape::kLeaf: return;
    case Shape::kItems: prune_items(tree, *type, last, managed); return;
    default: prune_fields(tree, type, last, managed);
  }
}

}  // namespace

json merge(const json& live, const json& config, const Type& type) {
  json out = live;
  merge_into(out, config, &type);
  return out;
}

void prune_paths(json& tree, const Type& type, const PathSet& last, const PathSet& managed) { prune(tree, &type, last, &managed); }

}  // namespace compat
