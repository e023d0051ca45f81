// netns/process/root.h - a container's file system. Internal to netns/process.
//
// The root is a small tmpfs of the container's own. In it: the host's top-level directories, read-only; /etc as
// a writable copy-on-write view of the host's; fresh /tmp, /run, /var/tmp, /dev, /proc and /sys; then the
// container's mounts. The read-only binds are made once, in a template inside the spawner's mount namespace;
// a container's namespace is a copy of that one, so it only has to *move* them into place.
#pragma once

#include <string>
#include <vector>

#include "netns/process/spawner.h"
#include "store/base/result.h"

namespace netns {

class RootTemplate {
 public:
  // In the spawner, whose mount namespace must be its own already.
  static base::Result<RootTemplate> build(const std::string& scratch, const std::vector<std::string>& hidden);

  // In the freshly forked child, in a mount namespace of its own and in its pid and net namespaces (proc and sysfs
  // show those of whoever mounts them). Ends with the new root in place and the host's out of reach.
  base::Status enter_root(const std::vector<Mount>& mounts) const;

 private:
  struct Link {
    std::string name, target;
  };
  base::Status add_host_directories();
  base::Status add_devices();
  void hide(const std::string& path);
  base::Status make_skeleton() const;
  base::Status mount_kernel_views() const;

  std::string scratch_;
  std::vector<std::string> directories_;  // Names below / that the template holds a read-only bind of.
  std::vector<Link> links_;
};

}  // namespace netns
