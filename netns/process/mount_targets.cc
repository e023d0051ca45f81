#include "netns/process/mount_targets.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "netns/process/mount_calls.h"

namespace netns {
namespace {

std::string parent_of(const std::string& path) {
  size_t slash = path.find_last_of('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string leaf_of(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

bool is_below(const std::string& path, const std::string& directory) {
  return directory == "/" || (path.size() > directory.size() && path.compare(0, directory.size(), directory) == 0 && path[directory.size()] == '/');
}

std::string path_of(const base::Fd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

// 0 or an errno.
int create_in(const base::Fd& dir, const std::string& name, bool directory) {
  if (directory) return ::mkdirat(dir.get(), name.c_str(), 0755) == 0 || errno == EEXIST ? 0 : errno;
  base::Fd file(::openat(dir.get(), name.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644));
  return file ? 0 : errno;
}

// The text of a symbolic link; empty if it is none.
std::string link_text(const base::Fd& dir, const std::string& name) {
  char text[4096];
  ssize_t n = ::readlinkat(dir.get(), name.c_str(), text, sizeof text);
  return n <= 0 ? "" : std::string(text, static_cast<size_t>(n));
}

}  // namespace

base::Result<base::Fd> MountTargets::resolve(const std::string& target, int flags) const {
  base::Fd root(::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return base::os_error("open " + root_);
  open_how how{};
  how.flags = static_cast<uint64_t>(O_PATH | O_CLOEXEC | flags);
  how.resolve = RESOLVE_IN_ROOT;
  base::Fd fd(static_cast<int>(::syscall(SYS_openat2, root.get(), target.c_str(), &how, sizeof how)));
  if (!fd) {
    int err = errno;
    base::Error error = base::os_error("open " + target, err);
    if (err == ENOENT) error.code = base::Code::kNotFound;
    return error;
  }
  return fd;
}

base::Status MountTargets::make_writable_from(const std::string& lower, const std::string& target) {
  const std::string layer = uppers_ + "/" + std::to_string(layers_++);
  TRY_STATUS(make_directory(layer, 0755));
  TRY_STATUS(make_directory(layer + "/up", 0755));
  TRY_STATUS(make_directory(layer + "/work", 0755));
  base::Fd at = TRY(resolve(target, O_DIRECTORY));
  return mount_overlay(lower, layer + "/up", layer + "/work", path_of(at));
}

// An overlay's top directory is the upper one, which is ours: so this works too where the directory belongs to a
// user that is not mapped here and no capability would help.
base::Status MountTargets::make_writable(const std::string& directory) {
  // The layer would hide what is mounted below: the devices.
  if (directory == "/dev" || is_below(directory, "/dev")) {
    return base::Error(base::Code::kInvalid, "nothing can be made in " + directory + ", which holds the container's devices: choose another path, such as one below /dev/shm");
  }
  base::Fd lower = TRY(resolve(directory, O_DIRECTORY));
  base::Status made = make_writable_from(path_of(lower), directory);
  if (!made.ok()) return std::move(made).error().context("make " + directory + " writable");
  return {};
}

// Makes `target` and the directories above it. Where the nearest existing one is read-only, that one gets a
// copy-on-write layer first.
base::Status MountTargets::make_missing(const std::string& target, Want want) {
  // Links to links, and directories above directories: both end soon or not at all.
  constexpr int kMaxDepth = 64;
  if (depth_ > kMaxDepth) return base::os_error("create " + target, ELOOP);
  ++depth_;
  base::Status made = make_missing_here(target, want);
  --depth_;
  return made;
}

base::Status MountTargets::make_missing_here(const std::string& target, Want want) {
  std::string parent = parent_of(target);
  base::Result<base::Fd> above = resolve(parent, O_DIRECTORY);
  if (!above.ok()) {
    if (above.error().code != base::Code::kNotFound || parent == "/") return std::move(above).error();
    TRY_STATUS(make_missing(parent, Want::kDirectory));
    above = resolve(parent, O_DIRECTORY);
    if (!above.ok()) return std::move(above).error();
  }
  // A link that leads nowhere (resolv.conf of systemd-resolved, whose /run is not here): what it leads to is made. The
  // link itself may be in a directory that is not ours to change.
  const std::string link = link_text(*above, leaf_of(target));
  if (!link.empty()) return make_missing(link[0] == '/' ? link : parent + "/" + link, want);
  int err = create_in(*above, leaf_of(target), want == Want::kDirectory);
  if (err == EROFS || err == EACCES || err == EPERM) {
    TRY_STATUS(make_writable(parent));
    base::Fd writable = TRY(resolve(parent, O_DIRECTORY));
    err = create_in(writable, leaf_of(target), want == Want::kDirectory);
  }
  if (err != 0) return base::os_error("create " + target, err);
  return {};
}

base::Result<base::Fd> MountTargets::ensure(const std::string& target, Want want) {
  int flags = want == Want::kDirectory ? O_DIRECTORY : 0;
  base::Result<base::Fd> found = resolve(target, flags);
  if (found.ok() || found.error().code != base::Code::kNotFound) return found;
  TRY_STATUS(make_missing(target, want));
  return resolve(target, flags);
}

// The file of the host, if there is one, is replaced and not written to: it may belong to a user that is not mapped.
base::Status MountTargets::write_content(const std::string& target, const std::string& content) {
  const std::string parent = parent_of(target);
  base::Fd dir = TRY(ensure(parent, Want::kDirectory));
  if (::faccessat(dir.get(), ".", W_OK, AT_EACCESS) != 0) {
    TRY_STATUS(make_writable(parent));
    dir = TRY(resolve(parent, O_DIRECTORY));
  }
  const std::string leaf = leaf_of(target);
  if (::unlinkat(dir.get(), leaf.c_str(), 0) != 0 && errno != ENOENT) return base::os_error("replace " + target);
  base::Fd file(::openat(dir.get(), leaf.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return base::os_error("create " + target);
  return base::write_all(file.get(), content.data(), content.size());
}

base::Status MountTargets::mount_one(const Mount& mount) {
  const std::string target = without_trailing_slashes(mount.target);
  if (mount.kind == Mount::Kind::kTmpfs) {
    base::Fd at = TRY(ensure(target, Want::kDirectory));
    std::string options = "mode=1777";
    if (mount.size_limit > 0) options += ",size=" + std::to_string(mount.size_limit);
    return mount_fs("tmpfs", path_of(at), MS_NOSUID | MS_NODEV | (mount.read_only ? MS_RDONLY : 0), options);
  }
  if (mount.kind == Mount::Kind::kContent) return write_content(target, mount.source);
  if (mount.kind == Mount::Kind::kWritable) {
    base::Fd at = TRY(ensure(target, Want::kDirectory));
    return ::faccessat(at.get(), ".", W_OK, AT_EACCESS) == 0 ? base::Status() : make_writable(target);
  }
  base::Fd tree = TRY(clone_tree(mount.source));
  if (mount.read_only) TRY_STATUS(make_read_only(tree, mount.source));
  struct stat info {};
  if (::fstat(tree.get(), &info) != 0) return base::os_error("look at " + mount.source);
  base::Fd at = TRY(ensure(target, S_ISDIR(info.st_mode) ? Want::kDirectory : Want::kFile));
  return attach_tree(tree, at, target);
}

base::Status MountTargets::apply(const std::vector<Mount>& mounts) {
  // Targets first: a copy-on-write layer made for a later one would hide a mount that is already below it. Those
  // inside an earlier mount have to wait for it.
  for (size_t i = 0; i < mounts.size(); ++i) {
    std::string target = without_trailing_slashes(mounts[i].target);
    if (mounts[i].kind == Mount::Kind::kContent) target = parent_of(target);
    if (target.empty() || target[0] != '/') return base::Error(base::Code::kInvalid, "mount path must be absolute: " + mounts[i].target);
    bool nested = false;
    for (size_t earlier = 0; earlier < i; ++earlier) nested = nested || is_below(target, without_trailing_slashes(mounts[earlier].target));
    if (nested) continue;
    struct stat info {};
    bool is_file = mounts[i].kind == Mount::Kind::kBind && ::stat(mounts[i].source.c_str(), &info) == 0 && !S_ISDIR(info.st_mode);
    base::Result<base::Fd> made = ensure(target, is_file ? Want::kFile : Want::kDirectory);
    if (!made.ok()) return std::move(made).error().context("mount " + mounts[i].target);
  }
  for (const Mount& mount : mounts) {
    base::Status mounted = mount_one(mount);
    if (!mounted.ok()) return std::move(mounted).error().context("mount " + mount.target);
  }
  return {};
}

}  // namespace netns
