#include "server/images/toolbox.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace server::images {
namespace {

constexpr const char* kDirectories[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};

struct Tool {
  const char* name;
  const char* package;  // Debian's and Ubuntu's.
  bool in_busybox;
};
constexpr Tool kTools[] = {
    {"busybox", "busybox", false},    {"conntrack", "conntrack", false},        {"curl", "curl", false},
    {"dig", "bind9-dnsutils", false}, {"httpd", "busybox", true},               {"ip", "iproute2", true},
    {"iperf", "iperf", false},        {"iperf3", "iperf3", false},              {"jq", "jq", false},
    {"nc", "netcat-openbsd", false},  {"nslookup", "bind9-dnsutils", true},     {"ping", "iputils-ping", true},
    {"socat", "socat", false},        {"ss", "iproute2", false},                {"tcpdump", "tcpdump", false},
    {"telnet", "inetutils-telnet", true}, {"traceroute", "inetutils-traceroute", true}, {"wget", "wget", true},
};

const Tool* find_tool(const std::string& name) {
  auto it = std::find_if(std::begin(kTools), std::end(kTools), [&](const Tool& each) { return name == each.name; });
  return it == std::end(kTools) ? nullptr : it;
}

}  // namespace

std::string host_program(const std::string& name) {
  for (const char* directory : kDirectories) {
    std::string path = std::string(directory) + "/" + name;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

std::string toolbox_path() {
  std::string out = "PATH=";
  for (const char* directory : kDirectories) out += std::string(directory) + ":";
  return out + kToolDirectory;
}

bool is_tool(const std::string& name) { return find_tool(name) != nullptr; }

std::vector<netns::Mount> toolbox_mounts(const std::string& binary, const std::string& busybox, const std::function<bool(const std::string&)>& has) {
  std::vector<netns::Mount> out;
  for (const Tool& tool : kTools) {
    if (has(tool.name)) continue;
    const std::string& source = tool.in_busybox && !busybox.empty() ? busybox : binary;
    if (!source.empty()) out.push_back({netns::Mount::Kind::kBind, source, std::string(kToolDirectory) + "/" + tool.name, true});
  }
  return out;
}

int tool_main(const std::vector<std::string>& argv) {
  const std::string name = argv[0].substr(argv[0].find_last_of('/') + 1);
  if (name == "nc") return nc_main(argv);
  const Tool* tool = find_tool(name);
  std::fprintf(stderr, "%s: not found: kubelan's toolbox images run the programs of this machine, which has none of that name; install it there (Debian, Ubuntu: apt install %s)\n",
               name.c_str(), tool == nullptr ? name.c_str() : tool->package);
  return 127;
}

}  // namespace server::images
