// server/cli/kubeconfig_file.h - edits a user's kubeconfig: our cluster, user and context in, or out; all else
// stays as it was (comments excepted, as with kubectl). Atomic, mode 0600, under kubectl's own lock file.
#pragma once

#include <string>

#include "store/base/result.h"

namespace server {

// --kubeconfig, else $KUBECONFIG (of a list: the first file that exists, else the last), else ~/.kube/config.
base::Result<std::string> kubeconfig_path(const std::string& explicit_path);

// Adds or replaces the entries of `ours` (a kubeconfig text with one cluster, user and context) in `path` and
// makes its context current. kInvalid, with the file untouched, when the file is not a kubeconfig.
base::Status merge_kubeconfig(const std::string& path, const std::string& ours);
// Removes cluster, user and context `name`; current-context is unset if it was ours. A missing file is fine.
base::Status remove_from_kubeconfig(const std::string& path, const std::string& name);

// The pure halves, for tests.
base::Result<std::string> merged_kubeconfig(const std::string& existing, const std::string& ours);
base::Result<std::string> without_context(const std::string& existing, const std::string& name);

}  // namespace server
