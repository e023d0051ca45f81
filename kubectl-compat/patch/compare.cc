// Where two trees differ, as sets of paths. Runs on every write: local sets are built bottom-up and attached only
// when they hold something, and lists are matched by position first.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "kubectl-compat/patch/fields_v1.h"
#include "kubectl-compat/patch/typed.h"
#include "store/schema/defaults.h"

namespace compat {

using store::Type;
using store::TypeKind;

namespace {

constexpr std::array<std::string_view, 8> kServerMetadata = {"creationTimestamp", "generation", "managedFields", "name",
                                                             "namespace",         "resourceVersion", "selfLink", "uid"};

enum class Level { kRoot, kMetadata, kBelow };

bool contains(std::span<const std::string_view> list, std::string_view name) { return std::find(list.begin(), list.end(), name) != list.end(); }

const json& empty_object() {
  static const json kEmpty = json::object();
  return kEmpty;
}

class Comparer {
 public:
  explicit Comparer(const CompareOptions& options) : options_(options) {}

  void compare(const json* before, const json* after, const Type* type, Level level, Difference& out) {
    if (before == nullptr && after == nullptr) return;
    bool from_value = before != nullptr && !before->is_null(), to_value = after != nullptr && !after->is_null();
    Shape shape = from_value ? shape_of(type, *before) : to_value ? shape_of(type, *after) : Shape::kLeaf;
    bool mixed = from_value && to_value && shape_of(type, *after) != shape;
    bool nothing = (before == nullptr || before->empty()) && (after == nullptr || after->empty());
    if (mixed || shape == Shape::kLeaf || nothing) {
      if (mixed && shape != Shape::kLeaf) {  // What was below it is no more.
        compare(before, nullptr, type, level, out);
        out.removed.member = false;
      }
      leaf(before, after, out);
      return;
    }
    if (shape == Shape::kItems) {
      if (!items(before, after, *type, out)) {
        leaf(before, after, out);
        return;
      }
    } else {
      fields(before, after, type, level, out);
    }
    if (before == nullptr) out.taken.member = true;
    if (after == nullptr) out.removed.member = true;
  }

 private:
  static void leaf(const json* before, const json* after, Difference& out) {
    if (after == nullptr) {
      out.removed.member = true;
    } else if (before == nullptr || *before != *after) {
      out.taken.member = true;
    }
  }

  void child(std::string element, const json* before, const json* after, const Type* type, Level level, Difference& out) {
    Difference below;
    compare(before, after, type, level, below);
    if (!below.taken.empty()) {
      out.taken.attach(below.removed.empty() ? std::move(element) : element, std::move(below.taken));
    }
    if (!below.removed.empty()) out.removed.attach(std::move(element), std::move(below.removed));
  }

  bool skipped(Level level, const std::string& name) const {
    if (level == Level::kRoot) return name == "apiVersion" || name == "kind" || (!options_.ignored.empty() && name == options_.ignored);
    return level == Level::kMetadata && is_server_metadata(name);
  }

  // What a side that lacks the field has instead: upstream's types hold it, empty, in an object that has nothing yet, so that
  // its first content does not make a path of the field itself.
  static const json* stand_in(const json* side, const Type* type, const std::string& name) {
    if (side == nullptr || type == nullptr || type->kind != TypeKind::kObject) return nullptr;
    const store::Field* field = type->find_field(name);
    return field != nullptr && field->always ? &store::zero_value(*field) : nullptr;
  }

  void fields(const json* before, const json* after, const Type* type, Level level, Difference& out) {
    const json& left = before != nullptr ? *before : empty_object();
    const json& right = after != nullptr ? *after : empty_object();
    auto l = left.begin();
    auto r = right.begin();
    while (l != left.end() || r != right.end()) {
      int order = l == left.end() ? 1 : r == right.end() ? -1 : l.key().compare(r.key());
      const std::string& name = order <= 0 ? l.key() : r.key();
      const json* old_value = order <= 0 ? &*l : nullptr;
      const json* new_value = order >= 0 ? &*r : nullptr;
      if (!skipped(level, name)) {
        bool equal_scalars = order == 0 && old_value->is_primitive() && *old_value == *new_value;
        if (!equal_scalars) one_field(name, old_value, new_value, before, after, type, level, out);
      }
      if (order <= 0) ++l;
      if (order >= 0) ++r;
    }
  }

  void one_field(const std::string& name, const json* old_value, const json* new_value, const json* before, const json* after, const Type* type,
                 Level level, Difference& out) {
    if (old_value == nullptr) old_value = stand_in(before, type, name);
    if (new_value == nullptr) new_value = stand_in(after, type, name);
    Level below = level == Level::kRoot && name == "metadata" ? Level::kMetadata : Level::kBelow;
    child(field_element(name), old_value, new_value, child_type(type, name), below, out);
  }

  using Items = std::vector<std::pair<std::string, const json*>>;

  // Items by element; repeated ones count once. False: an item has no element.
  static bool index(const json* list, const Type& type, Items& out) {
    if (list == nullptr) return true;
    out.reserve(list->size());
    for (const json& item : *list) {
      auto element = item_element(item, type);
      if (!element) return false;
      out.emplace_back(std::move(*element), &item);
    }
    auto less = [](const auto& a, const auto& b) { return a.first < b.first; };
    std::stable_sort(out.begin(), out.end(), less);
    out.erase(std::unique(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first == b.first; }), out.end());
    return true;
  }

  bool items(const json* before, const json* after, const Type& type, Difference& out) {
    if (before != nullptr && after != nullptr && *before == *after) return true;
    Items left, right;
    if (!index(before, type, left) || !index(after, type, right)) return false;
    auto l = left.begin();
    auto r = right.begin();
    while (l != left.end() || r != right.end()) {
      int order = l == left.end() ? 1 : r == right.end() ? -1 : l->first.compare(r->first);
      std::string& element = order <= 0 ? l->first : r->first;
      child(std::move(element), order <= 0 ? l->second : nullptr, order >= 0 ? r->second : nullptr, type.element, Level::kBelow, out);
      if (order <= 0) ++l;
      if (order >= 0) ++r;
    }
    return true;
  }

  const CompareOptions& options_;
};

}  // namespace

bool is_server_metadata(std::string_view field) { return contains(kServerMetadata, field); }

Difference compare(const json& before, const json& after, const Type& type, const CompareOptions& options) {
  Difference out;
  const json& from = before.is_object() ? before : empty_object();
  Comparer(options).compare(&from, &after, &type, Level::kRoot, out);
  return out;
}

void strip_server_fields(PathSet& set) {
  set.erase("f:apiVersion");
  set.erase("f:kind");
  const PathSet* metadata = set.find("f:metadata");
  if (metadata == nullptr) return;
  PathSet kept = *metadata;
  for (std::string_view name : kServerMetadata) kept.erase(field_element(name));
  kept.member = false;
  set.erase("f:metadata");
  set.attach("f:metadata", std::move(kept));
}

}  // namespace compat
