// libFuzzer: line 1 a live object, each further line a configuration applied by another manager, or (with "update":true)
// an update. Ownership must stay readable, and applying the same again must change nothing.
#include <cstdint>
#include <cstdlib>

#include "kubectl-compat/patch/patch.h"
#include "tests/fuzz/json_input.h"

namespace {

using nlohmann::json;

json one_object(json tree, const store::Resource& resource) {
  if (!tree.is_object()) tree = json::object();
  tree["apiVersion"] = resource.api_version();
  tree["kind"] = resource.kind;
  if (!tree.contains("metadata") || !tree["metadata"].is_object()) tree["metadata"] = json::object();
  tree["metadata"]["name"] = "x";
  return tree;
}

// As it is when it is stored.
json whole_object(json tree, const store::Resource& resource) {
  tree = one_object(std::move(tree), resource);
  store::apply_defaults(tree, *resource.type);
  return tree;
}

void scene(std::vector<json> lines, const store::Resource& resource) {
  json live = whole_object(lines[0], resource);
  live = compat::track_update(nullptr, live, resource, {"first", resource.api_version(), ""}, base::WallTime());
  for (size_t i = 1; i < lines.size() && i < 8; ++i) {
    bool update = lines[i].is_object() && lines[i].contains("update");
    if (update) lines[i].erase("update");
    json config = update ? whole_object(lines[i], resource) : one_object(lines[i], resource);
    compat::Manager manager{i % 2 == 0 ? "kubectl" : "m", resource.api_version(), ""};
    if (update) {
      live = compat::track_update(live, config, resource, manager, base::WallTime());
      if (compat::track_update(live, live, resource, manager, base::WallTime()) != live) abort();
      continue;
    }
    compat::ApplyOptions options{manager, i % 3 != 0, base::WallTime()};
    auto applied = compat::apply_server_side(live, config, resource, options);
    if (!applied.ok()) {
      if (applied.error().message.empty()) abort();
      continue;
    }
    live = *applied;
    auto again = compat::apply_server_side(live, config, resource, options);
    if (!again.ok()) abort();
    if (config.dump().find("null") == std::string::npos && *again != live) abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto lines = fuzz::json_lines({reinterpret_cast<const char*>(data), size});
  if (lines.empty()) return 0;
  scene(lines, *store::builtin_registry().find_kind("v1", "Pod"));
  scene(lines, *store::builtin_registry().find_kind("v1", "Service"));
  scene(lines, *store::builtin_registry().find_kind("apps/v1", "Deployment"));
  return 0;
}
