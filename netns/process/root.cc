#include "netns/process/root.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "netns/process/mount_calls.h"
#include "netns/process/mount_targets.h"

namespace netns {
namespace {

// Made afresh in every container, so not taken from the host.
constexpr const char* kOwnDirectories[] = {"dev", "etc", "proc", "run", "sys", "tmp"};
constexpr const char* kSkipped[] = {"lost+found"};
constexpr const char* kDevices[] = {"null", "zero", "full", "random", "urandom", "tty"};
struct DeviceLink {
  const char* name;
  const char* target;
};
constexpr DeviceLink kDeviceLinks[] = {{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
                                       {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"}};

template <size_t N>
bool listed(const char* const (&names)[N], const std::string& name) {
  return std::any_of(std::begin(names), std::end(names), [&](const char* each) { return name == each; });
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

base::Status touch(const std::string& path) {
  base::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return base::os_error("create " + path);
  return {};
}

base::Status bind_read_only(const std::string& source, const std::string& target) {
  base::Fd tree = TRY(clone_tree(source));
  TRY_STATUS(make_read_only(tree, source));
  return attach_tree(tree, target);
}

std::string read_link(const std::string& path) {
  char target[4096];
  ssize_t n = ::readlink(path.c_str(), target, sizeof target);
  return n <= 0 ? "" : std::string(target, static_cast<size_t>(n));
}

// Leaves the old root: after this nothing outside the new one has a path.
base::Status pivot_into(const std::string& root) {
  if (::chdir(root.c_str()) != 0) return base::os_error("enter " + root);
  // With both arguments ".", the old root ends up stacked on the new one and can be detached from there; no
  // directory for it is needed (pivot_root(2)).
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return base::os_error("make " + root + " the root");
  if (::umount2(".", MNT_DETACH) != 0) return base::os_error("detach the host's root");
  if (::chdir("/") != 0) return base::os_error("enter /");
  return {};
}

}  // namespace

base::Result<RootTemplate> RootTemplate::build(const std::string& scratch, const std::vector<std::string>& hidden) {
  RootTemplate root;
  root.scratch_ = scratch;
  // Slave, not private: what the host unmounts goes here too, so that we never keep a disk busy.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return base::os_error("separate mounts from the host's");
  TRY_STATUS(mount_fs("tmpfs", scratch, MS_NOSUID | MS_NODEV, "mode=0755"));
  for (const char* name : {"/template", "/own", "/root"}) TRY_STATUS(make_directory(scratch + name, 0755));
  TRY_STATUS(root.add_host_directories());
  TRY_STATUS(root.add_devices());
  root.hide(scratch);
  for (const std::string& path : hidden) root.hide(path);
  return root;
}

base::Status RootTemplate::add_host_directories() {
  std::unique_ptr<DIR, CloseDir> dir(::opendir("/"));
  if (dir == nullptr) return base::os_error("open /");
  while (dirent* entry = ::readdir(dir.get())) {
    std::string name = entry->d_name;
    if (name == "." || name == ".." || listed(kOwnDirectories, name) || listed(kSkipped, name)) continue;
    struct stat info {};
    if (::lstat(("/" + name).c_str(), &info) != 0) continue;
    if (S_ISLNK(info.st_mode)) links_.push_back({name, read_link("/" + name)});
    if (!S_ISDIR(info.st_mode)) continue;
    const std::string target = scratch_ + "/template/" + name;
    TRY_STATUS(make_directory(target, 0755));
    base::Status bound = bind_read_only("/" + name, target);
    // A directory that cannot be shown read-only is not shown at all.
    if (bound.ok()) directories_.push_back(name);
  }
  return {};
}

// One small file system with the devices, shared by all containers and therefore read-only.
base::Status RootTemplate::add_devices() {
  const std::string dev = scratch_ + "/template/dev";
  TRY_STATUS(make_directory(dev, 0755));
  TRY_STATUS(mount_fs("tmpfs", dev, MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k"));
  for (const char* name : kDevices) {
    TRY_STATUS(touch(dev + "/" + name));
    // A new device node cannot be made in a user namespace; the host's is bound instead.
    TRY_STATUS(bind_mount(std::string("/dev/") + name, dev + "/" + name));
  }
  // Where Kubernetes' default terminationMessagePath is mounted: below /dev nothing can be made later.
  TRY_STATUS(touch(dev + "/termination-log"));
  for (const DeviceLink& link : kDeviceLinks) {
    if (::symlink(link.target, (dev + "/" + link.name).c_str()) != 0) return base::os_error(std::string("link /dev/") + link.name);
  }
  for (const char* name : {"/pts", "/shm"}) TRY_STATUS(make_directory(dev + name, 0755));
  if (::mount(nullptr, dev.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, nullptr) != 0) {
    return base::os_error("make /dev read-only");
  }
  directories_.push_back("dev");
  return {};
}

void RootTemplate::hide(const std::string& path) {
  const std::string inside = scratch_ + "/template" + path;
  struct stat info {};
  if (::stat(inside.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return;  // Not visible in containers anyway.
  base::ignore(mount_fs("tmpfs", inside, MS_RDONLY | MS_NOSUID | MS_NODEV, "mode=0755,size=4k"), "read-only in any case");
}

// In the child; the working directory is scratch_, so that overlay options need no absolute path.
base::Status RootTemplate::make_skeleton() const {
  TRY_STATUS(mount_fs("tmpfs", "own", MS_NOSUID | MS_NODEV, "mode=0755"));
  struct Dir {
    const char* path;
    unsigned mode;
  };
  constexpr Dir kDirs[] = {{"own/root", 0755}, {"own/upper", 0755}, {"own/shm", 01777}, {"own/var-tmp", 01777}};
  for (const Dir& dir : kDirs) TRY_STATUS(make_directory(dir.path, dir.mode));
  TRY_STATUS(bind_mount("own/root", "root"));
  for (const char* name : kOwnDirectories) TRY_STATUS(make_directory(std::string("root/") + name, name == std::string("tmp") ? 01777 : 0755));
  for (const std::string& name : directories_) {
    TRY_STATUS(make_directory("root/" + name, 0755));
    TRY_STATUS(move_mount_to("template/" + name, "root/" + name));
  }
  for (const Link& link : links_) {
    if (::symlink(link.target.c_str(), ("root/" + link.name).c_str()) != 0) return base::os_error("link /" + link.name);
  }
  return {};
}

base::Status RootTemplate::mount_kernel_views() const {
  // A container host with parts of /proc or /sys covered does not allow fresh ones: show the host's then. That /proc
  // lists the host's processes, which is no more than this user sees anyway.
  constexpr unsigned long kSafe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (!mount_fs("proc", "root/proc", kSafe, "").ok()) TRY_STATUS(bind_mount("/proc", "root/proc"));
  if (!mount_fs("sysfs", "root/sys", kSafe | MS_RDONLY, "").ok()) TRY_STATUS(bind_read_only("/sys", "root/sys"));
  if (!mount_fs("devpts", "root/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620").ok()) {
    TRY_STATUS(bind_mount("/dev/pts", "root/dev/pts"));
  }
  TRY_STATUS(bind_mount("own/shm", "root/dev/shm"));
  struct stat info {};
  if (::lstat("root/var/tmp", &info) == 0 && S_ISDIR(info.st_mode)) TRY_STATUS(bind_mount("own/var-tmp", "root/var/tmp"));
  return {};
}

base::Status RootTemplate::enter_root(const std::vector<Mount>& mounts) const {
  mode_t before = ::umask(0);
  if (::chdir(scratch_.c_str()) != 0) return base::os_error("enter " + scratch_);
  TRY_STATUS(make_skeleton());
  MountTargets targets("root", "own/upper");
  if (!targets.make_writable_from("/etc", "/etc").ok()) TRY_STATUS(bind_read_only("/etc", "root/etc"));
  TRY_STATUS(mount_kernel_views());
  TRY_STATUS(targets.apply(mounts));
  TRY_STATUS(pivot_into("root"));
  ::umask(before);
  return {};
}

}  // namespace netns
