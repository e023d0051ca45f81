// netns/process/mount_calls.h - mount system calls as Status-returning functions. Internal to netns/process.
#pragma once

#include <cstdint>
#include <string>

#include "store/base/fd.h"
#include "store/base/result.h"

namespace netns {

// A detached copy of the tree at `path`, sub-mounts included. It is gone when the descriptor closes unmoved.
base::Result<base::Fd> clone_tree(const std::string& path);
// Read-only, recursively.
base::Status make_read_only(const base::Fd& tree, const std::string& name);
base::Status attach_tree(const base::Fd& tree, const std::string& target);
base::Status attach_tree(const base::Fd& tree, const base::Fd& target, const std::string& name);
base::Status mount_fs(const char* type, const std::string& target, unsigned long flags, const std::string& options);
base::Status bind_mount(const std::string& source, const std::string& target);
base::Status move_mount_to(const std::string& source, const std::string& target);
// 0 or already there: ok.
base::Status make_directory(const std::string& path, unsigned mode);
// Copy-on-write view of `lower` at `target`; `upper` and `work` are directories on one writable file system.
base::Status mount_overlay(const std::string& lower, const std::string& upper, const std::string& work, const std::string& target);

}  // namespace netns
