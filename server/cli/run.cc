#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "netns/process/isolate.h"
#include "server/app/state_dir.h"
#include "server/cli/control_client.h"
#include "server/cli/up_options.h"
#include "server/cli/verb.h"
#include "store/base/clock.h"
#include "store/base/fd.h"

extern char** environ;

namespace server {
namespace {

std::vector<std::string> environment(const ClusterOptions& c) {
  std::vector<std::string> out;
  for (char** e = environ; *e != nullptr; ++e) {
    std::string entry = *e;
    if (entry.rfind("KUBECONFIG=", 0) != 0 && entry.rfind("KUBELAN_", 0) != 0) out.push_back(entry);
  }
  out.push_back("KUBECONFIG=" + c.state_dir + "/kubeconfig");
  out.push_back("KUBELAN_NAME=" + c.name);
  out.push_back("KUBELAN_STATE_DIR=" + c.state_dir);
  return out;
}

base::Result<int> run_inside(const UpOptions& o, const ClusterOptions& c, const std::vector<Manifest>& manifests, const std::vector<std::string>& command) {
  TRY_STATUS(apply_manifests(c.name, c.state_dir, manifests, nullptr));
  if (!manifests.empty()) TRY_STATUS(ask(c.name, c.state_dir, {{"op", "settle"}, {"timeoutSeconds", o.timeout_seconds}}));
  return netns::run_command(command, environment(c));
}

base::Result<int> run_run(UpOptions& o, const std::vector<std::string>& command) {
  bool own_dir = o.state_dir.empty();
  if (o.name.empty()) o.name = "run-" + base::make_name_suffix(6);
  std::string temp;
  if (own_dir) {
    const char* base_dir = ::getenv("TMPDIR");
    temp = std::string(base_dir != nullptr && base_dir[0] == '/' ? base_dir : "/tmp") + "/kubelan-run-XXXXXX";
    if (::mkdtemp(temp.data()) == nullptr) return base::os_error("create a folder like " + temp);
    o.state_dir = temp;
    o.ephemeral = true;
  }
  auto body = [&]() -> base::Result<int> {
    LaunchOptions launch_options = TRY(make_launch_options(o));
    std::vector<Manifest> manifests = TRY(read_manifests(o.files));
    launch_options.tie_to_caller = true;
    launch_options.cluster.usual_ingress_ports = false;  // Ports 80 and 443 are for a cluster that stays.
    ClusterOptions c = launch_options.cluster;
    Launched launched = TRY(launch(std::move(launch_options)));
    base::Result<int> code = run_inside(o, c, manifests, command);
    launched.lifetime.reset();  // The keeper ends the cluster now.
    if (!wait_until_stopped(c.state_dir, 30)) return base::Error(base::Code::kTimeout, "the cluster did not end within 30 s");
    if (own_dir) TRY_STATUS(remove_state(c.state_dir, c.name));
    return code;
  };
  base::Result<int> code = body();
  std::error_code error;
  if (own_dir) {
    std::filesystem::remove_all(temp, error);
    base::Result<std::string> root = state_root();
    if (root.ok() && std::filesystem::is_symlink(*root + "/" + o.name, error)) std::filesystem::remove(*root + "/" + o.name, error);
  }
  return code;
}

}  // namespace

Verb run_verb() {
  auto o = std::make_shared<UpOptions>();
  Verb verb;
  verb.name = "run";
  verb.summary = "Run a command beside a throw-away cluster: KUBECONFIG set, exit code passed on, all gone after";
  verb.example = "kubelan run -f examples/nginx -- kubectl get pods -o wide";
  verb.flags = up_flags(*o);
  verb.takes_command = true;
  verb.run = [o](const std::vector<std::string>& command) { return run_run(*o, command); };
  verb.storage = o;
  return verb;
}

}  // namespace server
