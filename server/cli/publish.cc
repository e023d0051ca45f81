#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "server/app/state_dir.h"
#include "server/cli/control_client.h"
#include "server/cli/published_table.h"
#include "server/cli/verb.h"
#include "store/object/access.h"

namespace server {
namespace {

struct Publish {
  std::string name;
  std::string state_dir;
  std::string output;
  std::string action;
  std::vector<std::string> ports;
};

constexpr char kPublishHelp[] =
    R"(A published port is a socket on this machine's 127.0.0.1 that leads into the cluster. It stays until it is
removed, over 'kubelan down --keep-state' and 'up' too, and follows its Service as that is deleted and made again.

  kubelan publish add [HOST-IP:]HOSTPORT:TARGET[/udp]...     HOSTPORT 0: any that is free
  kubelan publish remove [HOST-IP:]HOSTPORT[/udp]...
  kubelan publish list [-o json]

TARGET is one of
  svc/[NAMESPACE/]NAME:PORT    a Service, by its cluster IP; PORT is its number or name
  lb/[NAMESPACE/]NAME:PORT     a Service, by its load balancer's address
  30080, node-1:30080          a node port, on the first node or the one named
  10.96.0.7:80                 any address inside the cluster
  NAME:PORT                    the node of that name, else the Service in the namespace "default"

HOST-IP is 127.0.0.1 unless given: another of 127.0.0.0/8, or [::1].
)";

base::Status check(const Publish& p) {
  if (p.action != "add" && p.action != "remove" && p.action != "list") return base::Error(base::Code::kInvalid, "publish \"" + p.action + "\": use add, remove or list");
  if (!p.output.empty() && p.output != "json") return base::Error(base::Code::kInvalid, "-o \"" + p.output + "\": only json is known");
  if (p.action == "list" && !p.ports.empty()) return base::Error(base::Code::kInvalid, "publish list takes no ports");
  if (p.action == "add" && p.ports.empty()) return base::Error(base::Code::kInvalid, "publish add: say what, as in 'kubelan publish add 8080:svc/web:80'");
  if (p.action == "remove" && p.ports.empty()) return base::Error(base::Code::kInvalid, "publish remove: say which, as in 'kubelan publish remove 8080'");
  return {};
}

base::Result<int> run_publish(Publish& p) {
  TRY_STATUS(check(p));
  const ClusterChoice cluster = TRY(choose_cluster(p.name, p.state_dir));
  json body = TRY(ask(cluster.name, cluster.state_dir, {{"op", "publish"}, {"action", p.action}, {"ports", p.ports}}));
  const json& ports = store::get_array(body, "ports");
  if (p.output == "json") {
    std::printf("%s\n", ports.dump(2).c_str());
    return 0;
  }
  if (p.action == "list") print_published_table(ports);
  for (const json& port : ports) {
    if (p.action == "add") std::printf("%s\n", published_line(port).c_str());
    if (p.action == "remove") std::printf("%s is no longer published\n", published_host(port).c_str());
  }
  return 0;
}

}  // namespace

Verb publish_verb() {
  auto p = std::make_shared<Publish>();
  Verb verb;
  verb.name = "publish";
  verb.summary = "Make services of the cluster reachable on this machine's 127.0.0.1: add, remove or list";
  verb.details = kPublishHelp;
  verb.example = "kubelan publish add 8080:svc/web:http 0:node-1:30080 5353:svc/kube-system/kube-dns:53/udp";
  verb.flags = {
      {"--name", "NAME", "Name of the cluster (default \"default\")", &p->name},
      {"--state-dir", "DIR", "Its state folder, if it was started with one", &p->state_dir},
      {"-o,--output", "json", "Print JSON", &p->output},
  };
  verb.positional = "add, remove or list";
  verb.positional_name = "ACTION";
  verb.positional_target = &p->action;
  verb.words = "What to publish, or which ports to remove";
  verb.words_name = "PORT";
  verb.words_target = &p->ports;
  verb.run = [p](const std::vector<std::string>&) { return run_publish(*p); };
  verb.storage = p;
  return verb;
}

}  // namespace server
