// server/dns/wire.h - DNS messages (RFC 1035, EDNS0 of RFC 6891, extended errors of RFC 8914): queries in,
// responses out. Pure; any thread. Input is hostile: nothing is read outside the given bytes, nothing loops.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "store/base/ip.h"

namespace server::dns {

enum class Type : uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kSoa = 6,
  kPtr = 12,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
  kOpt = 41,
  kIxfr = 251,
  kAxfr = 252,
  kAny = 255,
};
enum class Rcode : uint8_t { kNoError = 0, kFormErr = 1, kServFail = 2, kNxDomain = 3, kNotImp = 4, kRefused = 5, kBadVers = 16 };

// A domain name as its labels, the root excluded. Any byte may be in a label; 1 to 63 bytes each, 255 in all.
using Name = std::vector<std::string>;
// "a.b." or "a.b", no escapes: for names that kubelan makes itself. Empty labels are left out.
Name parse_name(std::string_view text);
std::string render_name(const Name& name);  // "a.b.", '.' for the root; odd bytes as \DDD.
Name lower(Name name);                      // ASCII only, as DNS compares.
// Fits the limits above.
bool is_valid(const Name& name);

struct Edns {
  uint16_t udp_size = 512;
  uint8_t version = 0;
};
struct Query {
  uint16_t id = 0;
  uint8_t opcode = 0;
  bool recursion_desired = false;
  bool checking_disabled = false;
  Name name;  // As asked: the case goes back into the answer.
  Type type = Type::kA;
  uint16_t klass = 1;
  std::optional<Edns> edns;
  bool has_question = false;  // False: only the header was understood.
};
struct ParsedQuery {
  enum class Outcome { kAnswer, kReject, kDrop };  // kReject: answer with `rcode` right away. kDrop: not a query.
  Outcome outcome = Outcome::kDrop;
  Rcode rcode = Rcode::kNoError;
  Query query;
};
ParsedQuery parse_query(std::string_view message);

struct Srv {
  uint16_t priority = 0;
  uint16_t weight = 0;
  uint16_t port = 0;
  Name target;
};
struct Soa {
  Name mname;
  Name rname;
  uint32_t serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0;
};
struct Txt {
  std::string text;  // At most 255 bytes.
};
struct Record {
  Name name;
  Type type = Type::kA;
  uint32_t ttl = 0;
  std::variant<base::Ip, Name, Srv, Soa, Txt> data;  // Name: CNAME, NS, PTR.
};
// One line of a zone file: "name ttl IN TYPE data".
std::string render_record(const Record& record);

struct ExtendedError {
  uint16_t code = 0;
  std::string text;
};
struct Answer {
  Rcode rcode = Rcode::kNoError;
  bool authoritative = false;
  std::vector<Record> answers, authority, additional;
  std::optional<ExtendedError> error;  // Sent only to clients that speak EDNS.
};
// The response, at most `max_size` bytes (header, question and OPT always fit in 512). What does not fit is left
// out record by record; TC is set when an answer or authority record is missing.
std::string render_response(const Query& query, const Answer& answer, size_t max_size);
// What a UDP client takes: 512, or what EDNS says up to 1232 (more would be fragmented on some links).
size_t udp_limit(const Query& query);

}  // namespace server::dns
