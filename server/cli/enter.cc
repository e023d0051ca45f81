#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "netns/ns/namespace.h"
#include "server/app/state_dir.h"
#include "server/cli/control_client.h"
#include "server/cli/verb.h"

extern char** environ;

namespace server {
namespace {

struct Enter {
  std::string name;
  std::string state_dir;
  std::string target;
};

std::string default_cluster() {
  // Set by `kubelan run` for the command it starts.
  const char* name = ::getenv("KUBELAN_NAME");
  return name == nullptr || name[0] == '\0' ? "default" : name;
}

base::Result<int> run_enter(Enter& enter, const std::vector<std::string>& command) {
  if (enter.name.empty()) enter.name = default_cluster();
  TRY_STATUS(check_cluster_name(enter.name));
  const char* given = ::getenv("KUBELAN_STATE_DIR");
  if (enter.state_dir.empty() && given != nullptr && enter.name == default_cluster()) enter.state_dir = given;
  std::string dir = TRY(state_dir_for(enter.name, enter.state_dir));
  netns::Place place;
  TRY_STATUS(ask(enter.name, dir, {{"op", "place"}, {"target", enter.target}}, &place));
  std::vector<std::string> env;
  for (char** e = environ; *e != nullptr; ++e) env.push_back(*e);
  char cwd[4096];
  return netns::run_in_place(place, command, env, ::getcwd(cwd, sizeof cwd) != nullptr ? cwd : "/");
}

}  // namespace

Verb enter_verb() {
  auto enter = std::make_shared<Enter>();
  Verb verb;
  verb.name = "enter";
  verb.summary = "Run a command inside the cluster's network; its exit code is passed on";
  verb.example = "kubelan enter pod/default/web-0 -- curl http://nginx-service";
  verb.flags = {
      {"--name", "NAME", "Name of the cluster (default \"default\")", &enter->name},
      {"--state-dir", "DIR", "Its state folder, if it was started with one", &enter->state_dir},
  };
  verb.positional = "client (a machine outside the cluster), node/NAME or pod/[NAMESPACE/]NAME";
  verb.positional_target = &enter->target;
  verb.takes_command = true;
  verb.run = [enter](const std::vector<std::string>& command) { return run_enter(*enter, command); };
  verb.storage = enter;
  return verb;
}

}  // namespace server
