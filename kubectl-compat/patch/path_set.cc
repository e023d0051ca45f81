#include "kubectl-compat/patch/path_set.h"

#include <algorithm>

namespace compat {

bool PathSet::operator==(const PathSet& other) const { return member == other.member && children_ == other.children_; }

size_t PathSet::lower_bound(std::string_view element) const {
  auto it = std::lower_bound(children_.begin(), children_.end(), element, [](const Child& child, std::string_view e) { return child.element < e; });
  return static_cast<size_t>(it - children_.begin());
}

const PathSet* PathSet::find(std::string_view element) const {
  size_t at = lower_bound(element);
  return at < children_.size() && children_[at].element == element ? &children_[at].set : nullptr;
}

void PathSet::attach(std::string element, PathSet set) {
  if (set.empty()) return;
  if (children_.empty() || children_.back().element < element) {
    children_.push_back({std::move(element), std::move(set)});
    return;
  }
  size_t at = lower_bound(element);
  if (at < children_.size() && children_[at].element == element) {
    children_[at].set.unite(set);
  } else {
    children_.insert(children_.begin() + static_cast<std::ptrdiff_t>(at), {std::move(element), std::move(set)});
  }
}

void PathSet::insert(const std::vector<std::string>& path) {
  PathSet* node = this;
  for (const std::string& element : path) {
    size_t at = node->lower_bound(element);
    if (at == node->children_.size() || node->children_[at].element != element) {
      node->children_.insert(node->children_.begin() + static_cast<std::ptrdiff_t>(at), {element, {}});
    }
    node = &node->children_[at].set;
  }
  node->member = true;
}

void PathSet::erase(std::string_view element) {
  size_t at = lower_bound(element);
  if (at < children_.size() && children_[at].element == element) children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(at));
}

void PathSet::unite(const PathSet& other) {
  member = member || other.member;
  if (other.children_.empty()) return;
  std::vector<Child> merged;
  merged.reserve(children_.size() + other.children_.size());
  auto mine = children_.begin();
  auto theirs = other.children_.begin();
  while (mine != children_.end() || theirs != other.children_.end()) {
    if (theirs == other.children_.end() || (mine != children_.end() && mine->element < theirs->element)) {
      merged.push_back(std::move(*mine++));
    } else if (mine == children_.end() || theirs->element < mine->element) {
      merged.push_back(*theirs++);
    } else {
      mine->set.unite(theirs++->set);
      merged.push_back(std::move(*mine++));
    }
  }
  children_ = std::move(merged);
}

bool PathSet::subtract(const PathSet& other) {
  bool changed = member && other.member;
  if (changed) member = false;
  auto theirs = other.children_.begin();
  bool emptied = false;
  for (Child& child : children_) {
    while (theirs != other.children_.end() && theirs->element < child.element) ++theirs;
    if (theirs == other.children_.end()) break;
    if (theirs->element != child.element || !child.set.subtract(theirs->set)) continue;
    changed = true;
    emptied = emptied || child.set.empty();
  }
  if (emptied) std::erase_if(children_, [](const Child& child) { return child.set.empty(); });
  return changed;
}

PathSet PathSet::intersection(const PathSet& other) const {
  PathSet out;
  out.member = member && other.member;
  auto theirs = other.children_.begin();
  for (const Child& child : children_) {
    while (theirs != other.children_.end() && theirs->element < child.element) ++theirs;
    if (theirs == other.children_.end()) break;
    if (theirs->element == child.element) out.attach(child.element, child.set.intersection(theirs->set));
  }
  return out;
}

bool PathSet::intersects(const PathSet& other) const {
  if (member && other.member) return true;
  auto theirs = other.children_.begin();
  for (const Child& child : children_) {
    while (theirs != other.children_.end() && theirs->element < child.element) ++theirs;
    if (theirs == other.children_.end()) return false;
    if (theirs->element == child.element && child.set.intersects(theirs->set)) return true;
  }
  return false;
}

void PathSet::for_each(const std::function<void(const std::vector<std::string_view>&)>& visit) const {
  std::vector<std::string_view> path;
  visit_below(path, visit);
}

void PathSet::visit_below(std::vector<std::string_view>& path, const std::function<void(const std::vector<std::string_view>&)>& visit) const {
  if (member) visit(path);
  for (const Child& child : children_) {
    path.push_back(child.element);
    child.set.visit_below(path, visit);
    path.pop_back();
  }
}

}  // namespace compat
