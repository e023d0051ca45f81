// What happened: every change of the kinds under test in the order of revisions, and what follows from it for each
// list and watch. Pure; the checks are gtest assertions.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/api/load/http_world.h"

namespace load {

struct Kind {
  const char* resource;
  const char* prefix;  // Of the path, before "/namespaces".
  const char* api_version;
  const char* kind;
};
inline const Kind kKinds[] = {
    {"configmaps", "/api/v1", "v1", "ConfigMap"},
    {"pods", "/api/v1", "v1", "Pod"},
    {"deployments", "/apis/apps/v1", "apps/v1", "Deployment"},
};

inline std::string tier_of(const json& o) { return store::get_string(o, "metadata.labels.tier"); }

// A selector as the query has it (percent-encoded), and what it means, said a second time.
struct Selector {
  const char* query;
  std::function<bool(const json&)> matches;
};
inline const std::vector<Selector>& selectors() {
  static const std::vector<Selector> kSelectors = {
      {"", [](const json&) { return true; }},
      {"&labelSelector=tier%3Da", [](const json& o) { return tier_of(o) == "a"; }},
      {"&labelSelector=tier!%3Da", [](const json& o) { return tier_of(o) != "a"; }},
      {"&labelSelector=tier%20in%20(a,b)", [](const json& o) { return tier_of(o) == "a" || tier_of(o) == "b"; }},
      {"&labelSelector=tier%20notin%20(b),tier", [](const json& o) { return tier_of(o) != "b" && !tier_of(o).empty(); }},
      {"&labelSelector=!tier", [](const json& o) { return tier_of(o).empty(); }},
      {"&fieldSelector=metadata.name%3Dn3", [](const json& o) { return name_of(o) == "n3"; }},
      {"&fieldSelector=metadata.name!%3Dn3&labelSelector=tier", [](const json& o) { return name_of(o) != "n3" && !tier_of(o).empty(); }},
      {"&fieldSelector=metadata.namespace%3Done", [](const json& o) { return namespace_of(o) == "one"; }},
      // Only pods have it.
      {"&fieldSelector=status.phase%3DRunning", [](const json& o) { return store::get_string(o, "status.phase") == "Running"; }},
  };
  return kSelectors;
}

// What a client looks at.
struct Scope {
  int kind = 0;
  std::string ns;  // "": all
  int selector = 0;
  bool partial = false;  // PartialObjectMetadata

  std::string collection() const { return std::string(kKinds[kind].prefix) + (ns.empty() ? "" : "/namespaces/" + ns) + "/" + kKinds[kind].resource; }
  std::string query() const { return selectors()[static_cast<size_t>(selector)].query; }
  std::string accept(bool list) const {
    if (!partial) return "application/json";
    return std::string("application/json;as=PartialObjectMetadata") + (list ? "List" : "") + ";g=meta.k8s.io;v=v1";
  }
  bool holds(const json& object) const { return (ns.empty() || namespace_of(object) == ns) && selectors()[static_cast<size_t>(selector)].matches(object); }
  json shown(const json& object) const {
    if (!partial) return object;
    return {{"kind", "PartialObjectMetadata"}, {"apiVersion", "meta.k8s.io/v1"}, {"metadata", object["metadata"]}};
  }
  std::string text() const { return collection() + "?" + query() + (partial ? " (metadata)" : ""); }
};

struct Line {
  std::string type;
  json object;
};

using Place = std::pair<std::string, std::string>;  // Namespace and name: the order of lists.
inline Place place_of(const json& o) { return {namespace_of(o), name_of(o)}; }

struct Change {
  uint64_t revision = 0;
  int kind = 0;
  Line line;
  json before;  // null: it was not there
};

class Truth {
 public:
  // `begin`: the revision before the first change. The lines of one watch of each kind, from there on.
  void build(uint64_t begin, const std::vector<std::vector<Line>>& by_kind) {
    begin_ = begin;
    size_t total = 0;
    for (const auto& lines : by_kind) total += lines.size();
    changes_.resize(total);
    for (size_t kind = 0; kind < by_kind.size(); ++kind) {
      uint64_t last = begin;
      for (const Line& line : by_kind[kind]) {
        uint64_t revision = revision_of(line.object);
        ASSERT_GT(revision, last) << "out of order";
        ASSERT_LE(revision, begin + total) << "a revision is missing before this one";
        last = revision;
        Change& change = changes_[revision - begin - 1];
        ASSERT_EQ(change.revision, 0u) << "two changes with one revision";
        change = {revision, static_cast<int>(kind), line, nullptr};
      }
    }
    // Dense: as many changes as revisions, each its own. What each one follows from:
    std::map<std::pair<int, Place>, json> live;
    for (Change& change : changes_) {
      auto at = live.find({change.kind, place_of(change.line.object)});
      ASSERT_EQ(change.line.type == "ADDED", at == live.end()) << change.line.type << " " << change.line.object.dump();
      if (at != live.end()) change.before = at->second;
      if (change.line.type == "DELETED") live.erase(at);
      else live[{change.kind, place_of(change.line.object)}] = change.line.object;
      ++(change.line.type == "DELETED" ? deletions_ : writes_);
    }
  }
  uint64_t begin() const { return begin_; }
  uint64_t end() const { return begin_ + changes_.size(); }
  size_t deletions() const { return deletions_; }
  const Change& at(uint64_t revision) const { return changes_.at(revision - begin_ - 1); }

  std::map<Place, json> state(const Scope& scope, uint64_t revision) const {
    std::map<Place, json> out;
    for (uint64_t r = begin_ + 1; r <= revision; ++r) {
      const Change& change = at(r);
      if (change.kind != scope.kind) continue;
      if (change.line.type == "DELETED") out.erase(place_of(change.line.object));
      else out[place_of(change.line.object)] = change.line.object;
    }
    for (auto it = out.begin(); it != out.end();) it = scope.holds(it->second) ? std::next(it) : out.erase(it);
    return out;
  }

  // What a watch must show of one change, if anything.
  static bool shown(const Scope& scope, const Change& change, Line* out) {
    if (change.kind != scope.kind) return false;
    const bool now = change.line.type != "DELETED" && scope.holds(change.line.object);
    const bool before = !change.before.is_null() && scope.holds(change.before);
    if (!now && !before) return false;
    json object = change.line.object;
    if (!now && change.line.type != "DELETED") {
      object = change.before;
      object["metadata"]["resourceVersion"] = std::to_string(change.revision);
    }
    *out = {now ? before ? "MODIFIED" : "ADDED" : "DELETED", scope.shown(object)};
    return true;
  }

  // Was `version` (0: none) the object's at some moment of [from, through]?
  bool was_at(int kind, const Place& place, uint64_t version, uint64_t from, uint64_t through) const {
    uint64_t now = 0;
    for (uint64_t r = begin_ + 1; r <= through; ++r) {
      const Change& change = at(r);
      if (change.kind == kind && place_of(change.line.object) == place) now = change.line.type == "DELETED" ? 0 : r;
      if (r >= from && now == version) return true;
    }
    return from > through && now == version;
  }

 private:
  uint64_t begin_ = 0;
  std::vector<Change> changes_;
  size_t writes_ = 0, deletions_ = 0;
};

}  // namespace load
