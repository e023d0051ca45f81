#include "server/api/metrics_page.h"

#include <nlohmann/json.hpp>

#include "kubectl-compat/discovery/discovery.h"
#include "server/api/status.h"
#include "store/base/exposition.h"
#include "store/base/process_figures.h"

namespace server {

std::optional<HttpResponse> answer_metrics(const HttpRequest& request, const Core& core) {
  if (request.path != "/metrics" || (request.method != "GET" && request.method != "HEAD")) return std::nullopt;
  base::Exposition out;
  core.metrics.add_to(out);
  out.one("apiserver_longrunning_requests", "gauge", "Watches that are open now.", base::metric_label("component", "apiserver") + "," + base::metric_label("verb", "WATCH"),
          static_cast<uint64_t>(core.watches.count()));
  out.one("apiserver_storage_revision", "gauge", "The newest resourceVersion.", "", static_cast<uint64_t>(core.store.revision()));
  out.one("kubernetes_build_info", "gauge", "What runs here; always 1.", base::metric_label("git_version", compat::version_info()["gitVersion"].get<std::string>()), uint64_t{1});
  base::add_process(out, base::read_process_figures(core.started));
  HttpResponse page = plain_response(200, out.take());
  page.content_type = base::kExpositionType;
  return page;
}

}  // namespace server
