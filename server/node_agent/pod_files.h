// server/node_agent/pod_files.h - the files a pod gets: resolv.conf, hosts, hostname, and those of its volumes.
// compile_* is pure; write_files is the thin edge. Any thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "server/node_agent/environment.h"
#include "server/node_agent/pod_spec.h"
#include "store/base/ip.h"
#include "store/base/result.h"

namespace server {

struct DnsSettings {
  std::string server;         // 10.96.0.10
  std::string domain;         // cluster.local
  std::string host_resolv;    // The host's /etc/resolv.conf, for dnsPolicy Default.
};
std::string compile_resolv_conf(const PodSpecView& pod, const DnsSettings& dns);
std::string compile_hosts(const PodSpecView& pod, const std::string& pod_ip, const std::string& domain, const std::vector<base::Ip>& more_ips = {});

struct PodFile {
  std::string path;           // Relative to the volume.
  std::string content;
  unsigned mode = 0644;
};
struct VolumePlan {
  enum class Kind { kFiles, kEmpty, kHostPath, kClaim };
  std::string name;
  Kind kind = Kind::kFiles;
  std::vector<PodFile> files;
  std::string host_path;
  std::string claim;          // Its uid.
  uint64_t size_limit = 0;
};
// kInvalid worded as the kubelet's MountVolume failures when something it needs is missing, or for a kind of
// volume that does not exist here.
base::Result<std::vector<VolumePlan>> compile_volumes(const PodSpecView& pod, const Lookups& lookups);

// Writes a plan's files below `dir`, each in one step, and removes files that are no longer in it.
base::Status write_files(const std::string& dir, const std::vector<PodFile>& files);

}  // namespace server
