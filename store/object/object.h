// store/object/object.h - an API object: an immutable JSON tree with its identity and revision beside it.
//
// Value type. Copying copies three shared pointers' worth; the tree and the bytes are shared and never
// change, so an Object may be read from any thread. To change one: copy tree(), edit, make a new Object.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace store {

using json = nlohmann::json;
using Revision = uint64_t;  // Dense, increasing, never reused; 0 = "any"/"none".

// Where an object lives. `resource` is the storage name: "pods", "deployments.apps" (plural[.group]).
struct Key {
  std::string resource;
  std::string ns;  // Empty for cluster-scoped objects.
  std::string name;
  auto operator<=>(const Key&) const = default;
};

class Object {
 public:
  Object() = default;
  // Takes the tree as it is. metadata.name/namespace/uid/resourceVersion are read from it.
  Object(std::string resource, json tree);
  // From stored bytes, which must be what tree().dump() gives; the tree is parsed on first use.
  Object(Key key, Revision revision, std::shared_ptr<const std::string> bytes);

  explicit operator bool() const { return rep_ != nullptr; }
  const Key& key() const;
  const std::string& ns() const { return key().ns; }
  const std::string& name() const { return key().name; }
  std::string uid() const;
  Revision revision() const;   // metadata.resourceVersion; 0 before it is stored.
  const json& tree() const;    // Thread-safe.
  const std::string& bytes() const;  // Compact JSON, metadata.resourceVersion included. Thread-safe; made once.
  // The same object holding its bytes only (shared, not copied): a tree takes about ten times their memory.
  Object without_tree() const;

 private:
  struct Rep;
  std::shared_ptr<const Rep> rep_;
};

}  // namespace store
