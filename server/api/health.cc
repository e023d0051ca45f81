#include "server/api/health.h"

#include <string_view>

#include "server/api/status.h"

namespace server {
namespace {

struct Check {
  std::string_view name;
  bool passed;
};

// All checks of a page: in words only when asked for, or when one has failed.
HttpResponse answer_page(const HttpRequest& request, const std::string& page, const std::vector<Check>& checks) {
  std::vector<std::string> excluded;
  for (const auto& [name, value] : request.query) {
    if (name == "exclude") excluded.push_back(value);
  }
  std::string text;
  bool failed = false;
  for (const Check& check : checks) {
    const std::string name(check.name);
    const bool left_out = std::erase(excluded, name) > 0;
    failed = failed || (!left_out && !check.passed);
    text += left_out ? "[+]" + name + " excluded: ok\n" : check.passed ? "[+]" + name + " ok\n" : "[-]" + name + " failed: reason withheld\n";
  }
  std::string unknown;
  for (const std::string& name : excluded) unknown += (unknown.empty() ? "\"" : ",\"") + name + "\"";
  if (!unknown.empty()) text += "warn: some health checks cannot be excluded: no matches for " + unknown + "\n";
  if (failed) return plain_response(500, text + page + " check failed\n");
  return plain_response(200, request.param("verbose") ? text + page + " check passed\n" : "ok");
}

}  // namespace

std::optional<HttpResponse> answer_health(const HttpRequest& request, bool ready) {
  for (const char* page : {"healthz", "livez", "readyz"}) {
    const std::string root = std::string("/") + page;
    if (!request.path.starts_with(root)) continue;
    // Alive is who answers at all. The store is within: it is there whenever somebody can ask.
    std::vector<Check> checks = {{"ping", true}, {"log", true}, {"etcd", true}};
    if (root != "/livez") checks.push_back({"kubelan", ready});
    const std::string rest = request.path.substr(root.size());
    if (rest.empty() || rest == "/") return answer_page(request, page, checks);
    for (const Check& check : checks) {
      if (rest != "/" + std::string(check.name)) continue;
      return check.passed ? plain_response(200, "ok") : plain_response(500, "internal server error: not ready\n");
    }
  }
  return std::nullopt;
}

}  // namespace server
