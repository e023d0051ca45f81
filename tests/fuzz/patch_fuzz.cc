// libFuzzer: line 1 a tree, line 2 a patch. Every patch type must end with a tree or an error.
#include <cstdint>
#include <cstdlib>

#include "kubectl-compat/patch/patch.h"
#include "tests/fuzz/json_input.h"

namespace {

void check_strategic(const nlohmann::json& tree, const nlohmann::json& patch, const char* version, const char* kind) {
  const store::Type& type = *store::builtin_registry().find_kind(version, kind)->type;
  auto merged = compat::apply_strategic_patch(tree, patch, type);
  // Without directives and nulls, a second time adds no field (it may fail: only then are there two lists to match).
  std::string text = patch.dump();
  if (!merged.ok() || text.find('$') != std::string::npos || text.find("null") != std::string::npos) return;
  auto again = compat::apply_strategic_patch(*merged, patch, type);
  if (again.ok() && again->size() != merged->size()) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto lines = fuzz::json_lines({reinterpret_cast<const char*>(data), size});
  if (lines.size() < 2) return 0;
  const nlohmann::json& tree = lines[0];
  const nlohmann::json& patch = lines[1];
  auto patched = compat::apply_json_patch(tree, patch);
  if (!patched.ok() && patched.error().message.empty()) abort();
  nlohmann::json merged = compat::apply_merge_patch(tree, patch);
  if (compat::apply_merge_patch(merged, patch) != merged) abort();
  if (tree.is_object()) {
    check_strategic(tree, patch, "v1", "Pod");
    check_strategic(tree, patch, "apps/v1", "Deployment");
  }
  return 0;
}
