// Objects in, what engines and users see out: a control loop over an API in memory, engines that only remember.
#include "server/gateway/gateway.h"

#include <gtest/gtest.h>

#include "server/gateway/controller_pod.h"
#include "server/gateway/objects.h"
#include "server/gateway/status_addresses.h"
#include "tests/server/support/world.h"

namespace {

using namespace server;

struct Seen {
  std::vector<gateway::TablePtr> tables;
  std::vector<std::function<void(std::vector<std::string>)>> waiting;  // Publications that are not confirmed yet.
  int started = 0, ended = 0, drained = 0;
  std::string log;
};

class FakeEngine final : public gateway::Engine {
 public:
  explicit FakeEngine(Seen& seen) : seen_(seen) { ++seen_.started; }
  ~FakeEngine() override { ++seen_.ended; }
  void publish(gateway::TablePtr table, std::function<void(std::vector<std::string>)> done) override {
    seen_.tables.push_back(std::move(table));
    seen_.waiting.push_back(std::move(done));
  }
  std::map<std::string, uint16_t> ports() const override { return {}; }
  const gateway::EngineStats& stats() const override { return stats_; }
  void drain(std::function<void()>) override { ++seen_.drained; }

 private:
  Seen& seen_;
  gateway::EngineStats stats_;
};

class FakeRuntime final : public PodRuntime {
 public:
  explicit FakeRuntime(Seen& seen) : seen_(seen) {}
  base::Status logs(const std::string&, const std::string&, const LogOptions&, const std::function<bool(std::string_view)>&) override { return {}; }
  base::Result<std::unique_ptr<ExecSession>> exec(const std::string&, const std::string&, const ExecOptions&) override { return base::Error(base::Code::kNotFound, ""); }
  base::Result<std::unique_ptr<ExecSession>> attach(const std::string&, const std::string&, const ExecOptions&) override { return base::Error(base::Code::kNotFound, ""); }
  base::Result<base::Fd> dial(const std::string&, const std::string&, uint16_t) override { return base::Error(base::Code::kNotFound, ""); }
  base::Result<base::Fd> dial_address(const base::Ip&, uint16_t) override { return base::Error(base::Code::kNotFound, ""); }
  base::Result<netns::Place> place(const std::string&, const std::string&) override { return base::Error(base::Code::kNotFound, ""); }
  base::Result<ContainerStandIn> stand_in(const std::string&, const std::string&, const std::string&) override {
    return ContainerStandIn{base::Fd(), [this](std::string_view lines) { seen_.log += lines; }};
  }

 private:
  Seen& seen_;
};

struct GatewayTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    services = std::make_unique<ServiceFeed>(*loop);
    GatewayOptions options;
    options.start_engine = [this](gateway::EngineOptions) -> base::Result<std::unique_ptr<gateway::Engine>> { return std::unique_ptr<gateway::Engine>(new FakeEngine(seen)); };
    options.look_up = [this](const std::string& name, std::function<void(NameAnswer)> done) {
      ++asked[name];
      if (hold) held.push_back(std::move(done));
      else done(names[name]);
    };
    gateway = make_gateway(*loop, *services, runtime, options);
    ASSERT_TRUE(ensure_ingress_classes(api->client()).ok());
    ASSERT_TRUE(ensure_ingress_workload(api->client(), {base::Ip::v4(172, 30, 255, 254)}).ok());
    merge("/api/v1/namespaces/ingress-nginx/services/ingress-nginx-controller/status", {{"status", {{"loadBalancer", {{"ingress", {{{"ip", "172.30.255.254"}}}}}}}}});
  }
  void TearDown() override {
    loop->stop();
    gateway.reset();
    services.reset();
    WorldTest::TearDown();
  }
  void run_controller(const std::string& name = "controller") {
    apply("apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: ingress-nginx}\nspec:\n  readinessGates: [{conditionType: kubelan.dev/ingress-serving}]\n  containers:\n  - name: controller\n    image: " + kIngressImage +
          "\n    args: [--publish-service=ingress-nginx/ingress-nginx-controller]\n");
    json status = {{"name", "controller"}, {"image", kIngressImage}, {"imageID", "kubelan://builtin/ingress-nginx/controller"}, {"containerID", "kubelan://" + name}, {"ready", true}, {"restartCount", 0}, {"state", {{"running", {{"startedAt", "2026-01-01T00:00:00Z"}}}}}};
    merge(pod(name) + "/status", {{"status", {{"phase", "Running"}, {"containerStatuses", {status}}}}});
  }
  // Engines work by all that they were given.
  void confirm() {
    for (auto& done : std::exchange(seen.waiting, {})) done({});
    idle();
  }
  static std::string pod(const std::string& name) { return "/api/v1/namespaces/ingress-nginx/pods/" + name; }
  void make_ingress(const std::string& class_name = "nginx") {
    apply("apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec:\n  ingressClassName: " + class_name +
          "\n  rules:\n  - host: web.test\n    http: {paths: [{path: /app, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]}\n");
  }
  json ingress() { return get("/apis/networking.k8s.io/v1/namespaces/default/ingresses/web"); }
  std::string addresses() { return store::get_array(ingress(), "status.loadBalancer.ingress").dump(); }
  std::string gate(const std::string& name = "controller") {
    const json object = get(pod(name));
    for (const json& c : store::get_array(object, "status.conditions")) {
      if (store::get_string(c, "type") == kIngressGate) return store::get_string(c, "status");
    }
    return "";
  }
  bool told(const std::string& reason, const std::string& part) {
    pass(std::chrono::seconds(1));
    for (const json& event : items("/api/v1/namespaces/default/events")) {
      if (store::get_string(event, "reason") == reason && store::get_string(event, "message").find(part) != std::string::npos) return true;
    }
    return false;
  }

  void make_external(const std::string& name) {
    apply("apiVersion: v1\nkind: Service\nmetadata: {name: app}\nspec: {type: ExternalName, externalName: " + name + "}\n");
    make_ingress();
  }
  // Where /app of the newest table goes.
  std::string endpoints() {
    std::string out;
    for (const gateway::VirtualHost& host : seen.tables.back()->listeners[0]->hosts) {
      for (const gateway::Route& route : host.routes) {
        const auto* forward = std::get_if<gateway::Forward>(&route.action);
        if (forward == nullptr || !forward->backends[0].upstream) continue;
        for (const gateway::Endpoint& endpoint : forward->backends[0].upstream->endpoints) out += endpoint.address.text() + " ";
      }
    }
    return out;
  }

  std::map<std::string, NameAnswer> names;  // What DNS says; nothing: it fails.
  std::map<std::string, int> asked;
  bool hold = false;
  std::vector<std::function<void(NameAnswer)>> held;
  Seen seen;
  FakeRuntime runtime{seen};
  std::unique_ptr<ServiceFeed> services;
  std::unique_ptr<Gateway> gateway;
};

TEST_F(GatewayTest, a_controller_pod_gets_an_engine_and_is_ready_once_that_works) {
  EXPECT_EQ(seen.started, 0);
  run_controller();
  EXPECT_EQ(seen.started, 1);
  ASSERT_EQ(seen.tables.size(), 1u);
  EXPECT_EQ(gate(), "");
  confirm();
  EXPECT_EQ(gate(), "True");
  EXPECT_NE(seen.log.find("kubelan plays ingress-nginx"), std::string::npos);
  remove(pod("controller"), R"({"gracePeriodSeconds": 0})");
  EXPECT_EQ(seen.ended, 1);
}

TEST_F(GatewayTest, addresses_come_with_the_table_and_go_with_the_class) {
  run_controller();
  confirm();
  make_ingress();
  EXPECT_EQ(addresses(), "[]") << "nobody serves it yet";
  confirm();
  EXPECT_EQ(addresses(), R"([{"ip":"172.30.255.254"}])");
  apply("apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: other}\nspec: {controller: example.com/other}\n");
  merge("/apis/networking.k8s.io/v1/namespaces/default/ingresses/web", {{"spec", {{"ingressClassName", "other"}}}});
  confirm();
  EXPECT_EQ(addresses(), "[]");
}

TEST_F(GatewayTest, addresses_of_another_controller_are_left_alone) {
  run_controller();
  apply("apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: other}\nspec: {controller: example.com/other}\n");
  make_ingress("other");
  merge("/apis/networking.k8s.io/v1/namespaces/default/ingresses/web/status", {{"status", {{"loadBalancer", {{"ingress", {{{"ip", "192.0.2.1"}}}}}}}}});
  confirm();
  EXPECT_EQ(addresses(), R"([{"ip":"192.0.2.1"}])");
}

TEST_F(GatewayTest, events_say_what_is_wrong_once) {
  run_controller();
  make_ingress();
  confirm();
  EXPECT_TRUE(told("Sync", "Scheduled for sync"));
  EXPECT_TRUE(told("ServiceNotFound", "app"));
  merge("/apis/networking.k8s.io/v1/namespaces/default/ingresses/web", {{"metadata", {{"labels", {{"a", "b"}}}}}});
  confirm();
  pass(std::chrono::seconds(1));
  for (const json& event : items("/api/v1/namespaces/default/events")) EXPECT_LE(store::get_int(event, "count", 1), 1) << event.dump();
}

TEST_F(GatewayTest, a_burst_is_compiled_once) {
  run_controller();
  confirm();
  const size_t before = seen.tables.size();
  std::string many;
  for (int i = 0; i < 20; ++i) {
    many += "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i" + std::to_string(i) + "}\nspec: {ingressClassName: nginx, defaultBackend: {service: {name: app, port: {number: 80}}}}\n";
  }
  apply(many);
  EXPECT_EQ(seen.tables.size(), before + 1);
}

TEST_F(GatewayTest, synced_when_all_engines_work_by_the_newest_table) {
  bool synced = false;
  gateway->when_synced([&] { synced = true; });
  EXPECT_TRUE(synced) << "there is no controller";
  run_controller("a");
  run_controller("b");
  confirm();
  synced = false;
  gateway->when_synced([&] { synced = true; });
  idle();
  ASSERT_EQ(seen.waiting.size(), 2u);
  auto second = seen.waiting.back();
  seen.waiting.pop_back();
  confirm();
  EXPECT_FALSE(synced);
  second({});
  idle();
  EXPECT_TRUE(synced);
}

TEST_F(GatewayTest, explains_a_request) {
  base::Result<gateway::Question> question = gateway::parse_question("web.test/app/x?y=1");
  ASSERT_TRUE(question.ok());
  EXPECT_FALSE(gateway->explain(*question).ok()) << "no controller";
  run_controller();
  apply("apiVersion: v1\nkind: Service\nmetadata: {name: app}\nspec: {ports: [{port: 80, targetPort: 8080}]}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
        "metadata: {name: app-1, labels: {kubernetes.io/service-name: app}}\naddressType: IPv4\nendpoints: [{addresses: [10.244.1.7], conditions: {ready: true}}]\nports: [{name: '', port: 8080, protocol: TCP}]\n");
  make_ingress();
  merge("/apis/networking.k8s.io/v1/namespaces/default/ingresses/web", {{"metadata", {{"annotations", {{"nginx.ingress.kubernetes.io/rewrite-target", "/"}}}}}});
  base::Result<json> out = gateway->explain(*question);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(store::get_string(*out, "rule.name"), "web") << out->dump(2);
  EXPECT_EQ((*out)["annotations"][0]["name"], "rewrite-target");
  EXPECT_EQ((*out)["steps"][0], "the path is rewritten to /?y=1");
  EXPECT_EQ((*out)["backends"][0]["endpoints"][0]["address"], "10.244.1.7:8080");
  EXPECT_EQ(store::get_string(*gateway->explain(*gateway::parse_question("nobody.test/")), "why"), "no rule has this host");
}

TEST_F(GatewayTest, names_outside_the_cluster_are_asked_for_again_and_kept_while_DNS_fails) {
  const base::Ip one = base::Ip::v4(192, 0, 2, 1), two = base::Ip::v4(192, 0, 2, 2);
  run_controller();
  names["db.example"] = {true, {one}, std::chrono::seconds(30)};
  make_external("db.example.");
  EXPECT_EQ(endpoints(), "192.0.2.1 ");
  EXPECT_EQ(asked["db.example"], 1);
  pass(std::chrono::seconds(29));
  EXPECT_EQ(asked["db.example"], 1);
  names["db.example"].ips = {one, two};
  pass(std::chrono::seconds(1));
  EXPECT_EQ(endpoints(), "192.0.2.1 192.0.2.2 ");
  names["db.example"] = {};
  pass(std::chrono::seconds(30));
  EXPECT_EQ(asked["db.example"], 3);
  EXPECT_EQ(endpoints(), "192.0.2.1 192.0.2.2 ") << "it failed";
  names["db.example"] = {true, {two}, std::chrono::seconds(1'000'000)};
  pass(std::chrono::seconds(5));
  EXPECT_EQ(endpoints(), "192.0.2.2 ");
  EXPECT_FALSE(told("NameNotResolved", "")) << "it was always known";
  names["db.example"] = {true, {}, std::chrono::seconds(5)};
  pass(std::chrono::seconds(300));
  EXPECT_EQ(endpoints(), "") << "there is no such name any more";
  EXPECT_TRUE(told("NameNotResolved", "db.example"));
  const int before = asked["db.example"];
  remove("/apis/networking.k8s.io/v1/namespaces/default/ingresses/web");
  pass(std::chrono::seconds(600));
  EXPECT_LE(asked["db.example"], before + 1) << "nobody wants it";
}

TEST_F(GatewayTest, synced_waits_for_the_first_answer_about_names) {
  hold = true;
  run_controller();
  make_external("db.example");
  confirm();
  ASSERT_EQ(held.size(), 1u);
  bool synced = false;
  gateway->when_synced([&] { synced = true; });
  idle();
  confirm();
  EXPECT_FALSE(synced);
  EXPECT_FALSE(told("NameNotResolved", "")) << "nobody knows yet";
  held[0]({});
  idle();
  confirm();
  EXPECT_TRUE(synced);
  EXPECT_TRUE(told("NameNotResolved", "db.example"));
}

TEST_F(GatewayTest, objects_that_nobody_names_are_nobodys_business) {
  run_controller();
  make_ingress();
  confirm();
  const size_t before = seen.tables.size();
  apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {a: b}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: users}\nstringData: {auth: 'ann:x'}\n");
  EXPECT_EQ(seen.tables.size(), before);
  merge("/apis/networking.k8s.io/v1/namespaces/default/ingresses/web", {{"metadata", {{"annotations", {{"nginx.ingress.kubernetes.io/auth-type", "basic"}, {"nginx.ingress.kubernetes.io/auth-secret", "users"}}}}}});
  EXPECT_EQ(seen.tables.size(), before + 1);
  merge("/api/v1/namespaces/default/secrets/users", {{"stringData", {{"auth", "bob:x"}}}});
  EXPECT_EQ(seen.tables.size(), before + 2);
  remove("/api/v1/namespaces/default/secrets/users");
  EXPECT_EQ(seen.tables.size(), before + 3);
  apply("apiVersion: v1\nkind: Secret\nmetadata: {name: users}\nstringData: {auth: 'ann:x'}\n");
  EXPECT_EQ(seen.tables.size(), before + 4) << "it was missed";
}

TEST(ControllerPod, arguments) {
  const ControllerSettings s = parse_controller_args({"/nginx-ingress-controller", "--controller-class=example.com/inner", "--ingress-class", "inner", "--watch-ingress-without-class", "--enable-ssl-passthrough=false",
                                                      "--publish-status-address=localhost,192.0.2.1", "--election-id=x"});
  EXPECT_EQ(s.controller_class, "example.com/inner");
  EXPECT_EQ(s.ingress_class, "inner");
  EXPECT_TRUE(s.without_class);
  EXPECT_FALSE(s.passthrough);
  EXPECT_EQ(s.publish_addresses, (std::vector<std::string>{"localhost", "192.0.2.1"}));
}

TEST(StatusAddresses, as_the_service_has_them) {
  struct Row {
    const char* service;
    const char* want;
  };
  const Row rows[] = {
      {R"({"spec":{"type":"LoadBalancer","clusterIP":"10.96.0.9"},"status":{"loadBalancer":{"ingress":[{"ip":"1.2.3.4"},{"hostname":"a.b"}]}}})", R"([{"ip":"1.2.3.4"},{"hostname":"a.b"}])"},
      {R"({"spec":{"type":"LoadBalancer","clusterIP":"10.96.0.9"}})", "[]"},
      {R"({"spec":{"type":"NodePort","clusterIP":"10.96.0.9","externalIPs":["5.6.7.8"]}})", R"([{"ip":"10.96.0.9"},{"ip":"5.6.7.8"}])"},
      {R"({"spec":{"type":"ExternalName","externalName":"a.b"}})", R"([{"hostname":"a.b"}])"},
  };
  for (const Row& row : rows) {
    const json service = json::parse(row.service);
    EXPECT_EQ(status_addresses({}, &service).dump(), row.want) << row.service;
    EXPECT_EQ(status_addresses({"localhost"}, &service).dump(), R"([{"hostname":"localhost"}])");
  }
  EXPECT_EQ(status_addresses({}, nullptr).dump(), "[]");
}

}  // namespace
