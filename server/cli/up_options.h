// server/cli/up_options.h - the flags that `up` and `run` share, and what both do with them. No thread affinity.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "server/app/daemon.h"
#include "server/cli/verb.h"

namespace server {

struct UpOptions {
  std::string name;           // "" = the verb's default
  int nodes = 3;
  std::string state_dir;
  bool ephemeral = false;
  int api_port = 0;
  std::string kubeconfig;
  std::vector<std::string> files;
  std::vector<std::string> publish;
  bool no_ingress = false;
  bool api_only = false;
  std::string ip_family;                      // Empty: as last time, else ipv4.
  std::string balancing = "round-robin";
  std::string log_level = "info";
  int timeout_seconds = 60;
};

std::vector<Flag> up_flags(UpOptions& options);
// Checks every value; kInvalid names the flag. Fills in name and state folder.
base::Result<LaunchOptions> make_launch_options(const UpOptions& options);
// Reads every -f (a file, a folder's *.yaml, *.yml and *.json in order, or "-") before anything is started.
struct Manifest {
  std::string source;
  std::string text;
};
base::Result<std::vector<Manifest>> read_manifests(const std::vector<std::string>& files);
// Applies them to a running cluster; prints a line an object to `out` when it is not null.
base::Status apply_manifests(const std::string& name, const std::string& state_dir, const std::vector<Manifest>& manifests, std::FILE* out);

}  // namespace server
