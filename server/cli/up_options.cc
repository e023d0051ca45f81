#include "server/cli/up_options.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "server/app/state_dir.h"
#include "server/cli/control_client.h"
#include "store/base/fd.h"
#include "store/object/access.h"

namespace server {

namespace fs = std::filesystem;

std::vector<Flag> up_flags(UpOptions& o) {
  return {
      {"--name", "NAME", "Name of the cluster", &o.name},
      {"--nodes", "N", "Number of nodes, 0 to 64 (default 3); 0: all controllers, but no pod runs", &o.nodes},
      {"--state-dir", "DIR", "Where the cluster keeps its state (default: $XDG_STATE_HOME/kubelan/NAME)", &o.state_dir},
      {"--ephemeral", "", "Keep objects in memory only", &o.ephemeral},
      {"--api-port", "PORT", "Port of the API on 127.0.0.1; 0: the last one, or any that is free (default)", &o.api_port},
      {"-f,--file", "FILE", "Apply a manifest (file, folder or - for standard input); may be repeated", &o.files},
      {"--publish", "[IP:]PORT:TARGET[/udp]", "Make a service of the cluster reachable on this machine's 127.0.0.1 (see 'kubelan publish --help'); may be repeated", &o.publish},
      {"--api-only", "", "The API server alone, as envtest has it: no nodes, network, scheduler or controllers; needs no namespaces", &o.api_only},
      {"--no-ingress", "", "Leave out the ingress controller: no classes nginx and kubelan, nothing in namespace ingress-nginx", &o.no_ingress},
      {"--balancing", "HOW", "How Services choose among pods: round-robin (default) or random", &o.balancing},
      {"--ip-family", "FAMILY", "Addresses of nodes, pods and services: ipv4 (default), ipv6 or dual; stays as the cluster was made", &o.ip_family},
      {"--log-level", "LEVEL", "Of the daemon's log: debug, info (default), warn or error", &o.log_level},
      {"--timeout", "SECONDS", "How long to wait for what -f applied (default 60)", &o.timeout_seconds},
  };
}

base::Result<LaunchOptions> make_launch_options(const UpOptions& o) {
  auto invalid = [](const std::string& what) { return base::Error(base::Code::kInvalid, what); };
  LaunchOptions launch;
  ClusterOptions& c = launch.cluster;
  c.name = o.name;
  TRY_STATUS(check_cluster_name(c.name));
  if (o.nodes < 0 || o.nodes > kMaxNodes) return invalid("--nodes " + std::to_string(o.nodes) + ": use 0 to " + std::to_string(kMaxNodes));
  if (o.api_port < 0 || o.api_port > 65535) return invalid("--api-port " + std::to_string(o.api_port) + ": use 0 to 65535");
  if (o.balancing != "round-robin" && o.balancing != "random") return invalid("--balancing \"" + o.balancing + "\": use round-robin or random");
  if (!o.ip_family.empty() && o.ip_family != "ipv4" && o.ip_family != "ipv6" && o.ip_family != "dual") return invalid("--ip-family \"" + o.ip_family + "\": use ipv4, ipv6 or dual");
  if (o.timeout_seconds < 1) return invalid("--timeout " + std::to_string(o.timeout_seconds) + ": use at least 1 second");
  const std::vector<std::string> levels = {"debug", "info", "warn", "error"};
  if (std::find(levels.begin(), levels.end(), o.log_level) == levels.end()) return invalid("--log-level \"" + o.log_level + "\": use debug, info, warn or error");
  if (o.api_only && !o.publish.empty()) return invalid("--publish: there is nothing to reach with --api-only");
  c.api_only = o.api_only;
  c.nodes = o.api_only ? 0 : o.nodes;
  c.state_dir = TRY(state_dir_for(c.name, o.state_dir));
  c.ephemeral = o.ephemeral;
  c.api_port = static_cast<uint16_t>(o.api_port);
  c.random_balancing = o.balancing == "random";
  c.log_level = o.log_level;
  c.ip_family = o.ip_family;
  c.ingress = !o.no_ingress && !o.api_only;
  for (const std::string& text : o.publish) c.publish.push_back(TRY(publish::parse_spec(text)));
  return launch;
}

namespace {

bool is_manifest(const fs::path& path) { return path.extension() == ".yaml" || path.extension() == ".yml" || path.extension() == ".json"; }

base::Result<std::vector<std::string>> expand(const std::string& file) {
  std::error_code error;
  if (!fs::is_directory(file, error)) return std::vector<std::string>{file};
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(file, error)) {
    if (is_manifest(entry.path())) out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  if (out.empty()) return base::Error(base::Code::kInvalid, "-f " + file + ": no .yaml, .yml or .json file in this folder");
  return out;
}

}  // namespace

base::Result<std::vector<Manifest>> read_manifests(const std::vector<std::string>& files) {
  std::vector<Manifest> out;
  for (const std::string& given : files) {
    if (given == "-") {
      out.push_back({"standard input", std::string(std::istreambuf_iterator<char>(std::cin), {})});
      continue;
    }
    for (const std::string& file : TRY(expand(given))) {
      base::Result<std::string> text = base::read_file(file);
      if (!text.ok()) return base::Error(base::Code::kInvalid, "-f " + text.error().message);
      out.push_back({file, std::move(text).value()});
    }
  }
  return out;
}

base::Status apply_manifests(const std::string& name, const std::string& state_dir, const std::vector<Manifest>& manifests, std::FILE* out) {
  for (const Manifest& manifest : manifests) {
    json request = {{"op", "apply"}, {"source", manifest.source}, {"manifest", manifest.text}};
    json body = TRY(ask(name, state_dir, request));
    if (out == nullptr) continue;
    for (const json& line : store::get_array(body, "lines")) std::fprintf(out, "%s\n", line.get<std::string>().c_str());
  }
  return {};
}

}  // namespace server
