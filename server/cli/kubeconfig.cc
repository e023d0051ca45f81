#include <cstdio>
#include <nlohmann/json.hpp>

#include "server/app/state_dir.h"
#include "server/cli/control_client.h"
#include "server/cli/verb.h"
#include "store/base/fd.h"

namespace server {
namespace {

struct KubeconfigOptions {
  std::string name = "default";
  std::string state_dir;
};

base::Result<int> run_kubeconfig(const KubeconfigOptions& o) {
  TRY_STATUS(check_cluster_name(o.name));
  std::string dir = TRY(state_dir_for(o.name, o.state_dir));
  TRY_STATUS(ask(o.name, dir, {{"op", "status"}}));  // Says what to do when it is not up.
  std::string text = TRY(base::read_file(dir + "/kubeconfig"));
  std::fwrite(text.data(), 1, text.size(), stdout);
  return 0;
}

}  // namespace

Verb kubeconfig_verb() {
  auto o = std::make_shared<KubeconfigOptions>();
  Verb verb;
  verb.name = "kubeconfig";
  verb.summary = "Print a stand-alone kubeconfig of a running cluster";
  verb.example = "kubelan kubeconfig > dev.kubeconfig";
  verb.flags = {
      {"--name", "NAME", "Name of the cluster (default \"default\")", &o->name},
      {"--state-dir", "DIR", "Its state folder, if it was started with one", &o->state_dir},
  };
  verb.run = [o](const std::vector<std::string>&) { return run_kubeconfig(*o); };
  verb.storage = o;
  return verb;
}

}  // namespace server
