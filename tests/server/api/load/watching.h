// Clients that look: what they saw, kept for the end, when it is known what they had to see.
#pragma once

#include <random>

#include "tests/server/api/load/truth.h"

namespace load {

using Random = std::mt19937;
inline int pick(Random& random, int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); }
inline const char* const kNamespaces[] = {"one", "two"};

inline Scope random_scope(Random& random) {
  Scope scope;
  scope.kind = pick(random, 3);
  if (pick(random, 2) == 0) scope.ns = kNamespaces[pick(random, 2)];
  scope.selector = pick(random, static_cast<int>(selectors().size()));
  if (scope.selector == 9 && std::string(kKinds[scope.kind].kind) != "Pod") scope.selector = 1;
  scope.partial = pick(random, 4) == 0;
  return scope;
}

// --- watches ---------------------------------------------------------------------------------------------

enum class Start { kRevision, kInitial, kInitialMarked };

struct Watched {
  Scope scope;
  Start start = Start::kRevision;
  uint64_t from = 0;             // kRevision: given; else the store's revision before the request.
  uint64_t through = 0;          // The store's revision when the watch had begun.
  std::vector<Line> lines;       // Without bookmarks.
  size_t initial = 0;            // Of them, before the bookmark that ends them (kInitialMarked).
  uint64_t initial_revision = 0; // What that bookmark said.
  std::vector<std::pair<size_t, uint64_t>> bookmarks;  // Lines before it, its revision.
  bool expired = false;
  bool left = false;             // The client went away in between.
};

// One watch, from its begin to its timeout, or until the client leaves after so many lines.
inline Watched watch_once(ApiConnection& connection, store::Store& store, Random& random, const Scope& scope, Start start, uint64_t from, int leave_after = -1) {
  Watched seen{scope, start, from};
  Request request;
  request.accept = scope.accept(false);
  request.target = scope.collection() + "?watch=1&timeoutSeconds=1" + scope.query();
  if (start == Start::kRevision) request.target += "&resourceVersion=" + std::to_string(from);
  else seen.from = store.revision();
  if (start == Start::kInitial && pick(random, 2) == 0) request.target += "&resourceVersion=0";
  if (start == Start::kInitialMarked) request.target += "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
  if (start == Start::kInitialMarked || pick(random, 3) != 0) request.target += "&allowWatchBookmarks=true";
  Answer answer = connection.start(request);
  seen.through = store.revision();
  if (answer.status != 200) {
    ADD_FAILURE() << request.target << ": " << answer.status << " " << answer.body;
    return seen;
  }
  if (leave_after < 0 && pick(random, 2) == 0) leave_after = 1 + pick(random, 40);
  std::string text;
  for (;;) {
    auto more = connection.line(&text, std::chrono::seconds(30));
    EXPECT_NE(more, ApiConnection::More::kNothing) << "a watch of one second did not end: " << request.target;
    if (more != ApiConnection::More::kLine) return seen;
    json line = json::parse(text, nullptr, false);
    std::string type = store::get_string(line, "type");
    if (type == "BOOKMARK") {
      uint64_t revision = revision_of(line["object"]);
      if (store::get_object(line, "object.metadata").contains("annotations")) {
        EXPECT_EQ(start, Start::kInitialMarked);
        EXPECT_EQ(seen.initial_revision, 0u) << "the initial events end once";
        seen.initial = seen.lines.size();
        seen.initial_revision = revision;
      }
      seen.bookmarks.emplace_back(seen.lines.size(), revision);
    } else if (type == "ERROR") {
      EXPECT_EQ(store::get_int(line, "object.code"), 410) << text;
      EXPECT_EQ(store::get_string(line, "object.reason"), "Expired") << text;
      seen.expired = true;
      seen.through = store.revision();
    } else {
      seen.lines.push_back({type, line["object"]});
      if (static_cast<int>(seen.lines.size()) == leave_after) {
        seen.left = true;
        return seen;
      }
    }
  }
}

// The lines that a watch which knows the state at `from` had to begin with: no gap, no double, in order.
inline std::string compare_lines(const Truth& truth, const Watched& watched, uint64_t from, size_t first_line) {
  size_t at = first_line;
  auto bookmark = watched.bookmarks.begin();
  for (uint64_t r = from + 1; r <= truth.end() && r > truth.begin(); ++r) {
    Line want;
    if (!Truth::shown(watched.scope, truth.at(r), &want)) continue;
    while (bookmark != watched.bookmarks.end() && bookmark->first <= at) {
      if (bookmark->first == at && bookmark->second >= r) return "a bookmark of " + std::to_string(bookmark->second) + " came before the event of " + std::to_string(r);
      ++bookmark;
    }
    if (at == watched.lines.size()) return "";
    const Line& got = watched.lines[at++];
    if (got.type != want.type || got.object != want.object) {
      return "line " + std::to_string(at) + ": want " + want.type + " " + want.object.dump() + "\ngot " + got.type + " " + got.object.dump();
    }
  }
  return at == watched.lines.size() ? "" : "more lines than events: " + watched.lines[at].object.dump();
}

// The initial lines are the state at `revision`, in the order of a list.
inline std::string compare_initial(const Truth& truth, const Watched& watched, uint64_t revision, size_t* count) {
  auto state = truth.state(watched.scope, revision);
  *count = state.size();
  size_t at = 0;
  for (const auto& [place, object] : state) {
    if (at == watched.lines.size()) return "";  // It left before it had all.
    const Line& got = watched.lines[at++];
    if (got.type != "ADDED" || got.object != watched.scope.shown(object)) {
      return "initial line " + std::to_string(at) + ": want ADDED " + object.dump() + "\ngot " + got.type + " " + got.object.dump();
    }
  }
  return "";
}

inline void check_watch(const Truth& truth, const Watched& watched, uint64_t history) {
  SCOPED_TRACE("watch of " + watched.scope.text() + " from " + std::to_string(watched.from));
  if (watched.expired) {
    EXPECT_EQ(watched.start, Start::kRevision);
    EXPECT_LT(watched.from + history, watched.through) << "410 for a revision that is kept";
    return;
  }
  if (watched.start == Start::kRevision) {
    ASSERT_EQ(compare_lines(truth, watched, watched.from, 0), "");
    return;
  }
  size_t count = 0;
  if (watched.start == Start::kInitialMarked && watched.initial_revision > 0) {
    ASSERT_GE(watched.initial_revision, watched.from) << "initial events from the past";
    ASSERT_EQ(compare_initial(truth, watched, watched.initial_revision, &count), "");
    ASSERT_EQ(count, watched.initial);
    ASSERT_EQ(compare_lines(truth, watched, watched.initial_revision, count), "");
    return;
  }
  // It does not say at which revision the initial events were taken: one must fit.
  std::string why = "none";
  for (uint64_t r = watched.from; r <= watched.through; ++r) {
    why = compare_initial(truth, watched, r, &count);
    if (why.empty() && watched.lines.size() >= count) why = compare_lines(truth, watched, r, count);
    if (why.empty()) return;
  }
  ADD_FAILURE() << "no revision from " << watched.from << " to " << watched.through << " fits; with the last: " << why;
}

// --- lists -----------------------------------------------------------------------------------------------

struct Listed {
  Scope scope;
  uint64_t before = 0, after = 0;  // The store's revision before the first page and after the last.
  uint64_t at_least = 0;           // What resourceVersion asked for.
  bool exact = false;
  uint64_t revision = 0;
  std::vector<json> items;         // Of all pages.
  Place from;                      // Taken up here, when a token had expired: what comes after.
};

// All pages of one list; writes go on in between. Expired tokens are taken up as the answer offers it.
inline void list_once(ApiConnection& connection, store::Store& store, Random& random, uint64_t history, std::vector<Listed>* out) {
  Listed seen{random_scope(random)};
  const int limit = pick(random, 8);
  seen.before = store.revision();
  std::string query = "?limit=" + std::to_string(limit) + seen.scope.query(), token;
  const int mode = pick(random, 4);
  if (mode == 0) seen.at_least = seen.before - std::min<uint64_t>(seen.before - 1, random() % 50);
  if (mode == 1) {
    seen.at_least = seen.before - std::min<uint64_t>(seen.before - 1, random() % (history + history / 4));
    seen.exact = true;
  }
  const bool not_older = !seen.exact && mode == 0 && limit % 2;
  std::string first = seen.at_least == 0 ? "" : "&resourceVersion=" + std::to_string(seen.at_least) + (seen.exact ? "&resourceVersionMatch=Exact" : not_older ? "&resourceVersionMatch=NotOlderThan" : "");
  // Pages are of exactly the revision that is asked for, unless the request says otherwise.
  seen.exact = seen.exact || (seen.at_least > 0 && limit > 0 && !not_older);
  for (bool more = true; more;) {
    Request request;
    request.accept = seen.scope.accept(true);
    request.target = seen.scope.collection() + query + (token.empty() ? first : "&continue=" + token);
    const uint64_t before_page = store.revision();
    Answer answer = connection.call(request);
    json body = json::parse(answer.body, nullptr, false);
    if (answer.status == 410) {
      const uint64_t asked = token.empty() ? seen.at_least : seen.revision;
      EXPECT_LT(asked + history, store.revision()) << "410 for a revision that is kept: " << request.target;
      if (token.empty()) return;
      std::string fresh = store::get_string(body, "metadata.continue");
      EXPECT_FALSE(fresh.empty()) << answer.body;
      if (fresh.empty() || pick(random, 2) == 0) return;
      token = fresh;
      seen.from = place_of(seen.items.back());
      seen.before = store.revision();
      seen.at_least = 0;
      seen.exact = false;
      seen.items.clear();
      seen.revision = 0;
      continue;
    }
    ASSERT_EQ(answer.status, 200) << request.target << " " << answer.body;
    const uint64_t revision = std::stoull(store::get_string(body, "metadata.resourceVersion"));
    if (seen.revision == 0) seen.revision = revision;
    EXPECT_EQ(revision, seen.revision) << "pages of one list have one revision";
    if (seen.exact || (!token.empty() && seen.items.size() > 0)) {
      EXPECT_GE(revision + history, before_page) << "not expired: " << request.target;
    }
    const json& items = body["items"];
    if (limit > 0) {
      EXPECT_LE(items.size(), static_cast<size_t>(limit));
    }
    for (const json& item : items) {
      EXPECT_LE(revision_of(item), revision);
      seen.items.push_back(item);
    }
    token = store::get_string(body, "metadata.continue");
    more = !token.empty();
    EXPECT_TRUE(!more || !items.empty());
  }
  seen.after = store.revision();
  out->push_back(std::move(seen));
}

inline void check_list(const Truth& truth, const Listed& listed) {
  SCOPED_TRACE("list of " + listed.scope.text() + " at " + std::to_string(listed.revision));
  if (listed.exact) {
    ASSERT_EQ(listed.revision, listed.at_least);
  } else {
    ASSERT_GE(listed.revision, listed.at_least);
    ASSERT_GE(listed.revision, listed.before) << "a list without a revision is of now";
  }
  ASSERT_LE(listed.revision, listed.after);
  size_t at = 0;
  for (const auto& [place, object] : truth.state(listed.scope, listed.revision)) {
    if (place <= listed.from && listed.from != Place()) continue;
    ASSERT_LT(at, listed.items.size()) << "missing: " << object.dump();
    json want = listed.scope.shown(object), got = listed.items[at++];
    ASSERT_EQ(got, want);
  }
  ASSERT_EQ(at, listed.items.size());
}

}  // namespace load
