#include "store/base/ip.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace {

using base::Ip;

TEST(Ip, TextIsThatOfTheLibrary) {
  for (uint32_t byte = 0; byte < 256; ++byte) {
    for (int shift : {0, 8, 16, 24}) {
      Ip ip = Ip::v4(0x0a000a63u ^ byte << shift);
      char want[INET_ADDRSTRLEN];
      inet_ntop(AF_INET, ip.bytes(), want, sizeof want);
      EXPECT_EQ(ip.text(), want);
      EXPECT_EQ(*Ip::parse(ip.text()), ip);
    }
  }
  for (const char* text : {"::", "::1", "2001:db8::1", "::ffff:192.0.2.1", "fe80:1:2:3:4:5:6:7"}) EXPECT_EQ(Ip::parse(text)->text(), text);
}

}  // namespace
