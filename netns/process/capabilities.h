// netns/process/capabilities.h - what a container's processes may do. Internal to netns/process.
#pragma once

#include <string>
#include <vector>

#include "store/base/result.h"

namespace netns {

// Leaves the calling process and what it executes the usual capabilities of a container, and `added`. Without
// CAP_SYS_ADMIN a container cannot make its read-only view of the host's files writable again.
base::Status limit_capabilities(const std::vector<std::string>& added);

}  // namespace netns
