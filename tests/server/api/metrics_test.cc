// /metrics: what is counted, and that nobody can make it grow.
#include "tests/server/api/fixture.h"

namespace server {
namespace {

struct Metrics : ApiTest {
  std::string page() { return call("GET", "/metrics").text; }
  bool has(const std::string& line) { return page().find("\n" + line) != std::string::npos; }
};

std::string labels(const std::string& group, const std::string& resource, const std::string& scope, const std::string& sub, const std::string& verb, const std::string& version, bool dry_run = false) {
  return "component=\"apiserver\",dry_run=\"" + std::string(dry_run ? "All" : "") + "\",group=\"" + group + "\",resource=\"" + resource + "\",scope=\"" + scope +
         "\",subresource=\"" + sub + "\",verb=\"" + verb + "\",version=\"" + version + "\"";
}

TEST_F(Metrics, RequestsAreCountedByKind) {
  const std::string maps = "/api/v1/namespaces/default/configmaps";
  const std::string map = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}})", apply = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}})";
  ASSERT_EQ(call("POST", maps, map).status, 201);
  call("POST", maps, map);
  call("POST", maps + "?dryRun=All", map);
  call("GET", maps + "/a");
  call("GET", maps);
  call("GET", "/api/v1/configmaps");
  call("PATCH", maps + "/b?fieldManager=x", apply, "application/apply-patch+yaml");
  call("PATCH", maps + "/a", "{}", "application/merge-patch+json");
  call("GET", "/apis/apps/v1/namespaces/default/deployments/x/scale");
  call("DELETE", maps);
  call("GET", "/api/v1/namespaces/default/nosuch/x");
  struct Row {
    const char* name;
    std::string code, labels;
    int times;
  };
  for (const Row& row : std::vector<Row>{
           {"create", "201", labels("", "configmaps", "resource", "", "POST", "v1"), 1},
           {"refused", "409", labels("", "configmaps", "resource", "", "POST", "v1"), 1},
           {"dry run", "409", labels("", "configmaps", "resource", "", "POST", "v1", true), 1},
           {"get", "200", labels("", "configmaps", "resource", "", "GET", "v1"), 1},
           {"list of a namespace", "200", labels("", "configmaps", "namespace", "", "LIST", "v1"), 1},
           {"list of all", "200", labels("", "configmaps", "cluster", "", "LIST", "v1"), 1},
           {"apply", "201", labels("", "configmaps", "resource", "", "APPLY", "v1"), 1},
           {"patch", "200", labels("", "configmaps", "resource", "", "PATCH", "v1"), 1},
           {"subresource", "404", labels("apps", "deployments", "resource", "scale", "GET", "v1"), 1},
           {"delete all", "200", labels("", "configmaps", "namespace", "", "DELETECOLLECTION", "v1"), 1},
           {"unknown kinds have no labels of their own", "404", labels("", "", "", "", "GET", ""), 1},
       }) {
    const std::string line = "apiserver_request_total{code=\"" + row.code + "\"," + row.labels + "} " + std::to_string(row.times) + "\n";
    EXPECT_TRUE(has(line)) << row.name << ": " << line << page();
  }
  EXPECT_TRUE(has("apiserver_request_duration_seconds_count{" + labels("", "configmaps", "resource", "", "POST", "v1") + "} 2\n")) << page();
}

TEST_F(Metrics, NamesOfClientsDoNotMakeItGrow) {
  call("GET", "/api/v1/namespaces/default/nosuch0/x");
  const auto lines = [this] {
    const std::string text = page();
    return std::count(text.begin(), text.end(), '\n');
  };
  page();  // Counts itself from the second on.
  const auto before = lines();
  for (int i = 0; i < 50; ++i) {
    call("GET", "/api/v1/namespaces/ns" + std::to_string(i) + "/nosuch" + std::to_string(i));
    call("GET", "/apis/g" + std::to_string(i) + "/v1/x");
    call("GET", "/api/v1/pods/p" + std::to_string(i));
    call("GET", "/x" + std::to_string(i));
  }
  EXPECT_LE(lines(), before + 40);  // At most the kinds {LIST, GET of pods}, once each.
}

TEST_F(Metrics, TheProcessAndTheStoreAreInIt) {
  for (const char* line : {"process_resident_memory_bytes ", "process_open_fds ", "apiserver_storage_revision ", "kubernetes_build_info{git_version=\"v1.", "apiserver_longrunning_requests{"}) {
    EXPECT_TRUE(has(line)) << line << page();
  }
  EXPECT_EQ(call("GET", "/metrics").raw.content_type, "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace
}  // namespace server
