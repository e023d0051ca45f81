// The pure parts: environment, files, status.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/node_agent/address_pool.h"
#include "server/node_agent/environment.h"
#include "server/node_agent/pod_files.h"
#include "server/node_agent/pod_status.h"
#include "store/object/access.h"

namespace server {
namespace {

using store::Object;

Object make_pod(const json& spec) {
  return Object("pods", json{{"metadata", {{"name", "web-0"}, {"namespace", "shop"}, {"uid", "u1"}, {"labels", {{"app", "web"}}}}}, {"spec", spec}});
}

struct Fixture {
  explicit Fixture(const json& spec) : view(project_pod_spec(make_pod(spec))) {
    lookups.config_map = [this](const std::string& name) { return name == "cm" ? &config_map : nullptr; };
    lookups.secret = [this](const std::string& name) { return name == "sec" ? &secret : nullptr; };
    lookups.pod = &view.source.tree();
    lookups.pod_ip = "10.244.1.5";
    lookups.host_ip = "172.30.0.11";
    lookups.node = "node-1";
    lookups.services = {Object("services", json{{"metadata", {{"name", "my-db"}, {"namespace", "shop"}}}, {"spec", {{"clusterIP", "10.96.0.7"}, {"ports", {{{"name", "sql"}, {"port", 5432}, {"protocol", "TCP"}}}}}}}),
                        Object("services", json{{"metadata", {{"name", "kubernetes"}, {"namespace", "default"}}}, {"spec", {{"clusterIP", "10.96.0.1"}, {"ports", {{{"name", "https"}, {"port", 443}}}}}}})};
  }
  PodSpecView view;
  Object config_map{"configmaps", json{{"metadata", {{"name", "cm"}}}, {"data", {{"key", "value"}, {"bad key", "x"}}}}};
  Object secret{"secrets", json{{"metadata", {{"name", "sec"}}}, {"data", {{"pass", "czNjcmV0"}}}}};
  Lookups lookups;
};

TEST(Environment, Table) {
  struct Row {
    const char* name;
    json container;
    const char* variable;
    const char* want;  // nullptr: not set; "!text": the error.
  };
  auto env = [](const json& e) { return json{{"name", "c"}, {"env", {e}}}; };
  const Row rows[] = {
      {"plain", env({{"name", "A"}, {"value", "b"}}), "A", "b"},
      {"refers to a service", env({{"name", "A"}, {"value", "$(MY_DB_SERVICE_HOST):$(MY_DB_SERVICE_PORT_SQL) $$(X) $(NONE)"}}), "A", "10.96.0.7:5432 $(X) $(NONE)"},
      {"api server", env({{"name", "A"}, {"value", "b"}}), "KUBERNETES_SERVICE_HOST", "10.96.0.1"},
      {"docker link", env({{"name", "A"}, {"value", "b"}}), "MY_DB_PORT_5432_TCP", "tcp://10.96.0.7:5432"},
      {"config map key", env({{"name", "A"}, {"valueFrom", {{"configMapKeyRef", {{"name", "cm"}, {"key", "key"}}}}}}), "A", "value"},
      {"secret key", env({{"name", "A"}, {"valueFrom", {{"secretKeyRef", {{"name", "sec"}, {"key", "pass"}}}}}}), "A", "s3cret"},
      {"missing map", env({{"name", "A"}, {"valueFrom", {{"configMapKeyRef", {{"name", "none"}, {"key", "key"}}}}}}), "A", "!configmap \"none\" not found"},
      {"missing key", env({{"name", "A"}, {"valueFrom", {{"configMapKeyRef", {{"name", "cm"}, {"key", "none"}}}}}}), "A", "!couldn't find key none in ConfigMap shop/cm"},
      {"optional", env({{"name", "A"}, {"valueFrom", {{"secretKeyRef", {{"name", "none"}, {"key", "k"}, {"optional", true}}}}}}), "A", nullptr},
      {"pod ip", env({{"name", "A"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "status.podIP"}}}}}}), "A", "10.244.1.5"},
      {"label", env({{"name", "A"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "metadata.labels['app']"}}}}}}), "A", "web"},
      {"node", env({{"name", "A"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "spec.nodeName"}}}}}}), "A", "node-1"},
      {"unknown field", env({{"name", "A"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "spec.bogus"}}}}}}), "A", "!unsupported fieldPath: spec.bogus"},
      {"resource", json{{"name", "c"}, {"resources", {{"limits", {{"cpu", "1500m"}}}}}, {"env", {{{"name", "A"}, {"valueFrom", {{"resourceFieldRef", {{"resource", "limits.cpu"}}}}}}}}}, "A", "2"},
      {"all of a map, with prefix", json{{"name", "c"}, {"envFrom", {{{"prefix", "P_"}, {"configMapRef", {{"name", "cm"}}}}}}}, "P_key", "value"},
      {"keys that are no names are left out", json{{"name", "c"}, {"envFrom", {{{"configMapRef", {{"name", "cm"}}}}}}}, "bad key", nullptr},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Fixture f(json{{"containers", {row.container}}});
    auto got = compile_environment(f.view, f.view.containers[0], f.lookups);
    if (row.want != nullptr && row.want[0] == '!') {
      ASSERT_FALSE(got.ok());
      EXPECT_EQ(got.error().message, row.want + 1);
      continue;
    }
    ASSERT_TRUE(got.ok()) << got.error().message;
    auto found = got->find(row.variable);
    if (row.want == nullptr) EXPECT_EQ(found, got->end());
    else EXPECT_EQ(found == got->end() ? "(none)" : found->second, row.want);
  }
}

TEST(PodFiles, ResolvConf) {
  struct Row {
    const char* name;
    json spec;
    const char* want;
  };
  const Row rows[] = {
      {"cluster first", json::object(), "search shop.svc.cluster.local svc.cluster.local cluster.local lan\nnameserver 10.96.0.10\noptions ndots:5\n"},
      {"default", {{"dnsPolicy", "Default"}}, "search lan\nnameserver 192.0.2.1\noptions edns0\n"},
      {"none", {{"dnsPolicy", "None"}, {"dnsConfig", {{"nameservers", {"192.0.2.9"}}, {"searches", {"a.b"}}, {"options", {{{"name", "ndots"}, {"value", "2"}}, {{"name", "rotate"}}}}}}}, "search a.b\nnameserver 192.0.2.9\noptions ndots:2 rotate\n"},
      {"config adds and overrides", {{"dnsConfig", {{"searches", {"x.y"}}, {"options", {{{"name", "ndots"}, {"value", "1"}}}}}}}, "search shop.svc.cluster.local svc.cluster.local cluster.local lan x.y\nnameserver 10.96.0.10\noptions ndots:1\n"},
  };
  DnsSettings dns{"10.96.0.10", "cluster.local", "# comment\nnameserver 192.0.2.1\nsearch lan\noptions edns0\n"};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(compile_resolv_conf(Fixture(row.spec).view, dns), row.want);
  }
}

TEST(PodFiles, Hosts) {
  Fixture f(json{{"hostname", "box"}, {"subdomain", "sub"}, {"hostAliases", {{{"ip", "192.0.2.5"}, {"hostnames", {"a", "b"}}}}}});
  std::string hosts = compile_hosts(f.view, "10.244.1.5", "cluster.local");
  EXPECT_NE(hosts.find("\n10.244.1.5\tbox.sub.shop.svc.cluster.local\tbox\n"), std::string::npos) << hosts;
  EXPECT_NE(hosts.find("\n# Entries added by HostAliases.\n192.0.2.5\ta\tb\n"), std::string::npos) << hosts;
}

TEST(PodFiles, Volumes) {
  struct Row {
    const char* name;
    json volume;
    const char* want;  // "path=content mode" joined, or "!error".
  };
  const Row rows[] = {
      {"config map", {{"configMap", {{"name", "cm"}}}}, "bad key=x 644;key=value 644;"},
      {"items", {{"configMap", {{"name", "cm"}, {"items", {{{"key", "key"}, {"path", "dir/f"}, {"mode", 256}}}}}}}, "dir/f=value 400;"},
      {"missing item", {{"configMap", {{"name", "cm"}, {"items", {{{"key", "none"}, {"path", "f"}}}}}}}, "!MountVolume.SetUp failed for volume \"v\" : references non-existent config key: none"},
      {"secret", {{"secret", {{"secretName", "sec"}, {"defaultMode", 256}}}}, "pass=s3cret 400;"},
      {"missing", {{"secret", {{"secretName", "none"}}}}, "!MountVolume.SetUp failed for volume \"v\" : secret \"none\" not found"},
      {"optional", {{"configMap", {{"name", "none"}, {"optional", true}}}}, ""},
      {"downward", {{"downwardAPI", {{"items", {{{"path", "labels"}, {"fieldRef", {{"fieldPath", "metadata.labels"}}}}}}}}}, "labels=app=\"web\" 644;"},
      {"projected", {{"projected", {{"sources", {{{"configMap", {{"name", "cm"}, {"items", {{{"key", "key"}, {"path", "a"}}}}}}}, {{"secret", {{"name", "sec"}}}}}}}}}, "a=value 644;pass=s3cret 644;"},
      {"unknown kind", {{"nfs", {{"server", "x"}}}}, "!MountVolume.SetUp failed for volume \"v\" : kubelan has no volumes of kind nfs; it has configMap, secret, emptyDir, persistentVolumeClaim, downwardAPI, projected and hostPath (read-only)"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    json volume = row.volume;
    volume["name"] = "v";
    Fixture f(json{{"volumes", {volume}}});
    auto got = compile_volumes(f.view, f.lookups);
    std::string text;
    if (!got.ok()) {
      text = "!" + got.error().message;
    } else {
      for (const PodFile& file : (*got)[0].files) {
        char mode[8];
        snprintf(mode, sizeof mode, "%o", file.mode);
        text += file.path + "=" + file.content + " " + mode + ";";
      }
    }
    EXPECT_EQ(text, row.want);
  }
}

TEST(PodFiles, NothingLeavesItsVolume) {
  for (const char* path : {"../x", "a/../../x", "/etc/passwd", ""}) {
    SCOPED_TRACE(path);
    EXPECT_FALSE(write_files("/tmp/kubelan-never-made", {{path, "x"}}).ok());
  }
}

TEST(PodAddressPool, GoesRoundAndReusesLate) {
  PodAddressPool pool(*base::Cidr::parse("10.0.0.0/29"));  // .2 to .6
  EXPECT_EQ(pool.take()->text(), "10.0.0.2");
  EXPECT_EQ(pool.take()->text(), "10.0.0.3");
  pool.give_back(*base::Ip::parse("10.0.0.2"));
  for (const char* want : {"10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2"}) EXPECT_EQ(pool.take()->text(), want);
  EXPECT_FALSE(pool.take().ok()) << "full";
  PodAddressPool after_restart(*base::Cidr::parse("10.0.0.0/24"));
  after_restart.skip_past(*base::Ip::parse("10.0.0.9"));
  EXPECT_EQ(after_restart.take()->text(), "10.0.0.10");
}

TEST(PodStatus, Phases) {
  struct Row {
    const char* name;
    RestartPolicy policy;
    std::vector<int> exits;  // -1: running, -2: waiting for its first start, -3: waiting to be started again
    const char* want;
  };
  const Row rows[] = {
      {"all running", RestartPolicy::kAlways, {-1, -1}, "Running"},       {"one not started", RestartPolicy::kAlways, {-1, -2}, "Pending"},
      {"crash loop", RestartPolicy::kAlways, {-3}, "Running"},            {"ended, always", RestartPolicy::kAlways, {0}, "Running"},
      {"ended, never", RestartPolicy::kNever, {0}, "Succeeded"},          {"failed, never", RestartPolicy::kNever, {0, 3}, "Failed"},
      {"failed, on failure", RestartPolicy::kOnFailure, {3}, "Running"},  {"ended, on failure", RestartPolicy::kOnFailure, {0, 0}, "Succeeded"},
      {"half done, never", RestartPolicy::kNever, {0, -1}, "Running"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const ContainerPlan plan;
    PodRun run;
    run.spec.restart = row.policy;
    run.stage = PodStage::kRunning;
    for (int code : row.exits) {
      ContainerRun c;
      c.plan = &plan;
      c.state = code == -1 ? ContainerState::kRunning : code < -1 ? ContainerState::kWaiting : ContainerState::kTerminated;
      if (code >= 0) c.now = Termination{code, 0, "", "", {}, {}, ""};
      if (code == -3) c.last = Termination{1, 0, "", "", {}, {}, ""};
      run.main.push_back(c);
    }
    EXPECT_STREQ(pod_phase(run), row.want);
  }
}

}  // namespace
}  // namespace server
