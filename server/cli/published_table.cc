#include "server/cli/published_table.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server {

std::string published_host(const json& port) {
  const std::string ip = store::get_string(port, "hostIP");
  const std::string shown = ip.find(':') == std::string::npos ? ip : "[" + ip + "]";
  return shown + ":" + std::to_string(store::get_int(port, "hostPort")) + (store::get_string(port, "protocol") == "UDP" ? "/udp" : "");
}

std::string published_line(const json& port) {
  std::string line = published_host(port) + " -> " + store::get_string(port, "target");
  const std::string status = store::get_string(port, "status");
  if (status != "active") line += " (" + status + ": " + store::get_string(port, "reason") + ")";
  return line;
}

std::string ingress_line(const json& status) {
  std::string line;
  for (const char* scheme : {"http", "https"}) {
    const std::string url = store::get_string(status, std::string("ingress.") + scheme);
    if (!url.empty()) line += (line.empty() ? "" : " ") + url;
  }
  return line;
}

bool is_ingress_port(const json& port) { return store::get_string(port, "target").starts_with("svc/ingress-nginx/ingress-nginx-controller:http"); }

void print_published_table(const json& ports) {
  if (ports.empty()) {
    std::fprintf(stderr, "Nothing is published. Try 'kubelan publish add 8080:svc/NAME:PORT'.\n");
    return;
  }
  std::printf("%-22s %-32s %-22s %-6s %s\n", "HOST", "TARGET", "LEADS TO", "OPEN", "STATUS");
  for (const json& port : ports) {
    const std::string reason = store::get_string(port, "reason");
    std::printf("%-22s %-32s %-22s %-6lld %s\n", published_host(port).c_str(), store::get_string(port, "target").c_str(), store::get_string(port, "leadsTo", "-").c_str(),
                static_cast<long long>(store::get_int(port, "connections")), (store::get_string(port, "status") + (reason.empty() ? "" : ": " + reason)).c_str());
  }
}

}  // namespace server
