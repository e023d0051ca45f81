#include "server/cli/kubeconfig_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "store/base/fd.h"

namespace server {
namespace {

namespace fs = std::filesystem;

// yaml-cpp's own emitter forgets that a scalar was quoted ("1" would come back as a number), so the text is
// written here: quoted scalars (tag "!") as JSON strings, plain ones as they were.
std::string scalar(const YAML::Node& node) {
  if (node.IsNull()) return "null";
  const std::string& value = node.Scalar();
  if (node.Tag() != "!" && !value.empty() && value.find('\n') == std::string::npos) return value;
  std::string out = "\"";
  for (char c : value) {
    char escaped[8];
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20) {
      ::snprintf(escaped, sizeof escaped, "\\x%02x", c);
      out += escaped;
    } else out += c;
  }
  return out + "\"";
}

void emit(const YAML::Node& node, int indent, std::string& out);

// After "key:" or "-": inline when it is a scalar or empty, else on the lines below.
void emit_value(const YAML::Node& value, int indent, std::string& out) {
  if (value.IsMap() && value.size() > 0) {
    out += "\n";
    emit(value, indent, out);
  } else if (value.IsSequence() && value.size() > 0) {
    out += "\n";
    emit(value, indent, out);
  } else {
    out += value.IsMap() ? " {}\n" : value.IsSequence() ? " []\n" : " " + scalar(value) + "\n";
  }
}

void emit(const YAML::Node& node, int indent, std::string& out) {
  std::string pad(static_cast<size_t>(indent), ' ');
  if (node.IsMap()) {
    for (const auto& entry : node) {
      out += pad + scalar(entry.first) + ":";
      // kubectl's style: list items stand under their key, not further in.
      emit_value(entry.second, entry.second.IsSequence() ? indent : indent + 2, out);
    }
    return;
  }
  for (const YAML::Node& item : node) {
    if (item.IsMap() && item.size() > 0) {
      std::string body;
      emit(item, indent + 2, body);
      out += pad + "- " + body.substr(static_cast<size_t>(indent) + 2);
    } else {
      out += pad + "-";
      emit_value(item, indent + 2, out);
    }
  }
}

constexpr const char* kLists[] = {"clusters", "contexts", "users"};

base::Result<YAML::Node> parse(const std::string& text) {
  try {
    YAML::Node root = YAML::Load(text);
    if (root.IsNull()) root = YAML::Node(YAML::NodeType::Map);
    if (!root.IsMap()) return base::Error(base::Code::kInvalid, "not a kubeconfig: the top level is not a map");
    const YAML::Node& reading = root;  // On a constant node, [] looks without inserting.
    for (const char* list : kLists) {
      if (reading[list] && !reading[list].IsSequence() && !reading[list].IsNull()) return base::Error(base::Code::kInvalid, std::string("not a kubeconfig: ") + list + " is not a list");
    }
    return root;
  } catch (const YAML::Exception& e) {
    return base::Error(base::Code::kInvalid, std::string("not valid YAML: ") + e.what());
  }
}

bool has_name(const YAML::Node& item, const std::string& name) { return item.IsMap() && item["name"] && item["name"].IsScalar() && item["name"].Scalar() == name; }

void drop_named(YAML::Node root, const char* list, const std::string& name) {
  YAML::Node kept(YAML::NodeType::Sequence);
  if (root[list] && root[list].IsSequence()) {
    for (const YAML::Node& item : root[list]) {
      if (!has_name(item, name)) kept.push_back(item);
    }
  }
  root[list] = kept;
}

std::string render(const YAML::Node& root) {
  std::string out;
  emit(root, 0, out);
  return out;
}

// kubectl's protocol: FILE.lock exists while somebody writes.
class FileLock {
 public:
  static base::Result<FileLock> take(const std::string& path) {
    FileLock lock;
    lock.path_ = path + ".lock";
    for (int tries = 0; tries < 200; ++tries) {
      base::Fd fd(::open(lock.path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
      if (fd) return lock;
      if (errno != EEXIST) {
        std::string failed = std::exchange(lock.path_, "");
        return base::os_error("create " + failed);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    std::string stuck = std::exchange(lock.path_, "");
    return base::Error(base::Code::kUnavailable, "another program is writing the kubeconfig (if none is, remove " + stuck + ")");
  }
  FileLock(FileLock&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

 private:
  FileLock() = default;
  std::string path_;
};

template <class Edit>
base::Status edit_file(const std::string& path, Edit edit) {
  std::error_code error;
  // A kubeconfig may be a link; the file it points to is the one to replace.
  std::string real = fs::exists(path, error) ? fs::canonical(path, error).string() : path;
  FileLock lock = TRY(FileLock::take(real));
  std::string existing;
  if (fs::exists(real, error)) existing = TRY(base::read_file(real));
  base::Result<std::string> edited = edit(existing);
  if (!edited.ok()) return std::move(edited).error().context("kubeconfig " + path);
  return base::write_file_atomic(real, *edited, 0600);
}

}  // namespace

base::Result<std::string> merged_kubeconfig(const std::string& existing, const std::string& ours) {
  YAML::Node root = TRY(parse(existing));
  YAML::Node add = TRY(parse(ours));
  try {
    if (!root["apiVersion"]) root["apiVersion"] = "v1";
    if (!root["kind"]) root["kind"] = "Config";
    for (const char* list : kLists) {
      YAML::Node item = add[list][0];
      drop_named(root, list, item["name"].Scalar());
      root[list].push_back(item);
    }
    root["current-context"] = add["current-context"];
    return render(root);
  } catch (const YAML::Exception& e) {
    return base::Error(base::Code::kInvalid, std::string("not a kubeconfig: ") + e.what());
  }
}

base::Result<std::string> without_context(const std::string& existing, const std::string& name) {
  YAML::Node root = TRY(parse(existing));
  try {
    for (const char* list : kLists) drop_named(root, list, name);
    YAML::Node current = root["current-context"];
    if (current && current.IsScalar() && current.Scalar() == name) {
      YAML::Node none(std::string{});
      root["current-context"] = none;
    }
    return render(root);
  } catch (const YAML::Exception& e) {
    return base::Error(base::Code::kInvalid, std::string("not a kubeconfig: ") + e.what());
  }
}

base::Result<std::string> kubeconfig_path(const std::string& explicit_path) {
  if (!explicit_path.empty()) return explicit_path;
  const char* env = ::getenv("KUBECONFIG");
  std::vector<std::string> files;
  std::string rest = env == nullptr ? "" : env;
  while (!rest.empty()) {
    size_t colon = rest.find(':');
    if (colon != 0) files.push_back(rest.substr(0, colon));
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  for (const std::string& file : files) {
    if (::access(file.c_str(), F_OK) == 0) return file;
  }
  if (!files.empty()) return files.back();
  const char* home = ::getenv("HOME");
  if (home == nullptr || home[0] != '/') return base::Error(base::Code::kInvalid, "HOME is not set: give --kubeconfig FILE, or set KUBECONFIG");
  return std::string(home) + "/.kube/config";
}

base::Status merge_kubeconfig(const std::string& path, const std::string& ours) {
  std::error_code error;
  fs::path parent = fs::path(path).parent_path();
  if (!parent.empty() && !fs::exists(parent, error)) {
    fs::create_directories(parent, error);
    if (error) return base::Error(base::Code::kInternal, "create " + parent.string() + ": " + error.message());
    ::chmod(parent.c_str(), 0750);
  }
  return edit_file(path, [&](const std::string& existing) { return merged_kubeconfig(existing, ours); });
}

base::Status remove_from_kubeconfig(const std::string& path, const std::string& name) {
  if (::access(path.c_str(), F_OK) != 0) return {};
  return edit_file(path, [&](const std::string& existing) { return without_context(existing, name); });
}

}  // namespace server
