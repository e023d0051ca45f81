// server/api/list_options.h - the query of list, watch and deletecollection, checked as upstream checks it. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "server/http/server.h"
#include "store/base/result.h"
#include "store/object/object.h"
#include "store/object/selector.h"
#include "store/schema/schema.h"

namespace server {

// Labels and fields together; matching is pure.
struct Filter {
  store::LabelSelector labels;
  store::FieldSelector fields;
  bool empty() const { return labels.empty() && fields.empty(); }
  bool matches(const store::Object& object) const;
};

// Where a continued list goes on.
struct ContinueToken {
  std::optional<store::Revision> revision;  // Nothing: whatever is current (after an expired token).
  std::string ns;
  std::string name;
  std::string render() const;
  static base::Result<ContinueToken> parse(const std::string& text);
};

struct ListOptions {
  Filter filter;
  size_t limit = 0;
  std::optional<ContinueToken> continue_token;
  std::optional<store::Revision> revision;  // resourceVersion; "0" is 0.
  std::string match;                        // resourceVersionMatch: "", "Exact", "NotOlderThan"
  std::optional<bool> send_initial_events;
  bool bookmarks = false;
  std::optional<std::chrono::seconds> timeout;
};

enum class ListUse { kList, kWatch };
// resourceVersion of a request, "0" is 0; nothing when it is not given. kInternal in upstream's words when it is no number:
// readers of one object and watches say just that.
base::Result<std::optional<store::Revision>> requested_revision(const HttpRequest& request);
// kBadRequest or kInvalid, worded as upstream. A name on the path becomes a field selector.
base::Result<ListOptions> parse_list_options(const HttpRequest& request, const store::Resource& r, const std::string& name, ListUse use);

}  // namespace server
