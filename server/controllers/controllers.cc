#include "server/controllers/controllers.h"

#include "server/controllers/aggregated_role.h"
#include "server/controllers/autoscaler.h"
#include "server/controllers/certificate.h"
#include "server/controllers/claim.h"
#include "server/controllers/cron_job.h"
#include "server/controllers/daemon_set.h"
#include "server/controllers/deployment.h"
#include "server/controllers/disruption.h"
#include "server/controllers/endpoint_slice.h"
#include "server/controllers/endpoint_slice_mirroring.h"
#include "server/controllers/garbage_collector.h"
#include "server/controllers/job.h"
#include "server/controllers/load_balancer.h"
#include "server/controllers/namespace.h"
#include "server/controllers/replica_set.h"
#include "server/controllers/service_account.h"
#include "server/controllers/stateful_set.h"
#include "server/controllers/token_secret.h"
#include "server/informer/pod_index.h"

namespace server {
namespace {

// Owns the index that several controllers read.
class SharedPods final : public Controller {
 public:
  explicit SharedPods(ControlLoop& loop) : pods(loop) {}
  PodIndex pods;
};

}  // namespace

std::vector<std::unique_ptr<Controller>> make_controllers(ControlLoop& loop, const ControllerOptions& options) {
  std::vector<std::unique_ptr<Controller>> out;
  auto shared = std::make_unique<SharedPods>(loop);
  PodIndex& pods = shared->pods;
  out.push_back(std::move(shared));
  out.push_back(make_service_account_controller(loop, options.root_ca_pem));
  out.push_back(make_token_secret_controller(loop, options.root_ca_pem));
  out.push_back(make_aggregated_role_controller(loop));
  if (!options.root_ca_key_pem.empty()) out.push_back(make_certificate_controller(loop, options.root_ca_pem, options.root_ca_key_pem));
  out.push_back(make_load_balancer_controller(loop, options.load_balancer_pools));
  out.push_back(make_claim_controller(loop));
  out.push_back(make_deployment_controller(loop, pods));
  out.push_back(make_replica_set_controller(loop, pods));
  out.push_back(make_replication_controller_controller(loop, pods));
  out.push_back(make_stateful_set_controller(loop, pods));
  out.push_back(make_daemon_set_controller(loop, pods));
  out.push_back(make_cron_job_controller(loop));
  out.push_back(make_job_controller(loop, pods));
  out.push_back(make_disruption_controller(loop, pods));
  out.push_back(make_autoscaler_controller(loop));
  out.push_back(make_endpoint_slice_controller(loop));
  out.push_back(make_endpoint_slice_mirroring_controller(loop));
  out.push_back(make_namespace_controller(loop));
  out.push_back(make_garbage_collector(loop));
  return out;
}

}  // namespace server
