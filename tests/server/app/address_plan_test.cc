#include <gtest/gtest.h>

#include "server/app/options.h"

namespace {

using namespace server;

TEST(AddressPlan, families) {
  const AddressPlan v4 = make_address_plan(IpFamily::kIpv4), v6 = make_address_plan(IpFamily::kIpv6), dual = make_address_plan(IpFamily::kDual);
  EXPECT_EQ(v4.node_pods(0).text(), "10.244.1.0/24");
  EXPECT_EQ(v4.node_pods(63).text(), "10.244.64.0/24");
  EXPECT_EQ(v6.node_pods(0).text(), "fd00:10:244:1::/64");
  EXPECT_EQ(v6.node_pods(63).text(), "fd00:10:244:40::/64");
  EXPECT_TRUE(v4.more.empty());
  EXPECT_TRUE(v6.more.empty());
  ASSERT_EQ(dual.more.size(), 1u);
  EXPECT_EQ(dual.gateway, v4.gateway);
  EXPECT_EQ(dual.more[0].gateway, v6.gateway);
  ASSERT_EQ(dual.ingress_addresses().size(), 2u);
  EXPECT_EQ(dual.ingress_addresses()[0].text(), "172.30.255.254");
  EXPECT_EQ(dual.ingress_addresses()[1].text(), "fd00:172:30:255::fffe");
  for (const AddressPlan* plan : {&v4, &v6}) {
    EXPECT_TRUE(plan->underlay.contains(plan->gateway));
    EXPECT_TRUE(plan->underlay.contains(plan->first_node.plus(kMaxNodes - 1)));
    EXPECT_TRUE(plan->services.contains(plan->dns));
    EXPECT_TRUE(plan->services.contains(plan->kubernetes));
    EXPECT_TRUE(plan->pods.contains(plan->node_pods(kMaxNodes - 1).address()));
  }
}

}  // namespace
