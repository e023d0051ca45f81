#include "server/controllers/service_account.h"

#include "tests/server/support/world.h"

namespace server {
namespace {

constexpr const char* kAccount = "/api/v1/namespaces/default/serviceaccounts/default";
constexpr const char* kRootCa = "/api/v1/namespaces/default/configmaps/kube-root-ca.crt";

struct ServiceAccountTest : WorldTest {
  void start(const std::string& ca = "CA") {
    controller = make_service_account_controller(*loop, ca);
    idle();
  }
  void TearDown() override {
    controller.reset();
    WorldTest::TearDown();
  }
  json ca_data() { return get(kRootCa)["data"]; }
  std::unique_ptr<Controller> controller;
};

TEST_F(ServiceAccountTest, EveryNamespaceHasBoth) {
  start();
  apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: side}\n");
  for (const char* ns : {"default", "kube-system", "side"}) {
    SCOPED_TRACE(ns);
    const std::string base = std::string("/api/v1/namespaces/") + ns;
    EXPECT_EQ(call("GET", base + "/serviceaccounts/default").status, 200);
    EXPECT_EQ(get(base + "/configmaps/kube-root-ca.crt")["data"], (json{{"ca.crt", "CA"}}));
  }
}

TEST_F(ServiceAccountTest, PutsBackWhatIsDeletedOrChanged) {
  start();
  const std::string uid = get(kAccount)["metadata"]["uid"];
  remove(kAccount);
  EXPECT_NE(get(kAccount)["metadata"]["uid"], uid);
  remove(kRootCa);
  EXPECT_EQ(ca_data(), (json{{"ca.crt", "CA"}}));
  merge(kRootCa, {{"data", {{"ca.crt", "other"}, {"more", "x"}}}});
  EXPECT_EQ(ca_data(), (json{{"ca.crt", "CA"}}));
  merge(kRootCa, {{"metadata", {{"labels", {{"mine", "x"}}}}}});
  EXPECT_EQ(get(kRootCa)["metadata"]["labels"]["mine"], "x") << "only the data are the controller's";
}

TEST_F(ServiceAccountTest, ANewCaReplacesTheOld) {
  start("old");
  loop = ControlLoop::make(api->client(), time);
  start("new");
  EXPECT_EQ(ca_data(), (json{{"ca.crt", "new"}}));
}

// Somebody else makes the ConfigMap between the event and the reaction.
TEST_F(ServiceAccountTest, CorrectsWhatCameFirst) {
  start();
  loop->on_change("namespaces", [&](const store::Object& before, const store::Object& after) {
    if (!before && after.name() == "side") call("POST", "/api/v1/namespaces/side/configmaps", config_map("kube-root-ca.crt", "mine"));
  });
  apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: side}\n");
  EXPECT_EQ(get("/api/v1/namespaces/side/configmaps/kube-root-ca.crt")["data"], (json{{"ca.crt", "CA"}}));
}

TEST_F(ServiceAccountTest, LeavesTerminatingNamespacesAlone) {
  start();
  apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: side}\n");
  remove("/api/v1/namespaces/side");  // Stays: nobody finalizes it here.
  remove("/api/v1/namespaces/side/serviceaccounts/default");
  EXPECT_EQ(call("GET", "/api/v1/namespaces/side/serviceaccounts/default").status, 404);
}

}  // namespace
}  // namespace server
