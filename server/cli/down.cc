#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "server/app/pki_store.h"
#include "server/app/state_dir.h"
#include "server/cli/control_client.h"
#include "server/cli/kubeconfig_file.h"
#include "server/cli/verb.h"
#include "store/base/fd.h"

namespace server {
namespace {

struct Down {
  std::string name = "default";
  std::string state_dir;
  bool all = false;
  bool keep_state = false;
};

base::Status end_daemon(const std::string& name, const std::string& dir) {
  if (!is_running(dir)) return {};
  TRY_STATUS(ask(name, dir, {{"op", "down"}}));
  if (wait_until_stopped(dir, 30)) return {};
  return base::Error(base::Code::kTimeout, "cluster \"" + name + "\" did not end within 30 s; its log is " + dir + "/kubelan.log");
}

base::Status take_down(const std::string& name, const std::string& given_dir, bool keep_state) {
  std::string dir = TRY(state_dir_for(name, given_dir));
  std::error_code error;
  if (!std::filesystem::exists(dir + "/version", error)) return base::Error(base::Code::kNotFound, "no cluster \"" + name + "\" (no state in " + dir + "); see 'kubelan list'");
  dir = std::filesystem::canonical(dir, error).string();  // Through the link of a --state-dir.
  TRY_STATUS(end_daemon(name, dir));
  base::Result<std::string> path = base::read_file(dir + "/kubeconfig-path");
  if (path.ok()) TRY_STATUS(remove_from_kubeconfig(*path, context_name(name)));
  if (!keep_state) TRY_STATUS(remove_state(dir, name));
  std::printf("Cluster \"%s\" is down%s\n", name.c_str(), keep_state ? (", its state is kept in " + dir).c_str() : "");
  return {};
}

base::Result<int> run_down(Down& down) {
  if (!down.all) {
    TRY_STATUS(check_cluster_name(down.name));
    TRY_STATUS(take_down(down.name, down.state_dir, down.keep_state));
    return 0;
  }
  if (!down.state_dir.empty()) return base::Error(base::Code::kInvalid, "--state-dir goes with one cluster, not with --all");
  for (const std::string& name : known_clusters()) TRY_STATUS(take_down(name, "", down.keep_state));
  return 0;
}

}  // namespace

Verb down_verb() {
  auto down = std::make_shared<Down>();
  Verb verb;
  verb.name = "down";
  verb.summary = "End a cluster and remove it";
  verb.example = "kubelan down --all";
  verb.flags = {
      {"--name", "NAME", "Name of the cluster (default \"default\")", &down->name},
      {"--state-dir", "DIR", "Its state folder, if it was started with one", &down->state_dir},
      {"--all", "", "Every cluster of this user", &down->all},
      {"--keep-state", "", "Keep objects and certificates for the next 'up'", &down->keep_state},
  };
  verb.run = [down](const std::vector<std::string>&) { return run_down(*down); };
  verb.storage = down;
  return verb;
}

}  // namespace server
