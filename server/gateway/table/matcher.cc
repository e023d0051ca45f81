#include "server/gateway/table/matcher.h"

#include <algorithm>

#include "store/base/regex.h"

namespace server::gateway {
namespace {

// "/a/" takes what "/a" takes.
std::string_view without_end_slash(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

bool value_fits(const ValueMatch& want, std::optional<std::string_view> value) {
  if (!value) return false;
  switch (want.kind) {
    case ValueKind::kPresent:
      return true;
    case ValueKind::kExact:
      return *value == want.value;
    case ValueKind::kRegex:
      return want.regex != nullptr && want.regex->search(*value);
  }
  return false;
}

std::optional<std::string_view> find_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    std::string_view part = query.substr(0, query.find('&'));
    size_t equal = part.find('=');
    if (part.substr(0, equal) == name) return equal == std::string_view::npos ? std::string_view() : part.substr(equal + 1);
    if (part.size() == query.size()) break;
    query.remove_prefix(part.size() + 1);
  }
  return std::nullopt;
}

bool conditions_hold(const Match& match, const RequestHead& request) {
  return (match.method.empty() && match.headers.empty() && match.query.empty()) || find_failed_condition(match, request) == nullptr;
}

const Route* first_fit(const std::vector<const Route*>& routes, const RequestHead& request) {
  for (const Route* route : routes) {
    if (conditions_hold(route->match, request)) return route;
  }
  return nullptr;
}

}  // namespace

std::string_view host_of(std::string_view authority) {
  if (!authority.empty() && authority[0] == '[') {
    size_t close = authority.find(']');
    return close == std::string_view::npos ? authority : authority.substr(0, close + 1);
  }
  authority = authority.substr(0, authority.find(':'));
  if (!authority.empty() && authority.back() == '.') authority.remove_suffix(1);
  return authority;
}

bool path_fits(const PathMatch& match, std::string_view path, std::vector<std::string_view>* captures) {
  switch (match.kind) {
    case PathKind::kExact:
      return path == match.value;
    case PathKind::kPrefix: {
      std::string_view value = without_end_slash(match.value);
      if (value == "/") return !path.empty() && path[0] == '/';
      return path.substr(0, value.size()) == value && (path.size() == value.size() || path[value.size()] == '/');
    }
    case PathKind::kText:
      return path.substr(0, match.value.size()) == match.value;
    case PathKind::kRegex:
      return match.regex != nullptr && match.regex->search(path, captures);
  }
  return false;
}

const char* find_failed_condition(const Match& match, const RequestHead& request) {
  if (!match.method.empty() && match.method != request.method) return "its method is another";
  for (const ValueMatch& want : match.headers) {
    if (request.headers.count(want.name) > 1) {
      std::optional<std::string> all = request.headers.joined(want.name);
      if (!value_fits(want, *all)) return "a header does not fit";
    } else if (!value_fits(want, equal_names(want.name, "host") ? std::optional<std::string_view>(request.authority) : request.headers.find(want.name))) {
      return "a header does not fit";
    }
  }
  for (const ValueMatch& want : match.query) {
    if (!value_fits(want, find_parameter(request.query(), want.name))) return "a query parameter does not fit";
  }
  return nullptr;
}

// ---- One host ----------------------------------------------------------------------------------------------------

HostMatcher::HostMatcher(const VirtualHost& host) : host_(host) {
  for (const Route& route : host.routes) {
    const PathMatch& path = route.match.path;
    switch (path.kind) {
      case PathKind::kExact:
        exact_[path.value].push_back(&route);
        break;
      case PathKind::kPrefix: {
        std::string_view value = without_end_slash(path.value);
        prefix_[value].push_back(&route);
        longest_prefix_ = std::max(longest_prefix_, value.size());
        break;
      }
      case PathKind::kText:
        text_[path.value].push_back(&route);
        text_lengths_.push_back(path.value.size());
        break;
      case PathKind::kRegex:
        regexes_.push_back(&route);
        break;
    }
  }
  std::sort(text_lengths_.begin(), text_lengths_.end(), std::greater<>());
  text_lengths_.erase(std::unique(text_lengths_.begin(), text_lengths_.end()), text_lengths_.end());
}

const Route* HostMatcher::find(const MatchInput& input, std::vector<std::string_view>* captures) const {
  return host_.order == VirtualHost::Order::kInOrder ? find_in_order(input, captures) : find_most_specific(input, captures);
}

const Route* HostMatcher::find_in_order(const MatchInput& input, std::vector<std::string_view>* captures) const {
  for (const Route& route : host_.routes) {
    if (path_fits(route.match.path, input.path, captures) && conditions_hold(route.match, *input.request)) return &route;
  }
  return nullptr;
}

const Route* HostMatcher::find_most_specific(const MatchInput& input, std::vector<std::string_view>* captures) const {
  std::string_view path = input.path;
  if (!exact_.empty()) {
    if (auto it = exact_.find(path); it != exact_.end()) {
      if (const Route* route = first_fit(it->second, *input.request)) return route;
    }
  }
  for (const Route* route : regexes_) {
    if (route->match.path.regex != nullptr && route->match.path.regex->search(path, captures) && conditions_hold(route->match, *input.request)) return route;
  }
  // Both kinds of prefixes together, the longest first; of equal length the element-wise one.
  size_t text = 0;
  while (text < text_lengths_.size() && text_lengths_[text] > path.size()) ++text;
  auto try_texts_longer_than = [&](size_t length) -> const Route* {
    for (; text < text_lengths_.size() && text_lengths_[text] > length; ++text) {
      auto it = text_.find(path.substr(0, text_lengths_[text]));
      if (it == text_.end()) continue;
      if (const Route* route = first_fit(it->second, *input.request)) return route;
    }
    return nullptr;
  };
  for (size_t end = path.size(); !prefix_.empty() && end > 0; --end) {
    bool boundary = end == path.size() || path[end] == '/' || end == 1;
    if (!boundary || end > longest_prefix_) continue;
    if (const Route* route = try_texts_longer_than(end)) return route;
    auto it = prefix_.find(path.substr(0, end));
    if (it == prefix_.end()) continue;
    if (const Route* route = first_fit(it->second, *input.request)) return route;
  }
  return try_texts_longer_than(0);
}

// ---- All hosts of a listener -------------------------------------------------------------------------------------

ListenerMatcher::ListenerMatcher(std::shared_ptr<const Listener> listener) : listener_(std::move(listener)) {
  for (const VirtualHost& host : listener_->hosts) {
    hosts_.push_back(std::make_unique<HostMatcher>(host));
    const HostMatcher* matcher = hosts_.back().get();
    if (host.name.empty()) any_ = matcher;
    else if (host.name.rfind("*.", 0) == 0) (host.wildcard == VirtualHost::Wildcard::kOneLabel ? one_label_ : many_labels_).emplace(host.name.substr(2), matcher);
    else exact_.emplace(host.name, matcher);
    for (const std::string& alias : host.aliases) {
      if (alias.rfind("*.", 0) == 0) one_label_.emplace(alias.substr(2), matcher);
      else exact_.emplace(alias, matcher);
    }
  }
}

const HostMatcher* ListenerMatcher::find_host(std::string_view name) const {
  std::string host(host_of(name));
  if (auto it = exact_.find(host); it != exact_.end()) return it->second;
  bool first = true;
  for (size_t dot = host.find('.'); dot != std::string::npos && dot + 1 < host.size(); dot = host.find('.', dot + 1)) {
    std::string rest = host.substr(dot + 1);
    if (first && dot > 0) {
      if (auto it = one_label_.find(rest); it != one_label_.end()) return it->second;
    }
    first = false;
    if (many_labels_.empty()) break;
    if (auto it = many_labels_.find(rest); it != many_labels_.end()) return it->second;
  }
  return any_;
}

Matched ListenerMatcher::find(const MatchInput& input) const {
  Matched out;
  const HostMatcher* host = find_host(input.request->authority);
  if (host == nullptr) return out;
  out.host = &host->host();
  out.route = host->find(input, &out.captures);
  // Hosts of a wildcard or of any name take what a more specific host has no route for: not so in nginx, whose server block,
  // once chosen, answers alone. Neither here.
  return out;
}

std::vector<Considered> ListenerMatcher::explain(const MatchInput& input) const {
  std::vector<Considered> out;
  Matched found = find(input);
  for (const auto& host : hosts_) {
    for (const Route& route : host->host().routes) {
      std::vector<std::string_view> captures;
      if (&route == found.route) {
        out.insert(out.begin(), {&host->host(), &route, true, ""});
        continue;
      }
      if (&host->host() != found.host) continue;
      if (!path_fits(route.match.path, input.path, &captures)) {
        out.push_back({&host->host(), &route, false, "its path does not fit"});
      } else if (const char* failed = find_failed_condition(route.match, *input.request)) {
        out.push_back({&host->host(), &route, false, failed});
      } else if (host->host().order == VirtualHost::Order::kInOrder) {
        out.push_back({&host->host(), &route, false, "it fits, but comes after the one that was taken (regular expressions: the longest path first)"});
      } else {
        out.push_back({&host->host(), &route, false, "it fits, but the one that was taken is more specific"});
      }
    }
  }
  return out;
}

}  // namespace server::gateway
