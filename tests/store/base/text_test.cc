#include "store/base/text.h"

#include <gtest/gtest.h>

#include "store/base/socket_address.h"

namespace base {
namespace {

TEST(Text, letters_and_digits) {
  EXPECT_EQ(lower("Ab-Z[`{\xc4"), "ab-z[`{\xc4");
  EXPECT_EQ(hex_digit('0'), 0);
  EXPECT_EQ(hex_digit('f'), 15);
  EXPECT_EQ(hex_digit('F'), 15);
  for (char c : {'g', 'G', ' ', '/', ':', '@', '`', '\0', '\xff'}) EXPECT_EQ(hex_digit(c), -1);
}

TEST(Text, base64_both_ways) {
  for (const char* plain : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) EXPECT_EQ(decode_base64(encode_base64(plain)), plain);
  EXPECT_EQ(encode_base64("foob"), "Zm9vYg==");
  // Go's encoder makes lines, and its decoder skips their ends.
  EXPECT_EQ(decode_base64("Zm9v\r\nYg==\n"), "foob");
  EXPECT_EQ(decode_base64("Zm9vYg=\n="), "foob");
  EXPECT_EQ(decode_base64(std::string_view("\0", 1)), std::nullopt);
  EXPECT_EQ(decode_base64("Z\nm9vY"), std::nullopt);
}

TEST(SocketAddress, both_families_there_and_back) {
  for (const char* text : {"0.0.0.0", "172.30.0.11", "::", "fd00::1"}) {
    SocketAddress address = socket_address(*Ip::parse(text), 65535);
    EXPECT_EQ(address.ip().text(), text);
    EXPECT_EQ(address.port(), 65535);
  }
  EXPECT_EQ(socket_address(*Ip::parse("::ffff:1.2.3.4"), 1).ip().text(), "1.2.3.4");
  EXPECT_EQ(local_address(-1).port(), 0);
}

}  // namespace
}  // namespace base
