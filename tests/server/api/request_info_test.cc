#include "server/api/request_info.h"

#include <gtest/gtest.h>

namespace server {
namespace {

TEST(RequestInfo, Table) {
  struct Row {
    const char *method, *path, *query;
    const char *verb, *group, *version, *plural, *ns, *name, *sub;
  };
  const Row rows[] = {
      {"GET", "/api/v1/pods", "", "list", "", "v1", "pods", "", "", ""},
      {"GET", "/api/v1/namespaces/d/pods", "", "list", "", "v1", "pods", "d", "", ""},
      {"GET", "/api/v1/namespaces/d/pods", "watch=true", "watch", "", "v1", "pods", "d", "", ""},
      {"GET", "/api/v1/namespaces/d/pods/p", "watch=1", "get", "", "v1", "pods", "d", "p", ""},
      {"GET", "/api/v1/watch/namespaces/d/pods", "", "watch", "", "v1", "pods", "d", "", ""},
      {"GET", "/api/v1/watch/namespaces/d/pods/p", "", "watch", "", "v1", "pods", "d", "p", ""},
      {"GET", "/apis/apps/v1/watch/deployments", "", "watch", "apps", "v1", "deployments", "", "", ""},
      {"GET", "/api/v1/namespaces/d/pods/p/log", "", "get", "", "v1", "pods", "d", "p", "log"},
      {"GET", "/api/v1/namespaces/d", "", "get", "", "v1", "namespaces", "", "d", ""},
      {"GET", "/api/v1/namespaces/d/status", "", "get", "", "v1", "namespaces", "", "d", "status"},
      {"PUT", "/api/v1/namespaces/d/finalize", "", "update", "", "v1", "namespaces", "", "d", "finalize"},
      {"GET", "/api/v1/namespaces", "", "list", "", "v1", "namespaces", "", "", ""},
      {"POST", "/apis/apps/v1/namespaces/d/deployments", "", "create", "apps", "v1", "deployments", "d", "", ""},
      {"PATCH", "/apis/apps/v1/namespaces/d/deployments/x/scale", "", "patch", "apps", "v1", "deployments", "d", "x", "scale"},
      {"DELETE", "/apis/apps/v1/namespaces/d/deployments", "", "deletecollection", "apps", "v1", "deployments", "d", "", ""},
      {"DELETE", "/apis/apps/v1/namespaces/d/deployments/x", "", "delete", "apps", "v1", "deployments", "d", "x", ""},
      {"PUT", "/api/v1/nodes", "", "", "", "v1", "nodes", "", "", ""},
      {"POST", "/api/v1/namespaces/d/pods/p/eviction", "", "create", "", "v1", "pods", "d", "p", "eviction"},
  };
  for (const Row& row : rows) {
    HttpRequest request;
    request.method = row.method;
    request.path = row.path;
    std::string query = row.query;
    if (!query.empty()) request.query.emplace_back(query.substr(0, query.find('=')), query.substr(query.find('=') + 1));
    RequestInfo info = parse_request(request);
    std::string got = std::string(verb_name(info.verb)) + "|" + info.group + "|" + info.version + "|" + info.plural + "|" + info.ns + "|" + info.name + "|" + info.subresource;
    std::string want = std::string(row.verb) + "|" + row.group + "|" + row.version + "|" + row.plural + "|" + row.ns + "|" + row.name + "|" + row.sub;
    EXPECT_EQ(got, want) << row.method << " " << row.path;
    EXPECT_TRUE(info.is_resource);
  }
  for (const char* path : {"/", "/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1", "/healthz", "/x/y/z"}) {
    HttpRequest request;
    request.method = "GET";
    request.path = path;
    EXPECT_FALSE(parse_request(request).is_resource) << path;
  }
}

}  // namespace
}  // namespace server
