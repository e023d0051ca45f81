// RFC 6902 and RFC 7386. nlohmann has json::patch(), but it throws, says other things than upstream and has no
// bound on what `copy` may build.
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "kubectl-compat/patch/patch.h"

namespace compat {
namespace {

constexpr size_t kMaxOperations = 10000;
// Bytes that all `copy` operations of one patch may add together, as the API server limits it: without, thirty
// operations that copy the root into itself would fill the memory.
constexpr size_t kMaxCopiedBytes = 3 * 1024 * 1024;

// Levels of what a patch makes: a body has no more, but operations that nest what they made before could pile up
// any number, and everything after recurses.
constexpr size_t kMaxPatchedDepth = 200;

base::Error operation_failed() {
  // Upstream drops the reason on its way to the client.
  return {base::Code::kInvalid, "the server rejected our request due to an error in our request"};
}

const char* go_kind(const json& value) {
  switch (value.type()) {
    case json::value_t::object: return "object";
    case json::value_t::array: return "array";
    case json::value_t::string: return "string";
    case json::value_t::boolean: return "bool";
    default: return "number";
  }
}

base::Error undecodable(const json& value, const char* target) {
  return {base::Code::kBadRequest, std::string("error decoding patch: json: cannot unmarshal ") + go_kind(value) +
                                       " into Go value of type jsonpatch." + target};
}

using Pointer = std::vector<std::string>;

std::optional<Pointer> parse_pointer(std::string_view text) {
  Pointer out;
  if (text.empty()) return out;
  if (text[0] != '/') return std::nullopt;
  for (size_t i = 0; i < text.size();) {
    size_t end = std::min(text.find('/', i + 1), text.size());
    std::string step;
    for (size_t at = i + 1; at < end; ++at) {
      bool escape = text[at] == '~' && at + 1 < end && (text[at + 1] == '0' || text[at + 1] == '1');
      step += !escape ? text[at] : text[at + 1] == '0' ? '~' : '/';
      at += escape ? 1 : 0;
    }
    out.push_back(std::move(step));
    i = end;
  }
  return out;
}

// An index below `limit`; negative ones count from the end, which upstream's library allows.
std::optional<size_t> parse_index(std::string_view step, size_t limit) {
  if (step.size() > 1 && step[0] == '+') step.remove_prefix(1);
  int64_t value = 0;
  auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), value);
  if (error != std::errc() || end != step.data() + step.size() || step.empty()) return std::nullopt;
  if (value < 0) value += static_cast<int64_t>(limit);
  if (value < 0 || static_cast<uint64_t>(value) >= limit) return std::nullopt;
  return static_cast<size_t>(value);
}

json* child(json& node, const std::string& step) {
  if (node.is_object()) {
    auto it = node.find(step);
    return it == node.end() ? nullptr : &*it;
  }
  if (!node.is_array()) return nullptr;
  auto index = parse_index(step, node.size());
  return index ? &node[*index] : nullptr;
}

json* walk(json& root, const Pointer& pointer, size_t steps) {
  json* at = &root;
  for (size_t i = 0; at != nullptr && i < steps; ++i) at = child(*at, pointer[i]);
  return at;
}

bool add(json& root, const Pointer& path, json value) {
  if (path.empty()) {
    root = std::move(value);
    return true;
  }
  json* parent = walk(root, path, path.size() - 1);
  if (parent == nullptr) return false;
  const std::string& last = path.back();
  if (parent->is_object()) {
    (*parent)[last] = std::move(value);
    return true;
  }
  if (!parent->is_array()) return false;
  auto index = last == "-" ? parent->size() : parse_index(last, parent->size() + 1);
  if (!index) return false;
  parent->insert(parent->begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
  return true;
}

bool remove(json& root, const Pointer& path) {
  if (path.empty()) return false;
  json* parent = walk(root, path, path.size() - 1);
  if (parent == nullptr) return false;
  if (parent->is_object()) return parent->erase(path.back()) == 1;
  if (!parent->is_array()) return false;
  auto index = parse_index(path.back(), parent->size());
  if (!index) return false;
  parent->erase(*index);
  return true;
}

size_t approximate_size(const json& value) {
  size_t size = 8;
  if (value.is_string()) size += value.get_ref<const std::string&>().size();
  if (value.is_array()) {
    for (const json& item : value) size += approximate_size(item);
  } else if (value.is_object()) {
    for (auto it = value.begin(); it != value.end(); ++it) size += it.key().size() + approximate_size(it.value());
  }
  return size;
}

// Without recursion by more than a level at a time beyond the limit.
size_t depth_of(const json& value, size_t limit = kMaxPatchedDepth + 1) {
  if (!value.is_structured() || limit == 0) return 0;
  size_t deepest = 0;
  for (const json& item : value) deepest = std::max(deepest, depth_of(item, limit - 1));
  return deepest + 1;
}

std::optional<Pointer> pointer_member(const json& operation, const char* name) {
  auto it = operation.find(name);
  if (it == operation.end() || !it->is_string()) return std::nullopt;
  return parse_pointer(it->get_ref<const std::string&>());
}

bool test(json& root, const Pointer& path, const json& want) {
  json* have = walk(root, path, path.size());
  if (have != nullptr) return *have == want;
  // Upstream's library finds an absent member of a present object equal to null.
  if (!want.is_null() || path.empty()) return false;
  json* parent = walk(root, path, path.size() - 1);
  return parent != nullptr && parent->is_object();
}

bool move_or_copy(json& root, const json& operation, const Pointer& path, bool move, size_t& copied) {
  auto from = pointer_member(operation, "from");
  if (!from) return false;
  json* source = walk(root, *from, from->size());
  if (source == nullptr) return false;
  if (!move) {
    copied += approximate_size(*source);
    if (copied > kMaxCopiedBytes) return false;
  }
  json value = *source;
  if (move && !remove(root, *from)) return false;
  return add(root, path, std::move(value));
}

// At most how deep the tree can be, without looking at all of it for every operation.
class DepthBound {
 public:
  explicit DepthBound(const json& root) : bound_(depth_of(root)) {}
  // Before `operation` is applied to `root`.
  bool allows(const json& operation, const json& root) {
    const size_t grows = growth(operation);
    if (bound_ + grows > kMaxPatchedDepth) bound_ = depth_of(root);
    if (grows > 0) bound_ += grows;
    auto value = operation.find("value");
    auto path = pointer_member(operation, "path");
    if (value != operation.end() && path) bound_ = std::max(bound_, path->size() + depth_of(*value));
    return bound_ <= kMaxPatchedDepth;
  }

 private:
  // What is moved or copied lands this much deeper than it was.
  static size_t growth(const json& operation) {
    auto path = pointer_member(operation, "path"), from = pointer_member(operation, "from");
    return path && from && path->size() > from->size() ? path->size() - from->size() : 0;
  }
  size_t bound_;
};

bool apply_operation(json& root, const json& operation, size_t& copied) {
  auto op = operation.find("op");
  if (op == operation.end() || !op->is_string()) return false;
  auto path = pointer_member(operation, "path");
  if (!path) return false;
  auto value = operation.find("value");
  const std::string& name = op->get_ref<const std::string&>();
  if (name == "add") return value != operation.end() && add(root, *path, *value);
  if (name == "remove") return remove(root, *path);
  if (name == "test") return test(root, *path, value == operation.end() ? json() : *value);
  if (name == "move") return move_or_copy(root, operation, *path, true, copied);
  if (name == "copy") return move_or_copy(root, operation, *path, false, copied);
  if (name != "replace" || value == operation.end()) return false;
  json* target = walk(root, *path, path->size());
  if (target == nullptr) return false;
  *target = *value;
  return true;
}

}  // namespace

base::Result<json> apply_json_patch(const json& tree, const json& patch) {
  if (patch.is_null()) return tree;
  if (!patch.is_array()) return undecodable(patch, "Patch");
  for (const json& operation : patch) {
    if (!operation.is_object() && !operation.is_null()) return undecodable(operation, "Operation");
  }
  if (patch.size() > kMaxOperations) {
    return base::Error{base::Code::kTooLarge, "Request entity too large: The allowed maximum operations in a JSON patch is " +
                                                  std::to_string(kMaxOperations) + ", got " + std::to_string(patch.size())};
  }
  json out = tree;
  size_t copied = 0;
  DepthBound depth(out);
  for (const json& operation : patch) {
    if (!operation.is_object() || !depth.allows(operation, out) || !apply_operation(out, operation, copied)) return operation_failed();
  }
  return out;
}

namespace {

void merge_into(json& target, const json& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object()) target = json::object();
  for (auto it = patch.begin(); it != patch.end(); ++it) {
    if (it->is_null()) {
      target.erase(it.key());
    } else {
      merge_into(target[it.key()], *it);
    }
  }
}

}  // namespace

json apply_merge_patch(const json& tree, const json& patch) {
  json out = tree;
  merge_into(out, patch);
  return out;
}

}  // namespace compat
