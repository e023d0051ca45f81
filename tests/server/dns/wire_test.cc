#include "server/dns/wire.h"

#include <gtest/gtest.h>

#include "tests/server/dns/messages.h"

namespace {

using server::dns::parse_query;
using server::dns::ParsedQuery;
using server::dns::Rcode;
using Outcome = ParsedQuery::Outcome;

std::string header(unsigned flags, unsigned questions) {
  return dns_test::u16(7) + dns_test::u16(flags) + dns_test::u16(questions) + dns_test::u16(0) + dns_test::u16(0) + dns_test::u16(0);
}

TEST(Wire, hostile_queries) {
  const std::string good = dns_test::query({"web.default.svc.cluster.local.", 1, 1232});
  struct Row {
    const char* name;
    std::string in;
    Outcome want;
    Rcode rcode;
  };
  const std::string question_type = dns_test::u16(1) + dns_test::u16(1);
  const Row rows[] = {
      {"good", good, Outcome::kAnswer, Rcode::kNoError},
      {"empty", "", Outcome::kDrop, Rcode::kNoError},
      {"half a header", good.substr(0, 11), Outcome::kDrop, Rcode::kNoError},
      {"a response", header(0x8100, 1) + dns_test::wire_name("a.") + question_type, Outcome::kDrop, Rcode::kNoError},
      {"no question", header(0x0100, 0), Outcome::kReject, Rcode::kFormErr},
      {"two questions", header(0x0100, 2), Outcome::kReject, Rcode::kFormErr},
      {"notify", header(0x2000, 1), Outcome::kReject, Rcode::kNotImp},
      {"name without end", header(0x0100, 1) + "\x03www", Outcome::kReject, Rcode::kFormErr},
      {"label longer than the message", header(0x0100, 1) + "\x3fwww", Outcome::kReject, Rcode::kFormErr},
      {"pointer to itself", header(0x0100, 1) + "\xc0\x0c" + question_type, Outcome::kReject, Rcode::kFormErr},
      {"reserved label type", header(0x0100, 1) + "\x80\x01" + question_type, Outcome::kReject, Rcode::kFormErr},
      {"no type",
       header(0x0100, 1) + std::string("\x01"
                                       "a\0",
                                       3),
       Outcome::kReject, Rcode::kFormErr},
      {"name of more than 255 bytes",
       header(0x0100, 1) +
           dns_test::wire_name(std::string(60, 'a') + "." + std::string(60, 'b') + "." + std::string(60, 'c') + "." + std::string(60, 'd') +
                               "." + std::string(60, 'e')) +
           question_type,
       Outcome::kReject, Rcode::kFormErr},
      {"option cut off", good.substr(0, good.size() - 1), Outcome::kReject, Rcode::kFormErr},
      {"root", header(0x0100, 1) + std::string(1, '\0') + question_type, Outcome::kAnswer, Rcode::kNoError},
  };
  for (const Row& row : rows) {
    const ParsedQuery got = parse_query(row.in);
    EXPECT_EQ(got.outcome, row.want) << row.name;
    EXPECT_EQ(got.rcode, row.rcode) << row.name;
    // Whatever it was, an answer to it can be written.
    if (got.outcome != Outcome::kDrop) {
      EXPECT_TRUE(dns_test::parse(render_response(got.query, {.rcode = got.rcode}, 512)).ok) << row.name;
    }
  }
  for (size_t cut = 0; cut < good.size(); ++cut) parse_query(good.substr(0, cut));
  for (size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = good;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      const ParsedQuery got = parse_query(flipped);
      if (got.outcome != Outcome::kDrop) {
        EXPECT_TRUE(dns_test::parse(render_response(got.query, {.rcode = got.rcode}, 512)).ok);
      }
    }
  }
}

TEST(Wire, names_are_compressed) {
  const auto parsed = parse_query(dns_test::query({"db.default.svc.cluster.local.", 1}));
  server::dns::Answer answer;
  for (uint8_t i = 0; i < 10; ++i) answer.answers.push_back({parsed.query.name, server::dns::Type::kA, 5, base::Ip::v4(10, 0, 0, i)});
  const std::string bytes = render_response(parsed.query, answer, 512);
  EXPECT_EQ(bytes.size(), 12 + 30 + 4 + 10 * 16u);
  EXPECT_TRUE(dns_test::parse(bytes).ok);
}

TEST(Wire, zone_file_text) {
  using namespace server::dns;
  EXPECT_EQ(render_record({parse_name("a.b"), Type::kA, 5, base::Ip::v4(10, 0, 0, 1)}), "a.b. 5 IN A 10.0.0.1");
  EXPECT_EQ(render_record({parse_name("a.b"), Type::kSrv, 5, Srv{0, 100, 80, parse_name("c.d")}}), "a.b. 5 IN SRV 0 100 80 c.d.");
  EXPECT_EQ(render_name({"a b", "c\"."}), "a\\032b.c\\034\\046.");
}

}  // namespace
