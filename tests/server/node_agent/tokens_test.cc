// Tokens in pods' volumes: there before the first process, renewed in time, gone with the pod.
#include "store/base/text.h"
#include "tests/server/node_agent/support.h"

namespace server {
namespace {

struct TokensTest : AgentTest {
  std::string file(const std::string& pod, const std::string& name) {
    std::string volume;
    const json tree = pod_json(pod);
    for (const json& v : store::get_array(tree, "spec.volumes")) {
      if (store::get_string(v, "name").starts_with("kube-api-access-")) volume = v["name"];
    }
    auto content = base::read_file(pod_dir(pod) + "/volumes/" + volume + "/" + name);
    return content.ok() ? *content : "(" + content.error().message + ")";
  }
  json claims(const std::string& token) {
    std::string part = token.substr(token.find('.') + 1);
    part.resize(part.find('.'));
    for (char& c : part) c = c == '-' ? '+' : c == '_' ? '/' : c;
    return json::parse(base::decode_base64(part).value_or(""), nullptr, false);
  }
};

TEST_F(TokensTest, PodsFindTheirToken) {
  run_pod("p", "{containers: [{name: c, image: nginx}]}");
  ASSERT_EQ(spawner.processes.size(), 1u);
  EXPECT_EQ(file("p", "ca.crt"), "CA");
  EXPECT_EQ(file("p", "namespace"), "default");
  const json own = claims(file("p", "token"))["kubernetes.io"];
  EXPECT_EQ(own["pod"]["name"], "p");
  EXPECT_EQ(own["serviceaccount"]["name"], "default");
  bool mounted = false;
  for (const netns::Mount& m : spawner.processes[0].spec.mounts) mounted = mounted || m.target == "/var/run/secrets/kubernetes.io/serviceaccount";
  EXPECT_TRUE(mounted);
}

TEST_F(TokensTest, TokensAreRenewedBeforeTheyEnd) {
  run_pod("p", "{containers: [{name: c, image: nginx}]}");
  const std::string first = file("p", "token");
  pass(std::chrono::seconds(3607 * 4 / 5 - 5));
  EXPECT_EQ(file("p", "token"), first);
  // Other changes of the pod's files are no reason.
  merge("/api/v1/namespaces/default/pods/p", {{"metadata", {{"labels", {{"a", "b"}}}}}});
  EXPECT_EQ(file("p", "token"), first);
  pass(std::chrono::seconds(10));
  const std::string second = file("p", "token");
  EXPECT_NE(second, first);
  pass(std::chrono::seconds(3607 * 4 / 5 + 5));
  EXPECT_NE(file("p", "token"), second);
}

TEST_F(TokensTest, WithoutAnAccountThereIsNoToken) {
  run_pod("p", "{automountServiceAccountToken: false, containers: [{name: c, image: nginx}]}");
  ASSERT_EQ(spawner.processes.size(), 1u);
  for (const netns::Mount& m : spawner.processes[0].spec.mounts) EXPECT_NE(m.target, "/var/run/secrets/kubernetes.io/serviceaccount");
}

}  // namespace
}  // namespace server
