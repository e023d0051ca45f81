#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "server/app/pki_store.h"
#include "server/app/state_dir.h"
#include "server/cli/control_client.h"
#include "server/cli/kubeconfig_file.h"
#include "server/cli/published_table.h"
#include "server/cli/up_options.h"
#include "server/cli/verb.h"
#include "store/base/fd.h"
#include "store/object/access.h"

namespace server {
namespace {

struct Up {
  UpOptions options;
  bool foreground = false;
  int ready_fd = -1;
};

// Tells `down` which kubeconfig to clean.
base::Status remember_kubeconfig(const std::string& state_dir, const std::string& path) { return base::write_file_atomic(state_dir + "/kubeconfig-path", path, 0600); }

void print_summary(const ClusterOptions& c, const Launched& launched, const std::string& kubeconfig, std::chrono::milliseconds took) {
  std::string context = context_name(c.name);
  std::string flag = c.name == "default" ? "" : " --name " + c.name;
  const std::string what = c.api_only ? "the API alone" : std::to_string(c.nodes) + (c.nodes == 1 ? " node" : " nodes");
  std::printf("Cluster \"%s\" is up in %lld ms: %s, API on https://127.0.0.1:%u\n", c.name.c_str(), static_cast<long long>(took.count()), what.c_str(), launched.api_port);
  std::printf("Context \"%s\" is now current in %s\n", context.c_str(), kubeconfig.c_str());
  if (c.api_only) return;
  std::printf("\n  kubectl get nodes                              any kubectl, helm or client-go\n");
  std::printf("  kubelan enter%s node/node-1 -- nft list ruleset   look inside; 'client' and 'pod/NAME' work too\n", flag.c_str());
  std::printf("  kubelan down%s                                   end it, and leave nothing behind\n", flag.c_str());
}

// Also those that were published before; a port of 0 has its number by now.
base::Result<json> published_ports(const ClusterOptions& c) {
  json body = TRY(ask(c.name, c.state_dir, {{"op", "publish"}, {"action", "list"}}));
  return store::get_array(body, "ports");
}

base::Status print_published(const ClusterOptions& c) {
  const json status = TRY(ask(c.name, c.state_dir, {{"op", "status"}}));
  const json& ports = store::get_array(status, "published");
  if (!ports.empty()) std::printf("\n");
  if (const std::string line = ingress_line(status); !line.empty()) std::printf("Ingress   %s\n", line.c_str());
  for (const json& port : ports) {
    if (!is_ingress_port(port)) std::printf("Published %s\n", published_line(port).c_str());
  }
  return {};
}

base::Status tell_ready(int fd, const ClusterOptions& c, const Launched& launched, const std::string& kubeconfig) {
  json line = {{"name", c.name}, {"context", context_name(c.name)}, {"server", "https://127.0.0.1:" + std::to_string(launched.api_port)}, {"kubeconfig", kubeconfig}};
  line["published"] = TRY(published_ports(c));
  std::string text = line.dump() + "\n";
  base::Status written = base::write_all(fd, text.data(), text.size());
  if (!written.ok()) return std::move(written).error().context("--ready-fd " + std::to_string(fd));
  ::close(fd);
  return {};
}

volatile sig_atomic_t g_keeper = 0;
volatile sig_atomic_t g_asked_to_end = 0;
void end_keeper(int) {
  g_asked_to_end = 1;
  if (g_keeper > 0) ::kill(static_cast<pid_t>(g_keeper), SIGTERM);
}

// Before the cluster is started, so that a signal that comes early is not lost: it ends the cluster once it stands.
void catch_signals() {
  struct sigaction action {};
  action.sa_handler = end_keeper;
  action.sa_flags = SA_RESTART;
  for (int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
}

int wait_in_foreground(pid_t keeper) {
  g_keeper = keeper;
  if (g_asked_to_end != 0) ::kill(keeper, SIGTERM);
  int status = 0;
  while (::waitpid(keeper, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

// Something failed after the cluster stood: end it again, so that a failed `up` leaves nothing running.
base::Error undo(const ClusterOptions& c, base::Error error) {
  base::ignore(ask(c.name, c.state_dir, {{"op", "down"}}), "it may have ended by itself");
  wait_until_stopped(c.state_dir, 15);
  return error;
}

base::Status finish_start(const Up& up, const ClusterOptions& c, const Launched& launched, const std::string& path, const std::vector<Manifest>& manifests) {
  TRY_STATUS(merge_kubeconfig(path, launched.kubeconfig));
  TRY_STATUS(remember_kubeconfig(c.state_dir, path));
  TRY_STATUS(apply_manifests(c.name, c.state_dir, manifests, stdout));
  if (up.ready_fd >= 0) TRY_STATUS(tell_ready(up.ready_fd, c, launched, path));
  return {};
}

base::Result<int> run_up(Up& up) {
  auto begin = std::chrono::steady_clock::now();
  if (up.options.name.empty()) up.options.name = "default";
  LaunchOptions launch_options = TRY(make_launch_options(up.options));
  std::vector<Manifest> manifests = TRY(read_manifests(up.options.files));
  std::string path = TRY(kubeconfig_path(up.options.kubeconfig));
  launch_options.log_to_stderr = up.foreground;
  launch_options.tie_to_caller = up.foreground;
  ClusterOptions c = launch_options.cluster;
  if (up.foreground) catch_signals();
  Launched launched = TRY(launch(std::move(launch_options)));
  auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  base::Status finished = finish_start(up, c, launched, path, manifests);
  if (!finished.ok()) {
    base::ignore(remove_from_kubeconfig(path, context_name(c.name)), "the first error is the one to tell");
    return undo(c, std::move(finished).error());
  }
  print_summary(c, launched, path, took);
  base::ignore(print_published(c), "the cluster is up all the same");
  std::fflush(stdout);
  if (!up.foreground) return 0;
  int code = wait_in_foreground(launched.keeper);
  TRY_STATUS(remove_from_kubeconfig(path, context_name(c.name)));
  return code;
}

}  // namespace

Verb up_verb() {
  auto up = std::make_shared<Up>();
  Verb verb;
  verb.name = "up";
  verb.summary = "Start a cluster; returns when API, DNS and nodes are ready";
  verb.example = "kubelan up --nodes 2 -f app.yaml";
  verb.flags = up_flags(up->options);
  verb.flags.push_back({"--kubeconfig", "FILE", "Kubeconfig to add the context to (default: $KUBECONFIG, else ~/.kube/config)", &up->options.kubeconfig});
  verb.flags.push_back({"--foreground", "", "Stay, log to stderr, and end the cluster on Ctrl-C", &up->foreground});
  verb.flags.push_back({"--ready-fd", "FD", "Write a line of JSON to this descriptor when ready", &up->ready_fd});
  verb.run = [up](const std::vector<std::string>&) { return run_up(*up); };
  verb.storage = up;
  return verb;
}

}  // namespace server
