// server/gateway/table/matcher.h - which route of a table a request takes. Built once from a table, then only read: thread-safe.
// Cost: a hash look-up for the host and one for each "/" in the path, whatever the number of routes (regexes are tried in turn).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/gateway/message/message.h"
#include "server/gateway/table/table.h"

namespace server::gateway {

// Path and query of a request as matching sees them.
struct MatchInput {
  const RequestHead* request = nullptr;
  std::string_view path;   // Normalised (policy/rewrite.h), without the query.
};

// What find() gives. Pointers are into the table.
struct Matched {
  const VirtualHost* host = nullptr;   // nullptr: no host fits, the listener's `otherwise` counts.
  const Route* route = nullptr;        // nullptr: no route fits, the host's `otherwise` counts.
  std::vector<std::string_view> captures;  // Of the route's path regex, into `path`.
};

// One route that was looked at, for `kubelan explain`.
struct Considered {
  const VirtualHost* host;
  const Route* route;
  bool won;
  std::string why;   // "its path is longer", "the method is not GET", ...
};

class HostMatcher {
 public:
  explicit HostMatcher(const VirtualHost& host);
  const VirtualHost& host() const { return host_; }
  const Route* find(const MatchInput& input, std::vector<std::string_view>* captures) const;

 private:
  using Routes = std::vector<const Route*>;
  using ByPath = std::unordered_map<std::string_view, Routes>;
  const Route* find_most_specific(const MatchInput& input, std::vector<std::string_view>* captures) const;
  const Route* find_in_order(const MatchInput& input, std::vector<std::string_view>* captures) const;

  const VirtualHost& host_;
  ByPath exact_, prefix_, text_;
  std::vector<size_t> text_lengths_;  // Distinct, longest first.
  Routes regexes_;
  size_t longest_prefix_ = 0;
};

class ListenerMatcher {
 public:
  explicit ListenerMatcher(std::shared_ptr<const Listener> listener);
  const Listener& listener() const { return *listener_; }
  // `name`: Host with or without a port, or SNI; lower case. nullptr: none, and no host for any name.
  const HostMatcher* find_host(std::string_view name) const;
  Matched find(const MatchInput& input) const;
  // All routes that the request could have taken and why one did, the winner first. Slow; for people.
  std::vector<Considered> explain(const MatchInput& input) const;

 private:
  std::shared_ptr<const Listener> listener_;
  std::vector<std::unique_ptr<HostMatcher>> hosts_;
  std::unordered_map<std::string, const HostMatcher*> exact_;
  std::unordered_map<std::string, const HostMatcher*> one_label_, many_labels_;  // By what follows "*.".
  const HostMatcher* any_ = nullptr;
};

// The conditions besides the path. nullptr: all hold; else what does not, in words.
const char* find_failed_condition(const Match& match, const RequestHead& request);
// Host of an authority: without the port, and without a trailing dot.
std::string_view host_of(std::string_view authority);
// Does a path condition hold? `captures` as Matched's.
bool path_fits(const PathMatch& match, std::string_view path, std::vector<std::string_view>* captures);

}  // namespace server::gateway
