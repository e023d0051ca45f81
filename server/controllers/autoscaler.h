// server/controllers/autoscaler.h - HorizontalPodAutoscalers of a cluster without metrics: the bounds are kept, and the
// status says why nothing else can be done, in upstream's words. The decision is pure.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "server/controllers/controllers.h"

namespace server {

using json = nlohmann::json;

struct AutoscalerPlan {
  json status;
  std::optional<int64_t> scale_to;
  struct Event {
    bool warning;
    std::string reason, message;
  };
  std::vector<Event> events;
};
// `target` is what is scaled; nullptr: it cannot be, and `problem` says why.
AutoscalerPlan plan_autoscaler(const store::Object& autoscaler, const json* target, const std::string& problem, base::WallTime now);

std::unique_ptr<Controller> make_autoscaler_controller(ControlLoop& loop);

}  // namespace server
