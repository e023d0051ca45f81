#include "server/images/images.h"

#include <csignal>

#include <algorithm>
#include <filesystem>

#include "server/images/builtins.h"
#include "server/images/toolbox.h"

namespace server {
namespace {

// The last parts of a repository name ("docker.io/library/nginx" ends with "nginx"), most specific first.
struct ImageRow {
  const char* repository;
  const char* builtin;
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  const char* tag = "";  // Of this tag alone ("2.0", "2.0-amd64").
};

// As curl's own image: options and addresses alone are curl's, anything else is a command.
const std::vector<std::string> kCurlEntrypoint = {
    "/bin/sh", "-c", "case \"$1\" in -*) set -- curl \"$@\";; *) command -v \"$1\" >/dev/null 2>&1 || set -- curl \"$@\";; esac; exec \"$@\"",
    "entrypoint"};

const std::vector<ImageRow>& rows() {
  static const std::vector<ImageRow> kRows = {
      {"nginx", "nginx", {}, {}},
      {"ingress-nginx/controller", "nginx-ingress-controller", {}, {}},
      {"pause", "pause", {}, {}},
      {"pause-amd64", "pause", {}, {}},
      {"agnhost", "agnhost", {"/agnhost"}, {"pause"}},
      {"hashicorp/http-echo", "http-echo", {"/http-echo"}, {}},
      {"traefik/whoami", "whoami", {"/whoami"}, {}},
      {"containous/whoami", "whoami", {"/whoami"}, {}},
      {"google-samples/hello-app", "hello-app-2", {}, {"./hello-app"}, "2.0"},
      {"google-samples/hello-app", "hello-app", {}, {"./hello-app"}},
      {"gke/hello-app", "hello-app-2", {}, {"./hello-app"}, "2.0"},
      {"gke/hello-app", "hello-app", {}, {"./hello-app"}},
      {"curlimages/curl", "", kCurlEntrypoint, {"curl"}},
      {"nicolaka/netshoot", "", {}, {"sh"}},
      {"busybox", "", {}, {"sh"}},
      {"alpine", "", {}, {"sh"}},
      {"debian", "", {}, {"bash"}},
      {"ubuntu", "", {}, {"bash"}},
      {"bash", "", {}, {"bash"}},
  };
  return kRows;
}

// Other builds that listen elsewhere or read their own variables: not the official image under another name.
constexpr const char* kDifferent[] = {"bitnami/nginx", "bitnamilegacy/nginx"};

struct Reference {
  std::string repository;  // With registry.
  std::string tag;
};

Reference parse_reference(std::string text) {
  Reference out;
  text = text.substr(0, text.find('@'));
  size_t slash = text.find_last_of('/');
  size_t colon = text.find_last_of(':');
  // A colon before the last slash belongs to the registry's port.
  if (colon != std::string::npos && (slash == std::string::npos || colon > slash)) {
    out.tag = text.substr(colon + 1);
    text.resize(colon);
  }
  out.repository = text;
  return out;
}

bool ends_with_parts(const std::string& repository, const std::string& parts) {
  if (repository == parts) return true;
  if (repository.size() <= parts.size()) return false;
  size_t at = repository.size() - parts.size();
  return repository[at - 1] == '/' && repository.compare(at, parts.size(), parts) == 0;
}

std::vector<netns::Mount> nginx_files() {
  using netns::Mount;
  return {
      {Mount::Kind::kWritable, "", "/usr/share/nginx/html"},
      {Mount::Kind::kContent, images::nginx_welcome_page(), "/usr/share/nginx/html/index.html"},
      {Mount::Kind::kContent, images::nginx_trouble_page(), "/usr/share/nginx/html/50x.html"},
      // Hides the configuration of an nginx that the host may have; what is found there at start is the pod's.
      {Mount::Kind::kTmpfs, "", "/etc/nginx"},
      {Mount::Kind::kTmpfs, "", "/var/cache/nginx"},
      {Mount::Kind::kTmpfs, "", "/var/log/nginx"},
  };
}

// Where this binary is; empty once it was replaced by a newer build: containers go on to start, without what it plays.
std::string own_binary() {
  std::error_code error;
  const std::string binary = std::filesystem::read_symlink("/proc/self/exe", error).string();
  return !error && std::filesystem::exists(binary, error) ? binary : "";
}

// What the host has is looked at once: PATH lets a program that is installed later win over its stand-in.
std::vector<netns::Mount> toolbox_files() {
  static const std::vector<netns::Mount> kFiles =
      images::toolbox_mounts(own_binary(), images::host_program("busybox"), [](const std::string& name) { return !images::host_program(name).empty(); });
  std::vector<netns::Mount> out;
  std::error_code error;
  std::copy_if(kFiles.begin(), kFiles.end(), std::back_inserter(out), [&](const netns::Mount& each) { return std::filesystem::exists(each.source, error); });
  return out;
}

// The program as a file, so that "/agnhost connect ..." works from a shell and from kubectl exec too: it is this binary,
// which looks at the name it is called by.
std::vector<netns::Mount> agnhost_files() {
  using netns::Mount;
  std::vector<Mount> out = toolbox_files();
  out.push_back({Mount::Kind::kTmpfs, "", "/uploads"});
  const std::string binary = own_binary();
  if (!binary.empty()) out.push_back({Mount::Kind::kBind, binary, "/agnhost", true});
  return out;
}

bool tag_matches(const ImageRow& row, const std::string& tag) {
  const std::string want = row.tag;
  return want.empty() || tag == want || tag.rfind(want + "-", 0) == 0;
}

}  // namespace

std::optional<ResolvedImage> resolve_image(const std::string& reference) {
  Reference parsed = parse_reference(reference);
  if (parsed.repository.empty()) return std::nullopt;
  ResolvedImage image;
  if (parsed.repository == "host") {
    image.image_id = "kubelan://host";
    return image;
  }
  for (const char* different : kDifferent) {
    if (ends_with_parts(parsed.repository, different)) return std::nullopt;
  }
  for (const ImageRow& row : rows()) {
    if (!ends_with_parts(parsed.repository, row.repository) || !tag_matches(row, parsed.tag)) continue;
    image.builtin = row.builtin;
    image.entrypoint = row.entrypoint;
    image.cmd = row.cmd;
    image.image_id = std::string("kubelan://") + (image.builtin.empty() ? "host/" : "builtin/") + row.repository;
    if (image.builtin == "nginx") {
      image.env = {"NGINX_VERSION=" + std::string(images::kNginxVersion)};
      image.mounts = nginx_files();
      image.stop_signal = SIGQUIT;  // As the nginx image: answer what has begun, then end.
    }
    if (image.builtin.empty() || image.builtin == "agnhost") {
      image.env = {images::toolbox_path()};
      image.mounts = image.builtin.empty() ? toolbox_files() : agnhost_files();
    }
    return image;
  }
  return std::nullopt;
}

std::string explain_unresolved(const std::string& reference) {
  std::string known;
  for (const ImageRow& row : rows()) {
    if (std::string(row.repository) != "pause-amd64" && *row.tag == '\0') known += std::string(known.empty() ? "" : ", ") + row.repository;
  }
  return "image \"" + reference + "\" is not available: kubelan pulls nothing. It plays these itself, whatever their registry and tag: " + known +
         "; with \"image: host\" a container runs a command of this machine.";
}

std::string builtin_for_command(const ResolvedImage& image, const std::vector<std::string>& command) {
  if (image.builtin.empty() || command.empty()) return image.builtin;
  auto base_name = [](const std::string& path) { return path.substr(path.find_last_of('/') + 1); };
  std::string program = base_name(command[0]);
  if (program == "docker-entrypoint.sh" && command.size() > 1) program = base_name(command[1]);
  bool same = program == image.builtin || program + "-2" == image.builtin || (image.builtin == "nginx" && program == "nginx-debug");
  return same ? image.builtin : "";
}

std::map<std::string, netns::BuiltinMain> builtin_programs() {
  return {{"agnhost", images::agnhost_main}, {"hello-app", images::hello_main}, {"hello-app-2", images::hello2_main}, {"http-echo", images::http_echo_main},
          {"nginx", images::nginx_main}, {"nginx-ingress-controller", images::ingress_controller_main}, {"pause", images::pause_main}, {"whoami", images::whoami_main}};
}

netns::BuiltinMain builtin_by_file(const std::string& path) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  if (name == "agnhost") return images::agnhost_main;
  return images::is_tool(name) ? images::tool_main : nullptr;
}

}  // namespace server
