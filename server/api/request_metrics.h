// server/api/request_metrics.h - what has been asked of this server, counted as kube-apiserver counts it (/metrics: apiserver_request_*).
//
// Thread-safe; one count is a lock and a look-up. Bounded: kinds are counted by what the registry knows, never by what a client wrote.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "server/api/request_info.h"

namespace base {
class Exposition;
}

namespace server {

// Of a path that names no kind of the registry all but `verb` are empty.
struct RequestKind {
  std::string verb;  // As upstream spells it here: GET, LIST, WATCH, POST, PUT, PATCH, APPLY, DELETE, DELETECOLLECTION, CONNECT.
  std::string group, version, resource, subresource;
  std::string scope;  // "resource", "namespace" or "cluster".
  bool dry_run = false;
  auto operator<=>(const RequestKind&) const = default;
};
// `known`: the registry has the resource, and the subresource if one is named.
RequestKind request_kind(const HttpRequest& request, const RequestInfo& info, bool known);

class RequestMetrics {
 public:
  void count(const RequestKind& kind, int code, double seconds);
  void add_to(base::Exposition& out) const;

 private:
  static constexpr std::array<double, 12> kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 10, 60};
  struct Figures {
    std::map<int, uint64_t> codes;
    std::array<uint64_t, kBounds.size()> at_most{};  // Cumulative.
    uint64_t count = 0;
    double seconds = 0;
  };
  mutable std::mutex mutex_;
  std::map<RequestKind, Figures> kinds_;
};

}  // namespace server
