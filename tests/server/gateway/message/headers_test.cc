#include "server/gateway/message/headers.h"

#include <gtest/gtest.h>

namespace server::gateway {
namespace {

std::string all(const Headers& headers) {
  std::string out;
  for (size_t i = 0; i < headers.size(); ++i) out += std::string(headers[i].name) + "=" + std::string(headers[i].value) + ";";
  return out;
}

TEST(Headers, keep_order_and_spelling) {
  Headers h;
  h.add("Accept", "a");
  h.add("X-One", "1");
  h.add("accept", "b");
  EXPECT_EQ(all(h), "Accept=a;X-One=1;accept=b;");
  EXPECT_EQ(h.find("ACCEPT"), "a");
  EXPECT_EQ(h.joined("accept"), "a, b");
  EXPECT_EQ(h.count("Accept"), 2u);
  EXPECT_FALSE(h.find("Accept-Encoding"));
  EXPECT_FALSE(h.joined("nothing"));
}

TEST(Headers, set_replaces_the_first_and_removes_the_others) {
  Headers h;
  h.add("A", "1");
  h.add("B", "2");
  h.add("a", "3");
  h.set("a", "4");
  EXPECT_EQ(all(h), "A=4;B=2;");
  h.set("C", "5");
  EXPECT_EQ(all(h), "A=4;B=2;C=5;");
  h.remove("b");
  EXPECT_EQ(all(h), "A=4;C=5;");
}

TEST(Headers, values_of_their_own_block_can_be_added_and_set) {
  Headers h;
  h.add("A", std::string(20, 'x'));
  for (int i = 0; i < 50; ++i) h.add(h[0].name, h[0].value);  // The block moves as it grows.
  EXPECT_EQ(h[50].value, std::string(20, 'x'));
  h.add("B", "short");
  h.set("A", *h.find("B"));
  EXPECT_EQ(all(h), "A=short;B=short;");
}

TEST(Headers, fields_in_a_block_are_named_by_where_they_are) {
  Headers h;
  h.add_in_block(0, 4, 6, 5);
  h.take_block("Name: value\r\n");
  EXPECT_EQ(h.find("name"), "value");
  h.add("Other", "x");
  EXPECT_EQ(all(h), "Name=value;Other=x;");
}

}  // namespace
}  // namespace server::gateway
