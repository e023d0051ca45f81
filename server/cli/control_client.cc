#include "server/cli/control_client.h"

#include <stdlib.h>

#include <nlohmann/json.hpp>

#include "server/app/control_protocol.h"
#include "server/app/state_dir.h"
#include "store/object/access.h"

namespace server {

base::Result<json> ask(const std::string& name, const std::string& state_dir, const json& request, netns::Place* place) {
  base::Result<base::Fd> socket = connect_unix(state_dir, "control.sock");
  if (!socket.ok()) {
    if (is_running(state_dir)) return std::move(socket).error().context("cluster \"" + name + "\" is starting or ending");
    return base::Error(base::Code::kNotFound, "cluster \"" + name + "\" is not up: run 'kubelan up" + (name == "default" ? "" : " --name " + name) + "', or see 'kubelan list'");
  }
  TRY_STATUS(send_message(socket->get(), request));
  std::vector<base::Fd> fds;
  json body = TRY(receive_message(socket->get(), &fds));
  if (!store::get_bool(body, "ok")) return base::Error(base::Code::kInternal, store::get_string(body, "error", "the daemon gave no reason"));
  if (place == nullptr) return body;
  size_t next = 0;
  for (char letter : store::get_string(body, "have")) {
    if (next >= fds.size()) return base::Error(base::Code::kInternal, "the daemon sent fewer namespaces than it named");
    base::Fd& fd = fds[next++];
    if (letter == 'u') place->user = std::move(fd);
    if (letter == 'm') place->mnt = std::move(fd);
    if (letter == 'p') place->pid = std::move(fd);
    if (letter == 'n') place->net = std::move(fd);
    if (letter == 't') place->uts = std::move(fd);
    if (letter == 'i') place->ipc = std::move(fd);
  }
  return body;
}

base::Result<ClusterChoice> choose_cluster(const std::string& name, const std::string& state_dir) {
  auto from_environment = [](const char* variable) -> std::string {
    const char* value = ::getenv(variable);
    return value == nullptr ? "" : value;
  };
  const std::string outer = from_environment("KUBELAN_NAME");
  ClusterChoice choice{name, state_dir};
  if (choice.name.empty()) choice.name = outer.empty() ? "default" : outer;
  TRY_STATUS(check_cluster_name(choice.name));
  if (choice.state_dir.empty() && choice.name == outer) choice.state_dir = from_environment("KUBELAN_STATE_DIR");
  choice.state_dir = TRY(state_dir_for(choice.name, choice.state_dir));
  return choice;
}

}  // namespace server
