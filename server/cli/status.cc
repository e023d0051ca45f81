#include <cstdio>
#include <nlohmann/json.hpp>

#include "server/app/state_dir.h"
#include "server/cli/control_client.h"
#include "server/cli/published_table.h"
#include "server/cli/verb.h"
#include "store/object/access.h"

namespace server {
namespace {

struct StatusOptions {
  std::string name = "default";
  std::string state_dir;
  std::string output;
};

void print_status(const json& body) {
  auto text = [&](const char* path) { return store::get_string(body, path); };
  std::printf("Cluster:   %s (up %lld s, %s)\n", text("name").c_str(), static_cast<long long>(store::get_int(body, "uptimeSeconds")), store::get_bool(body, "ephemeral") ? "objects in memory" : "objects on disk");
  std::printf("API:       %s, context %s\n", text("server").c_str(), text("context").c_str());
  std::printf("State:     %s\n", text("stateDir").c_str());
  const bool api_only = store::get_bool(body, "apiOnly");
  if (!api_only) std::printf("DNS:       %s\n", text("dns").c_str());
  std::printf("Objects:   %lld pods, %lld services\n", static_cast<long long>(store::get_int(body, "pods")), static_cast<long long>(store::get_int(body, "services")));
  for (const json& node : store::get_array(body, "nodes")) {
    std::printf("Node:      %s at %s, pods %s\n", store::get_string(node, "name").c_str(), store::get_string(node, "address").c_str(), store::get_string(node, "podCIDR").c_str());
  }
  if (const std::string line = ingress_line(body); !line.empty()) std::printf("Ingress:   %s\n", line.c_str());
  for (const json& port : store::get_array(body, "published")) {
    if (!is_ingress_port(port)) std::printf("Published: %s\n", published_line(port).c_str());
  }
  if (!api_only) std::printf("Client:    %s ('kubelan enter client -- CMD')\n", text("client").c_str());
}

base::Result<int> run_status(const StatusOptions& o) {
  if (!o.output.empty() && o.output != "json") return base::Error(base::Code::kInvalid, "-o \"" + o.output + "\": only json is known");
  TRY_STATUS(check_cluster_name(o.name));
  std::string dir = TRY(state_dir_for(o.name, o.state_dir));
  json body = TRY(ask(o.name, dir, {{"op", "status"}}));
  body.erase("ok");
  if (o.output == "json") std::printf("%s\n", body.dump(2).c_str());
  else print_status(body);
  return 0;
}

}  // namespace

Verb status_verb() {
  auto o = std::make_shared<StatusOptions>();
  Verb verb;
  verb.name = "status";
  verb.summary = "Show a cluster's addresses and state; exit code 1 when it is not up";
  verb.example = "kubelan status -o json";
  verb.flags = {
      {"--name", "NAME", "Name of the cluster (default \"default\")", &o->name},
      {"--state-dir", "DIR", "Its state folder, if it was started with one", &o->state_dir},
      {"-o,--output", "json", "Print JSON", &o->output},
  };
  verb.run = [o](const std::vector<std::string>&) { return run_status(*o); };
  verb.storage = o;
  return verb;
}

}  // namespace server
