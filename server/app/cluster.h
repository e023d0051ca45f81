// server/app/cluster.h - one running cluster: builds every part, in order, and ends them in reverse. It has no
// behaviour of its own; nobody includes it but the daemon.
//
// Thread rule: start() and the destructor on the daemon's main thread; the rest from any thread.
#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "netns/ns/namespace.h"
#include "netns/process/spawner.h"
#include "server/app/options.h"
#include "server/publish/publisher.h"
#include "store/base/fd.h"
#include "store/base/result.h"

namespace server {

using json = nlohmann::json;

class Cluster {
 public:
  struct Inputs {
    base::Fd api_listener;   // On the host's loopback.
    uint16_t api_port = 0;
    std::unique_ptr<netns::SpawnerProcess> spawner;
    std::unique_ptr<HostPorts> host_ports;
  };
  // Returns when the API answers, every node is Ready, and DNS and the service proxy have the state of the
  // store. Blocks for about a tenth of a second.
  // With options.api_only there is the API and what an API server does by itself, and no spawner among the inputs.
  static base::Result<std::unique_ptr<Cluster>> start(const ClusterOptions& options, Inputs inputs);
  ~Cluster();

  // True: place, verify, explain and publisher() must not be called; settle has nothing to wait for.
  bool api_only() const;
  json status() const;
  // "client", "node/NAME", "pod/NAME", "pod/NS/NAME". kNotFound, kBadRequest.
  base::Result<netns::Place> place(const std::string& target) const;
  // Applies a manifest; lines like "deployment.apps/web created".
  base::Result<std::vector<std::string>> apply(const std::string& text);
  // Waits until all workloads are available, and every node's proxy sends to them. kTimeout naming what is not.
  base::Status settle(std::chrono::seconds timeout);
  // Compares what every node's kernel has of Services with what it should have; a line a difference. kTimeout.
  base::Result<std::vector<std::string>> verify(std::chrono::seconds timeout);
  // Where a request to an Ingress would go; `request` as in control_protocol.h. kInvalid, kUnavailable.
  base::Result<json> explain(const json& request);
  // Ports on the host.
  Publisher& publisher();

 private:
  struct Parts;
  explicit Cluster(std::unique_ptr<Parts> parts);
  base::Status open_api();
  base::Status serve(std::vector<base::Fd> listeners);
  base::Status start_rest(Inputs inputs);
  void keep_ports_soon();
  std::unique_ptr<Parts> parts_;
};

}  // namespace server
