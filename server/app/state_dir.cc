#include "server/app/state_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

namespace server {
namespace {

namespace fs = std::filesystem;
constexpr int kStateVersion = 1;

base::Result<base::Fd> open_lock(const std::string& dir, int flags) {
  base::Fd fd(::open((dir + "/lock").c_str(), flags | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) return base::os_error("open " + dir + "/lock");
  return fd;
}

base::Status check_version(const std::string& dir) {
  std::string path = dir + "/version";
  std::error_code missing;
  if (!fs::exists(path, missing)) return base::write_file_atomic(path, std::to_string(kStateVersion) + "\n", 0600);
  std::string text = TRY(base::read_file(path));
  int version = std::atoi(text.c_str());
  if (version >= 1 && version <= kStateVersion) return {};
  return base::Error(base::Code::kInvalid, "state folder " + dir + " has format " + (text.empty() ? "?" : text.substr(0, text.find('\n'))) +
                                               ", this kubelan reads up to " + std::to_string(kStateVersion) +
                                               ": use the newer kubelan that wrote it, or another --name or --state-dir");
}

// A cluster with --state-dir is found by name through a link in the state root.
base::Status ensure_link(const std::string& dir, const std::string& name) {
  std::string link = TRY(state_root()) + "/" + name;
  if (link == dir) return {};
  std::error_code error;
  fs::create_directories(fs::path(link).parent_path(), error);
  if (fs::is_symlink(link, error)) {
    if (fs::read_symlink(link, error) == dir) return {};
    if (is_running(link)) {
      return base::Error(base::Code::kAlreadyExists, "cluster \"" + name + "\" is already up with another state folder: choose another --name");
    }
    fs::remove(link, error);
  } else if (fs::exists(link, error)) {
    return base::Error(base::Code::kAlreadyExists, "cluster \"" + name + "\" already has its state in " + link + ": choose another --name, or leave out --state-dir");
  }
  fs::create_symlink(dir, link, error);
  if (error) return base::Error(base::Code::kInternal, "link " + link + ": " + error.message());
  return {};
}

base::Result<sockaddr_un> short_address(const base::Fd& dir_fd, const std::string& file) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  int n = ::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir_fd.get(), file.c_str());
  if (n < 0 || static_cast<size_t>(n) >= sizeof address.sun_path) return base::Error(base::Code::kInternal, "socket name too long");
  return address;
}

}  // namespace

base::Result<std::string> state_root() {
  const char* xdg = ::getenv("XDG_STATE_HOME");
  if (xdg != nullptr && xdg[0] == '/') return std::string(xdg) + "/kubelan";
  const char* home = ::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.local/state/kubelan";
  return base::Error(base::Code::kInvalid, "neither HOME nor XDG_STATE_HOME is set: set one, or give --state-dir");
}

base::Status check_cluster_name(const std::string& name) {
  bool good = !name.empty() && name.size() <= 40 && name.front() != '-' && name.back() != '-';
  for (char c : name) good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
  if (good) return {};
  return base::Error(base::Code::kInvalid, "--name \"" + name + "\": use 1 to 40 of a-z, 0-9 and '-', not at either end");
}

base::Result<std::string> state_dir_for(const std::string& name, const std::string& explicit_dir) {
  if (explicit_dir.empty()) return TRY(state_root()) + "/" + name;
  std::error_code error;
  fs::path absolute = fs::absolute(explicit_dir, error);
  if (error) return base::Error(base::Code::kInvalid, "--state-dir " + explicit_dir + ": " + error.message());
  std::string text = absolute.lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::vector<std::string> known_clusters() {
  std::vector<std::string> names;
  base::Result<std::string> root = state_root();
  if (!root.ok()) return names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(*root, error)) {
    std::string name = entry.path().filename().string();
    if (check_cluster_name(name).ok() && entry.is_directory(error)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

base::Result<base::Fd> claim_state_dir(const std::string& dir, const std::string& name) {
  std::error_code error;
  fs::create_directories(dir, error);
  if (error) return base::Error(base::Code::kInternal, "create state folder " + dir + ": " + error.message());
  if (::chmod(dir.c_str(), 0700) != 0) return base::os_error("chmod " + dir);
  base::Fd lock = TRY(open_lock(dir, O_CREAT));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return base::Error(base::Code::kAlreadyExists, "cluster \"" + name + "\" is already up: run 'kubelan down --name " + name + "' first, or choose another --name");
  }
  TRY_STATUS(check_version(dir));
  TRY_STATUS(ensure_link(dir, name));
  for (const char* sub : {"/run", "/pki"}) fs::create_directories(dir + sub, error);
  if (error) return base::Error(base::Code::kInternal, "create folders in " + dir + ": " + error.message());
  fs::remove(dir + "/info.json", error);
  return lock;
}

bool is_running(const std::string& dir) {
  base::Result<base::Fd> lock = open_lock(dir, 0);
  return lock.ok() && ::flock(lock->get(), LOCK_SH | LOCK_NB) != 0;
}

bool wait_until_stopped(const std::string& dir, int seconds) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (is_running(dir)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

base::Result<std::string> settle_ip_family(const std::string& dir, const std::string& wanted) {
  const std::string file = dir + "/ip-family";
  base::Result<std::string> known = base::read_file(file);
  std::string has = known.ok() ? *known : fs::exists(dir + "/store.db") ? "ipv4" : "";  // Older state folders do not say.
  while (!has.empty() && has.back() == '\n') has.pop_back();
  if (!has.empty() && !wanted.empty() && has != wanted) {
    return base::Error(base::Code::kConflict, "--ip-family " + wanted + ": this cluster was made with " + has +
                                                  ", and its objects hold such addresses; use --ip-family " + has + ", or 'kubelan down' it without --keep-state first");
  }
  const std::string family = !wanted.empty() ? wanted : !has.empty() ? has : "ipv4";
  if (has.empty()) TRY_STATUS(base::write_file_atomic(file, family + "\n", 0600));
  return family;
}

base::Status remove_state(const std::string& dir, const std::string& name) {
  std::error_code error;
  // Only what we put there: a --state-dir may be a folder that the user also keeps other things in.
  for (const char* entry : {"info.json", "store.db", "store.db-wal", "store.db-shm", "pki", "kubeconfig", "kubeconfig-path", "control.sock", "kubelan.log", "port", "published.json", "ip-family", "run", "version", "lock"}) {
    fs::remove_all(dir + "/" + entry, error);
    if (error) return base::Error(base::Code::kInternal, "remove " + dir + "/" + entry + ": " + error.message());
  }
  fs::remove(dir, error);  // Stays when it holds something of the user's.
  base::Result<std::string> root = state_root();
  if (root.ok() && fs::is_symlink(*root + "/" + name, error)) fs::remove(*root + "/" + name, error);
  return {};
}

base::Result<base::Fd> listen_unix(const std::string& dir, const std::string& file) {
  base::Fd dir_fd(::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir_fd) return base::os_error("open " + dir);
  ::unlinkat(dir_fd.get(), file.c_str(), 0);
  base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return base::os_error("create a unix socket");
  sockaddr_un address = TRY(short_address(dir_fd, file));
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return base::os_error("bind " + dir + "/" + file);
  if (::listen(fd.get(), 64) != 0) return base::os_error("listen on " + dir + "/" + file);
  return fd;
}

base::Result<base::Fd> connect_unix(const std::string& dir, const std::string& file) {
  base::Fd dir_fd(::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir_fd) return base::os_error("open " + dir);
  base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return base::os_error("create a unix socket");
  sockaddr_un address = TRY(short_address(dir_fd, file));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return base::os_error("connect to " + dir + "/" + file);
  return fd;
}

}  // namespace server
