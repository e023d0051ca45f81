// server/controllers/revisions.h - the ControllerRevisions of one StatefulSet or DaemonSet: every template it ever had, as
// a strategic merge patch that brings it back (`kubectl rollout undo` sends exactly that). Control thread only.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "server/informer/control_loop.h"
#include "store/object/selector.h"

namespace server {

// Which label of a revision has its hash.
struct RevisionLabel {
  const char* name;
};
inline constexpr RevisionLabel kStatefulRevision{"controller.kubernetes.io/hash"};
inline constexpr RevisionLabel kDaemonRevision{"controller-revision-hash"};

// Revisions of `owner`, the oldest first. Orphans that its selector matches are adopted.
base::Result<std::vector<store::Object>> claim_revisions(ControlLoop& loop, const store::Object& owner, const store::LabelSelector& selector);

struct CurrentRevision {
  store::Object object;
  int64_t collisions = 0;  // status.collisionCount from now on.
};
// The revision of the owner's template: made when there is none, and made the newest when it is an old one. `all` is
// brought up to date.
base::Result<CurrentRevision> ensure_revision(ControlLoop& loop, const store::Object& owner, RevisionLabel label, int64_t collisions,
                                              std::vector<store::Object>& all);
// Removes the oldest beyond `limit` that are not in `live` (names).
base::Status truncate_revisions(ControlLoop& loop, const std::vector<store::Object>& all, const std::set<std::string>& live, int64_t limit);

// The template that a revision holds.
json template_of_revision(const store::Object& revision);
int64_t number_of_revision(const store::Object& revision);

}  // namespace server
