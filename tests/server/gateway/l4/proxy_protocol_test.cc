#include "server/gateway/l4/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace server::gateway {
namespace {

std::string read(std::string_view bytes) {
  ProxyHeader header;
  ProxyParse parsed = parse_proxy_header(bytes, &header);
  if (parsed.kind == ProxyParse::Kind::kNeedMore) return "more";
  if (parsed.kind == ProxyParse::Kind::kBroken) return "broken";
  std::string rest = " +" + std::to_string(bytes.size() - parsed.used);
  if (!header.has_addresses) return "none" + rest;
  return header.source.text() + " " + std::to_string(header.source_port) + " " + header.destination.text() + " " + std::to_string(header.destination_port) + rest;
}

std::string version2(char command, char family, std::string_view addresses, std::string_view more = "") {
  std::string out("\r\n\r\n\0\r\nQUIT\n", 12);
  out += command;
  out += family;
  out += static_cast<char>(addresses.size() >> 8);
  out += static_cast<char>(addresses.size() & 255);
  return out.append(addresses).append(more);
}

const std::string kV4("\x0a\x00\x00\x01\x0a\x00\x00\x02\x12\x34\x00\x50", 12);
const std::string kV6 = std::string(15, '\0') + "\x01" + std::string(15, '\0') + "\x02" + std::string("\x12\x34\x00\x50", 4);

TEST(ProxyProtocol, rows) {
  const struct {
    std::string in, want;
  } rows[] = {
      {"PROXY TCP4 10.0.0.1 10.0.0.2 4660 80\r\nGET", "10.0.0.1 4660 10.0.0.2 80 +3"},
      {"PROXY TCP6 ::1 ::2 4660 80\r\n", "::1 4660 ::2 80 +0"},
      {"PROXY UNKNOWN\r\nx", "none +1"},
      {"PROXY UNKNOWN what ever\r\n", "none +0"},
      {version2(0x21, 0x11, kV4, "GET"), "10.0.0.1 4660 10.0.0.2 80 +3"},
      {version2(0x21, 0x21, kV6), "::1 4660 ::2 80 +0"},
      {version2(0x21, 0x11, kV4 + "\x04\x00\x01z"), "10.0.0.1 4660 10.0.0.2 80 +0"},  // With TLVs.
      {version2(0x20, 0x00, ""), "none +0"},
      {version2(0x21, 0x31, std::string(216, 'a')), "none +0"},  // A Unix socket's.
      {"PROXY TCP4 10.0.0.1 10.0.0.2 4660\r\n", "broken"},
      {"PROXY TCP4 10.0.0.1 10.0.0.2 4660 80 1\r\n", "broken"},
      {"PROXY TCP4  10.0.0.1 10.0.0.2 4660 80\r\n", "broken"},
      {"PROXY TCP4 ::1 ::2 4660 80\r\n", "broken"},
      {"PROXY TCP6 10.0.0.1 10.0.0.2 4660 80\r\n", "broken"},
      {"PROXY TCP4 10.0.0.1 10.0.0.2 65536 80\r\n", "broken"},
      {"PROXY TCP4 10.0.0.1 10.0.0.2 -1 80\r\n", "broken"},
      {"PROXY TCP4 10.0.0.1 10.0.0.2 080 80\r\n", "broken"},
      {"PROXY TCP4 10.0.0.256 10.0.0.2 4660 80\r\n", "broken"},
      {"PROXY TCP4 10.0.0.1 10.0.0.2 4660 80\n\r\n", "broken"},
      {"PROXY UDP4 10.0.0.1 10.0.0.2 4660 80\r\n", "broken"},
      {"PROXY UNKNOWN" + std::string(200, 'a'), "broken"},
      {"GET / HTTP/1.1\r\n", "broken"},
      {"proxy TCP4", "broken"},
      {version2(0x11, 0x11, kV4), "broken"},
      {version2(0x22, 0x11, kV4), "broken"},
      {version2(0x21, 0x11, kV4.substr(1)), "broken"},
      {version2(0x21, 0x21, kV4), "broken"},
      {version2(0x21, 0x11, std::string(5000, 'a')), "broken"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(read(row.in), row.want) << row.in;
    // What comes in pieces is understood once it is whole, not before, and never otherwise.
    for (size_t n = 0; n < row.in.size() && row.want != "broken"; ++n) {
      std::string part = read(std::string_view(row.in).substr(0, n));
      std::string_view whole_but_rest = std::string_view(row.want).substr(0, row.want.find(" +"));
      EXPECT_TRUE(part == "more" || part.substr(0, part.find(" +")) == whole_but_rest) << row.in << " cut at " << n << ": " << part;
    }
  }
}

TEST(ProxyProtocol, what_is_written_is_read_again) {
  ProxyHeader header;
  EXPECT_EQ(render_proxy_header(header), "PROXY UNKNOWN\r\n");
  header.has_addresses = true;
  header.source = base::Ip::v4(10, 0, 0, 1);
  header.destination = base::Ip::v4(10, 0, 0, 2);
  header.source_port = 4660;
  header.destination_port = 80;
  EXPECT_EQ(render_proxy_header(header), "PROXY TCP4 10.0.0.1 10.0.0.2 4660 80\r\n");
  EXPECT_EQ(read(render_proxy_header(header)), "10.0.0.1 4660 10.0.0.2 80 +0");
}

}  // namespace
}  // namespace server::gateway
