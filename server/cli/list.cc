#include <cstdio>
#include <nlohmann/json.hpp>

#include "server/app/pki_store.h"
#include "server/app/state_dir.h"
#include "server/cli/control_client.h"
#include "server/cli/verb.h"
#include "store/base/fd.h"
#include "store/object/access.h"

namespace server {
namespace {

struct List {
  std::string output;
};

json describe(const std::string& name, const std::string& root) {
  std::string dir = root + "/" + name;
  json row = {{"name", name}, {"context", context_name(name)}, {"stateDir", dir}, {"status", is_running(dir) ? "Running" : "Stopped"}};
  base::Result<std::string> text = base::read_file(dir + "/info.json");
  json info = text.ok() ? json::parse(*text, nullptr, false) : json();
  if (row["status"] == "Running" && info.is_object()) {
    row["server"] = "https://127.0.0.1:" + std::to_string(store::get_int(info, "apiPort"));
    row["nodes"] = store::get_int(info, "nodes");
  }
  return row;
}

base::Result<int> run_list(const List& list) {
  if (!list.output.empty() && list.output != "json") return base::Error(base::Code::kInvalid, "-o \"" + list.output + "\": only json is known");
  std::string root = TRY(state_root());
  json rows = json::array();
  for (const std::string& name : known_clusters()) rows.push_back(describe(name, root));
  if (list.output == "json") {
    std::printf("%s\n", rows.dump(2).c_str());
    return 0;
  }
  if (rows.empty()) {
    std::fprintf(stderr, "No clusters. Start one with 'kubelan up'.\n");
    return 0;
  }
  std::printf("%-20s %-8s %-6s %-24s %s\n", "NAME", "STATUS", "NODES", "CONTEXT", "SERVER");
  for (const json& row : rows) {
    int64_t nodes = store::get_int(row, "nodes");
    std::printf("%-20s %-8s %-6s %-24s %s\n", store::get_string(row, "name").c_str(), store::get_string(row, "status").c_str(), nodes > 0 ? std::to_string(nodes).c_str() : "-",
                store::get_string(row, "context").c_str(), store::get_string(row, "server", "-").c_str());
  }
  return 0;
}

}  // namespace

Verb list_verb() {
  auto list = std::make_shared<List>();
  Verb verb;
  verb.name = "list";
  verb.summary = "List this user's clusters";
  verb.example = "kubelan list -o json";
  verb.flags = {{"-o,--output", "json", "Print JSON", &list->output}};
  verb.run = [list](const std::vector<std::string>&) { return run_list(*list); };
  verb.storage = list;
  return verb;
}

}  // namespace server
