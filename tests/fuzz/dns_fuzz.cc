// libFuzzer: any bytes as a query to a zone with something in it. What comes back must be a response of bounded
// size to that query.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "server/dns/wire.h"
#include "server/dns/zone.h"

namespace {

server::dns::Zone& zone() {
  static server::dns::Zone* zone = [] {
    auto* made = new server::dns::Zone("cluster.local", 5);
    made->set_namespace("default", true);
    server::dns::ServiceRecords web;
    web.cluster_ips = {base::Ip::v4(10, 96, 1, 1)};
    web.ports = {{"http", "tcp", 80}};
    made->set_service({"default", "web"}, web);
    server::dns::ServiceRecords db;
    db.headless = true;
    for (uint8_t i = 1; i < 100; ++i) db.endpoints.push_back({"db-" + std::to_string(i), base::Ip::v4(10, 244, 1, i), {{"sql", "tcp", 5432}}});
    made->set_service({"default", "db"}, db);
    server::dns::ServiceRecords alias;
    alias.external_name = "db.default.svc.cluster.local";
    made->set_service({"default", "alias"}, alias);
    made->set_synced();
    return made;
  }();
  return *zone;
}

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using server::dns::ParsedQuery;
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  const ParsedQuery parsed = server::dns::parse_query(message);
  if (parsed.outcome == ParsedQuery::Outcome::kDrop) return 0;
  server::dns::Answer answer;
  answer.rcode = parsed.rcode;
  if (parsed.outcome == ParsedQuery::Outcome::kAnswer) answer = zone().answer(parsed.query);
  for (size_t limit : {server::dns::udp_limit(parsed.query), size_t{65535}}) {
    const std::string out = server::dns::render_response(parsed.query, answer, limit);
    require(out.size() >= 12 && out.size() <= limit);
    require(std::memcmp(out.data(), data, 2) == 0);
    require(server::dns::parse_query(out).outcome == ParsedQuery::Outcome::kDrop);  // A response is no query.
  }
  return 0;
}
