#include "netns/process/mount_calls.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace netns {

base::Result<base::Fd> clone_tree(const std::string& path) {
  base::Fd tree(static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)));
  if (!tree) return base::os_error("open the tree " + path);
  return tree;
}

base::Status make_read_only(const base::Fd& tree, const std::string& name) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) != 0) {
    return base::os_error("make " + name + " read-only");
  }
  return {};
}

base::Status attach_tree(const base::Fd& tree, const std::string& target) {
  if (::syscall(SYS_move_mount, tree.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) return base::os_error("mount " + target);
  return {};
}

base::Status attach_tree(const base::Fd& tree, const base::Fd& target, const std::string& name) {
  if (::syscall(SYS_move_mount, tree.get(), "", target.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) return base::os_error("mount " + name);
  return {};
}

base::Status mount_fs(const char* type, const std::string& target, unsigned long flags, const std::string& options) {
  if (::mount(type, target.c_str(), type, flags, options.c_str()) != 0) return base::os_error(std::string("mount ") + type + " on " + target);
  return {};
}

base::Status bind_mount(const std::string& source, const std::string& target) {
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) return base::os_error("bind " + source + " to " + target);
  return {};
}

base::Status move_mount_to(const std::string& source, const std::string& target) {
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_MOVE, nullptr) != 0) return base::os_error("move " + source + " to " + target);
  return {};
}

base::Status make_directory(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return base::os_error("make directory " + path);
  return {};
}

namespace {
// ':' separates lower directories and ',' options.
std::string escaped(const std::string& path) {
  std::string out;
  for (char c : path) {
    if (c == ':' || c == ',' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}
}  // namespace

base::Status mount_overlay(const std::string& lower, const std::string& upper, const std::string& work, const std::string& target) {
  // userxattr: the trusted.* attributes that overlayfs uses otherwise belong to the initial user namespace.
  const std::string options = "lowerdir=" + escaped(lower) + ",upperdir=" + escaped(upper) + ",workdir=" + escaped(work) + ",userxattr";
  return mount_fs("overlay", target, 0, options);
}

}  // namespace netns
