// Strategic merge patch: which lists merge, and by which key, comes from the schema; directives in the patch
// ($patch, $retainKeys, $setElementOrder/x, $deleteFromPrimitiveList/x) say what a plain merge cannot.
// Merged lists are ordered as upstream does: what the patch (or $setElementOrder) names keeps the patch's order,
// what only the server has keeps the server's, and of the two heads the patch's goes first (a new item is a first item)
// unless the live list already had them the other way round.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "kubectl-compat/patch/patch.h"

namespace compat {
namespace {

using store::Field;
using store::Type;
using store::TypeKind;

constexpr std::string_view kDirective = "$patch";
constexpr std::string_view kRetainKeys = "$retainKeys";
constexpr std::string_view kDeletePrefix = "$deleteFromPrimitiveList";
constexpr std::string_view kOrderPrefix = "$setElementOrder";

base::Error bad_request(std::string message) { return {base::Code::kBadRequest, std::move(message)}; }
base::Error bad_retain_keys() { return bad_request("invalid patch format of retainKeys"); }
base::Error bad_order() { return bad_request("invalid patch format of setElementOrder list"); }
base::Error bad_primitive_list() { return bad_request("invalid patch format of primitive list"); }
base::Error internal(std::string message) { return {base::Code::kInternal, std::move(message)}; }

// A value as Go's %v prints it, which is how these errors name it.
std::string go_text(const json& value) {
  std::string out;
  if (value.is_object()) {
    for (auto it = value.begin(); it != value.end(); ++it) out += (out.empty() ? "" : " ") + it.key() + ":" + go_text(*it);
    return "map[" + out + "]";
  }
  if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i) out += (i == 0 ? "" : " ") + go_text(value[i]);
    return "[" + out + "]";
  }
  if (value.is_string()) return value.get_ref<const std::string&>();
  if (value.is_null()) return "<nil>";
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

const char* go_type_name(const json& value) {
  if (value.is_object()) return "map[string]interface {}";
  if (value.is_array()) return "[]interface {}";
  if (value.is_string()) return "string";
  if (value.is_boolean()) return "bool";
  if (value.is_number_float()) return "float64";
  return value.is_null() ? "<nil>" : "int64";
}

base::Error bad_type(const char* expected, const json& value) {
  return internal(std::string("expected a ") + expected + ", but received a " + go_type_name(value));
}
base::Error no_merge_key(const json& item, std::string_view key) {
  return internal("map: " + go_text(item) + " does not contain declared merge key: " + std::string(key));
}
base::Error unknown_directive(const json& item) {
  return internal("unknown patch type: " + go_text(item[std::string(kDirective)]) + " in map: " + go_text(item));
}

bool starts_with_directive(std::string_view key) {
  return key == kDirective || key == kRetainKeys || key.starts_with(kDeletePrefix) || key.starts_with(kOrderPrefix);
}

// What identifies an element: its merge key, or for primitives (no key) itself, as JSON text. Empty: no merge key.
std::string identity(const json& item, std::string_view merge_key) {
  const json* value = &item;
  if (!merge_key.empty()) {
    if (!item.is_object()) return {};
    auto it = item.find(merge_key);
    if (it == item.end()) return {};
    value = &*it;
  }
  return value->dump(-1, ' ', false, json::error_handler_t::replace);
}

using Positions = std::unordered_map<std::string, size_t>;  // identity -> first index

Positions positions(const json& list, std::string_view merge_key) {
  Positions out;
  for (size_t i = 0; i < list.size(); ++i) {
    std::string id = identity(list[i], merge_key);
    if (!id.empty()) out.emplace(std::move(id), i);
  }
  return out;
}

// All elements maps, or all of one kind of scalar; an error otherwise.
base::Status check_elements(const json& a, const json& b) {
  const json* first = nullptr;
  for (const json* list : {&a, &b}) {
    for (const json& item : *list) {
      if (item.is_array()) return base::Error{base::Code::kInvalid, "lists of lists are not supported"};
      if (first == nullptr) first = &item;
      if (first->is_object() != item.is_object()) return internal("list element types are not identical: [" + go_text(a) + " " + go_text(b) + "]");
    }
  }
  return {};
}

// `list` in its final order. `order`: what the patch says; `server`: the live list before the merge.
json order_elements(json list, const json& order, const json& server, std::string_view merge_key) {
  Positions in_order = positions(order, merge_key);
  Positions in_server = positions(server, merge_key);
  struct Item {
    size_t ordered;
    size_t served;
    json* value;
  };
  constexpr size_t kAbsent = static_cast<size_t>(-1);
  auto at = [](const Positions& map, const std::string& id) {
    auto it = map.find(id);
    return it == map.end() ? kAbsent : it->second;
  };
  std::vector<Item> named, rest;
  for (json& value : list) {
    std::string id = identity(value, merge_key);
    Item item{at(in_order, id), at(in_server, id), &value};
    (item.ordered != kAbsent ? named : rest).push_back(item);
  }
  std::stable_sort(named.begin(), named.end(), [](const Item& l, const Item& r) { return l.ordered < r.ordered; });
  std::stable_sort(rest.begin(), rest.end(), [](const Item& l, const Item& r) { return l.served < r.served; });
  json out = json::array();
  size_t i = 0, j = 0;
  while (i < named.size() || j < rest.size()) {
    bool take_rest = i == named.size() ||
                     (j < rest.size() && named[i].served != kAbsent && rest[j].served != kAbsent && rest[j].served < named[i].served);
    bool take_named = !take_rest;
    out.push_back(std::move(*(take_named ? named[i++] : rest[j++]).value));
  }
  return out;
}

// A subtree that only the patch has: taken over without its nulls and directives. False: it has one that says what to do with
// something, which is not there; whatever it says, nothing comes of it.
bool take_new(json& value) {
  if (value.is_array()) {
    json kept = json::array();
    for (json& item : value) {
      if (take_new(item)) kept.push_back(std::move(item));
    }
    value = std::move(kept);
    return true;
  }
  if (!value.is_object()) return true;
  if (value.contains(kDirective)) return false;
  for (auto it = value.begin(); it != value.end();) {
    bool drop = it->is_null() || starts_with_directive(it.key()) || !take_new(*it);
    it = drop ? value.erase(it) : std::next(it);
  }
  return true;
}

json taken(json value) {
  return take_new(value) ? std::move(value) : json::object();
}

struct Strategy {
  const Type* type = nullptr;  // of the field's value; nullptr: unknown
  bool merge = false;
  std::string_view key;
  bool replace = false;  // An object that is taken whole.
};

Strategy strategy_of(const Type* type, std::string_view name) {
  if (type == nullptr) return {};
  if (type->kind == TypeKind::kMap) return {type->element, false, {}};
  const Field* field = type->kind == TypeKind::kObject ? type->find_field(name) : nullptr;
  if (field == nullptr) return {};
  return {field->type, field->patch_merge, field->patch_merge_key, field->patch_replace};
}

base::Status merge_map(json& original, const json& patch, const Type* type);

// Takes the elements that carry $patch out of `patch`; deletes what they name in `original`. True: replace the list.
base::Result<bool> apply_element_directives(json& original, const json& patch, std::string_view key, json& plain) {
  bool replace = false;
  std::unordered_set<std::string> doomed;
  for (const json& item : patch) {
    auto directive = item.find(kDirective);
    if (directive == item.end()) {
      plain.push_back(item);
    } else if (*directive == "replace") {
      replace = true;
    } else if (*directive == "delete") {
      std::string id = identity(item, key);
      if (id.empty()) return no_merge_key(item, key);
      doomed.insert(std::move(id));
    } else if (*directive == "merge") {
      return internal("merging lists cannot yet be specified in the patch");
    } else {
      return unknown_directive(item);
    }
  }
  if (!doomed.empty()) {
    json kept = json::array();
    for (json& item : original) {
      if (!doomed.contains(identity(item, key))) kept.push_back(std::move(item));
    }
    original = std::move(kept);
  }
  return replace;
}

base::Status merge_objects(json& merged, const json& plain, std::string_view key, const Type* element) {
  Positions known = positions(merged, key);
  for (const json& item : plain) {
    std::string id = identity(item, key);
    if (id.empty()) return no_merge_key(item, key);
    auto [at, added] = known.emplace(id, merged.size());
    if (added) {
      merged.push_back(taken(item));
    } else {
      TRY_STATUS(merge_map(merged[at->second], item, element));
    }
  }
  return {};
}

// `original` becomes the merge of itself and `patch`, both lists with patchStrategy merge.
base::Status merge_list(json& original, const json& patch, const Strategy& strategy, bool reorder) {
  if (original.empty() && patch.empty()) return {};
  TRY_STATUS(check_elements(original, patch));
  const json server = original;
  json plain = json::array();
  bool objects = (original.empty() ? patch : original)[0].is_object();
  if (!objects) {
    std::unordered_set<std::string> seen;
    json merged = json::array();
    for (const json* list : {&server, &patch}) {
      for (const json& item : *list) {
        if (seen.insert(identity(item, {})).second) merged.push_back(item);
      }
    }
    original = std::move(merged);
    plain = patch;
  } else {
    if (strategy.key.empty()) return internal("cannot merge lists without merge key for type struct");
    bool replace = TRY(apply_element_directives(original, patch, strategy.key, plain));
    if (replace) {
      original = taken(std::move(plain));
      return {};
    }
    TRY_STATUS(merge_objects(original, plain, strategy.key, strategy.type == nullptr ? nullptr : strategy.type->element));
  }
  if (!reorder) return {};
  for (const json& item : original) {
    if (objects && identity(item, strategy.key).empty()) return no_merge_key(item, strategy.key);
  }
  original = order_elements(std::move(original), plain, server, objects ? strategy.key : std::string_view());
  return {};
}

// The patch's list may only hold, in the same relative order, what the order list holds; deletions apart.
base::Status check_order(const json& patch, const json& order, std::string_view key) {
  if (patch.empty() || order.empty()) return {};
  size_t at = 0;
  for (const json& item : patch) {
    if (item.is_object() && item.contains(kDirective)) continue;
    std::string id = identity(item, key);
    if (id.empty()) return no_merge_key(item, key);
    while (at < order.size() && identity(order[at], key) != id) ++at;
    if (at++ >= order.size()) {
      return internal("The order in patch list:\n" + go_text(patch) + "\n doesn't match " + std::string(kOrderPrefix) + " list:\n" + go_text(order) + "\n");
    }
  }
  return {};
}

base::Status apply_order(json& original, const json& patch, const Type* type, const std::string& name, const json& order) {
  if (!order.is_array()) return bad_type("[]interface {}", order);
  auto live = original.find(name);
  auto wanted = patch.find(name);
  bool has_live = live != original.end() && !live->is_null();
  bool has_wanted = wanted != patch.end() && !wanted->is_null();
  if (has_live && !live->is_array()) return bad_type("[]interface {}", *live);
  if (wanted != patch.end() && !wanted->is_array()) return bad_type("[]interface {}", *wanted);
  if (!has_live && !has_wanted) return {};
  Strategy strategy = strategy_of(type, name);
  if (has_wanted) TRY_STATUS(check_order(*wanted, order, strategy.key));
  const json server = has_live ? *live : json::array();
  json merged = server;
  if (has_wanted && !has_live) {
    merged = taken(*wanted);
  } else if (has_wanted && strategy.merge) {
    TRY_STATUS(merge_list(merged, *wanted, strategy, false));
  } else if (has_wanted) {
    merged = taken(*wanted);
  }
  for (const json& item : merged) {
    if (identity(item, strategy.key).empty()) return no_merge_key(item, strategy.key);
  }
  original[name] = order_elements(std::move(merged), order, server, strategy.key);
  return {};
}

base::Status apply_retain_keys(json& original, const json& patch) {
  auto it = patch.find(kRetainKeys);
  if (it == patch.end()) return {};
  if (!it->is_array()) return bad_retain_keys();
  std::unordered_set<std::string> kept;
  for (const json& name : *it) {
    if (name.is_string()) kept.insert(name.get<std::string>());
  }
  for (auto entry = patch.begin(); entry != patch.end(); ++entry) {
    if (!entry->is_null() && !starts_with_directive(entry.key()) && !kept.contains(entry.key())) return bad_retain_keys();
  }
  for (auto entry = original.begin(); entry != original.end();) {
    entry = kept.contains(entry.key()) ? std::next(entry) : original.erase(entry);
  }
  return {};
}

base::Status delete_primitives(json& original, const std::string& name, const json& doomed) {
  auto live = original.find(name);
  if (doomed.is_null() || live == original.end()) return {};
  if (!doomed.is_array() || !live->is_array()) return {};  // Of another type: nothing of it is in there.
  std::unordered_set<std::string> ids;
  for (const json& item : doomed) ids.insert(identity(item, {}));
  json kept = json::array();
  for (json& item : *live) {
    if (!ids.contains(identity(item, {}))) kept.push_back(std::move(item));
  }
  *live = std::move(kept);
  return {};
}

base::Status merge_field(json& original, const std::string& name, const json& value, const Type* type) {
  if (value.is_null()) {
    original.erase(name);
    return {};
  }
  auto live = original.find(name);
  if (live == original.end() || live->is_null()) {
    json fresh = value;
    if (take_new(fresh)) original[name] = std::move(fresh);
    return {};
  }
  Strategy strategy = strategy_of(type, name);
  if (live->is_object() && value.is_object() && !strategy.replace) return merge_map(*live, value, strategy.type);
  if (live->is_array() && value.is_array() && strategy.merge) return merge_list(*live, value, strategy, true);
  *live = taken(value);
  return {};
}

base::Status merge_map(json& original, const json& patch, const Type* type) {
  if (!original.is_object()) original = json::object();
  auto directive = patch.find(kDirective);
  if (directive != patch.end()) {
    if (*directive != "replace" && *directive != "delete") return unknown_directive(patch);
    json fresh = json::object();
    if (*directive == "replace") {
      fresh = patch;
      fresh.erase(std::string(kDirective));
      take_new(fresh);
    }
    original = std::move(fresh);
    return {};
  }
  TRY_STATUS(apply_retain_keys(original, patch));
  std::unordered_set<std::string> done;  // Lists that an order directive has merged already.
  for (auto it = patch.begin(); it != patch.end(); ++it) {
    if (!it.key().starts_with(kOrderPrefix)) continue;
    if (it.key().size() <= kOrderPrefix.size() || it.key()[kOrderPrefix.size()] != '/') return bad_order();
    std::string name = it.key().substr(kOrderPrefix.size() + 1);
    TRY_STATUS(apply_order(original, patch, type, name, *it));
    done.insert(std::move(name));
  }
  for (auto it = patch.begin(); it != patch.end(); ++it) {
    const std::string& key = it.key();
    if (key == kDirective || key == kRetainKeys || key.starts_with(kOrderPrefix)) continue;
    if (!key.starts_with(kDeletePrefix)) {
      if (!done.contains(key)) TRY_STATUS(merge_field(original, key, *it, type));
      continue;
    }
    if (key.size() <= kDeletePrefix.size() || key[kDeletePrefix.size()] != '/') return bad_primitive_list();
    TRY_STATUS(delete_primitives(original, key.substr(kDeletePrefix.size() + 1), *it));
  }
  return {};
}

}  // namespace

base::Result<json> apply_strategic_patch(const json& tree, const json& patch, const store::Type& type) {
  if (!patch.is_object()) {
    const char* kind = patch.is_array() ? "array" : patch.is_string() ? "string" : patch.is_boolean() ? "bool" : "number";
    if (patch.is_null()) return tree;
    return bad_request(std::string("json: cannot unmarshal ") + kind + " into Go value of type map[string]interface {}");
  }
  json out = tree;
  TRY_STATUS(merge_map(out, patch, &type));
  return out;
}

}  // namespace compat
