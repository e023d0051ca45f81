// kubectl-compat/patch/path_set.h - a set of field paths, as a trie. An element of a path is spelt as FieldsV1
// spells it: `f:name`, `k:{"name":"c"}`, `v:"x"`, `i:0`.
//
// Value type; a const PathSet may be read from any thread. Invariant: children are sorted by element, none is empty.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace compat {

class PathSet {
 public:
  struct Child;

  bool member = false;  // The path up to here is in the set.

  bool empty() const { return !member && children_.empty(); }
  bool operator==(const PathSet& other) const;
  const std::vector<Child>& children() const { return children_; }
  const PathSet* find(std::string_view element) const;  // nullptr: nothing at or below it.

  // Adds a whole subtree; an empty one is not added. Cheap when elements come in sorted order.
  void attach(std::string element, PathSet set);
  void insert(const std::vector<std::string>& path);
  void erase(std::string_view element);  // The subtree.

  void unite(const PathSet& other);
  // Removes the paths of `other`, exactly those (not what is below them). True: there were some.
  bool subtract(const PathSet& other);
  PathSet intersection(const PathSet& other) const;
  bool intersects(const PathSet& other) const;

  // Every path, elements in order; the vector is valid during the call only.
  void for_each(const std::function<void(const std::vector<std::string_view>&)>& visit) const;

 private:
  void visit_below(std::vector<std::string_view>& path, const std::function<void(const std::vector<std::string_view>&)>& visit) const;
  size_t lower_bound(std::string_view element) const;

  std::vector<Child> children_;
};

struct PathSet::Child {
  std::string element;
  PathSet set;
  bool operator==(const Child& other) const { return element == other.element && set == other.set; }
};

}  // namespace compat
