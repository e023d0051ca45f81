#include "server/dns/look_up.h"

#include <algorithm>

namespace server::dns {
namespace {

// Of an answer that says there is none.
constexpr uint32_t kNegativeTtl = 5;

DnsAddresses ask(Zone& zone, const std::string& name, Type type) {
  Query query;
  query.has_question = true;
  query.name = parse_name(name);
  query.type = type;
  DnsAddresses out;
  if (!is_valid(query.name)) {
    out.answered = true;
    return out;
  }
  const Answer answer = zone.answer(query);
  out.answered = answer.rcode == Rcode::kNoError || answer.rcode == Rcode::kNxDomain;
  for (const Record& record : answer.answers) {
    const auto* ip = record.type == type ? std::get_if<base::Ip>(&record.data) : nullptr;
    if (ip == nullptr) continue;
    out.ttl_seconds = out.ips.empty() ? record.ttl : std::min(out.ttl_seconds, record.ttl);
    out.ips.push_back(*ip);
  }
  return out;
}

}  // namespace

DnsAddresses find_addresses(Zone& zone, const std::string& name, const std::string& domain) {
  std::vector<std::string> candidates;
  if (!name.ends_with("." + domain)) candidates = {name + ".svc." + domain, name + "." + domain};
  candidates.push_back(name);
  DnsAddresses out;
  out.answered = true;
  for (const std::string& candidate : candidates) {
    for (Type type : {Type::kA, Type::kAaaa}) {
      DnsAddresses found = ask(zone, candidate, type);
      if (!found.ips.empty()) {
        std::sort(found.ips.begin(), found.ips.end());
        return found;
      }
      out.answered = out.answered && found.answered;
    }
  }
  out.ttl_seconds = kNegativeTtl;
  return out;
}

}  // namespace server::dns
