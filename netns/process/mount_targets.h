// netns/process/mount_targets.h - places a container's mounts into its root. Internal to netns/process.
#pragma once

#include <string>
#include <vector>

#include "netns/process/spawner.h"
#include "store/base/fd.h"
#include "store/base/result.h"

namespace netns {

// Paths in `root` are resolved as if it were / already: a symbolic link in there cannot lead out.
class MountTargets {
 public:
  // `root`: a mount. `uppers`: an empty directory on a writable file system, for copy-on-write layers.
  MountTargets(std::string root, std::string uppers) : root_(std::move(root)), uppers_(std::move(uppers)) {}

  base::Status apply(const std::vector<Mount>& mounts);
  // Shows `lower` (a host path) at `target` inside, copy-on-write.
  base::Status make_writable_from(const std::string& lower, const std::string& target);

 private:
  enum class Want { kDirectory, kFile };
  base::Status write_content(const std::string& target, const std::string& content);
  base::Status mount_one(const Mount& mount);
  // A descriptor of the target, made if missing.
  base::Result<base::Fd> ensure(const std::string& target, Want want);
  base::Result<base::Fd> resolve(const std::string& target, int flags) const;
  base::Status make_missing(const std::string& target, Want want);
  base::Status make_missing_here(const std::string& target, Want want);
  base::Status make_writable(const std::string& directory);

  std::string root_;
  std::string uppers_;
  int layers_ = 0;
  int depth_ = 0;  // Of make_missing.
};

}  // namespace netns
