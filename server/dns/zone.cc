#include "server/dns/zone.h"

#include <algorithm>
#include <array>

#include "server/dns/special_names.h"

namespace server::dns {
namespace {

constexpr uint32_t kVersionTtl = 28800;
constexpr const char* kSpecVersion = "1.1.0";
constexpr int kMaxCnames = 8;
constexpr uint16_t kNoReachableAuthority = 22;  // RFC 8914

Name concat(Name head, const Name& tail) {
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

Answer reject(Rcode rcode) {
  Answer answer;
  answer.rcode = rcode;
  return answer;
}

}  // namespace

Zone::Zone(const std::string& domain, uint32_t ttl_seconds) : domain_(lower(parse_name(domain))), ttl_(ttl_seconds) {}

void Zone::set_service(const ServiceKey& key, std::optional<ServiceRecords> records) {
  ++serial_;
  auto& in_namespace = services_[key.ns];
  if (auto it = in_namespace.find(key.name); it != in_namespace.end()) {
    index_addresses(key, it->second, false);
    in_namespace.erase(it);
  }
  if (records) {
    index_addresses(key, *records, true);
    in_namespace.emplace(key.name, std::move(*records));
  }
  if (in_namespace.empty()) services_.erase(key.ns);
}

void Zone::set_namespace(const std::string& name, bool exists) {
  ++serial_;
  if (exists) {
    namespaces_.insert(name);
  } else {
    namespaces_.erase(name);
  }
}

void Zone::index_addresses(const ServiceKey& key, const ServiceRecords& records, bool add) {
  auto put = [&](const base::Ip& ip, const std::string& label) {
    if (add) {
      reverse_[ip].emplace(key, label);
      return;
    }
    auto it = reverse_.find(ip);
    if (it == reverse_.end()) return;
    it->second.erase({key, label});
    if (it->second.empty()) reverse_.erase(it);
  };
  for (const base::Ip& ip : records.cluster_ips) put(ip, "");
  for (const EndpointRecord& endpoint : records.endpoints) put(endpoint.ip, endpoint.label);
}

Name Zone::service_name(const ServiceKey& key) const { return concat({key.name, key.ns, "svc"}, domain_); }

Record Zone::soa(const Name& apex) const {
  Soa data{concat({"ns", "dns"}, apex), concat({"hostmaster"}, apex), serial_, 7200, 1800, 86400, ttl_};
  return {apex, Type::kSoa, ttl_, std::move(data)};
}

void Zone::add_address(std::vector<Record>& out, const Question& question, const Name& owner, const base::Ip& ip) const {
  const Type type = ip.is_v4() ? Type::kA : Type::kAaaa;
  if (question.wants(type)) out.push_back({owner, type, ttl_, ip});
}

std::optional<Name> Zone::strip_domain(const Name& lowered) const {
  if (lowered.size() < domain_.size()) return std::nullopt;
  if (!std::equal(domain_.begin(), domain_.end(), lowered.end() - static_cast<ptrdiff_t>(domain_.size()))) return std::nullopt;
  return Name(lowered.begin(), lowered.end() - static_cast<ptrdiff_t>(domain_.size()));
}

Answer Zone::answer(const Query& query) {
  constexpr uint16_t kClassIn = 1, kClassAny = 255;
  if (query.klass != kClassIn && query.klass != kClassAny) return reject(Rcode::kRefused);
  if (query.type == Type::kAxfr || query.type == Type::kIxfr || query.type == Type::kOpt) return reject(Rcode::kRefused);
  const Question question{query.name, query.type};
  const Name lowered = lower(query.name);
  if (auto labels = strip_domain(lowered)) return finish(find_in_domain(question, *labels), question, domain_);
  if (auto reverse = parse_reverse(lowered)) {
    // Reverse zones of private addresses are answered where they are used (RFC 6303), also when empty.
    Found found;
    found.exists = reverse->prefix_only;
    if (reverse->ip) found = find_reverse(question, *reverse->ip);
    if (found.exists || reverse->is_private) return finish(std::move(found), question, reverse->zone);
  }
  return answer_outside(query);
}

Answer Zone::finish(Found found, const Question& question, const Name& apex) {
  Answer out;
  if (!found.exists && !synced_) return reject(Rcode::kServFail);
  out.authoritative = true;
  follow_cname(found, question, out);
  out.answers.insert(out.answers.end(), std::make_move_iterator(found.records.begin()), std::make_move_iterator(found.records.end()));
  out.additional = std::move(found.additional);
  if (!found.exists) out.rcode = Rcode::kNxDomain;
  if (out.answers.empty()) out.authority.push_back(soa(apex));
  return out;
}

// Leaves in `found` what the last name of the chain has; the CNAMEs go to the answer.
void Zone::follow_cname(Found& found, const Question& question, Answer& answer) {
  Question next = question;
  for (int i = 0; i < kMaxCnames; ++i) {
    if (found.records.size() != 1 || found.records.front().type != Type::kCname || question.wants(Type::kCname)) return;
    next.name = std::get<Name>(found.records.front().data);
    answer.answers.push_back(std::move(found.records.front()));
    auto labels = strip_domain(lower(next.name));
    if (!labels) {
      answer.error = ExtendedError{kNoReachableAuthority, kNoWayOut};
      found = Found{.exists = true};
      return;
    }
    found = find_in_domain(next, *labels);
  }
  found = Found{.exists = true};  // A loop: the chain so far is all there is.
}

Zone::Found Zone::find_in_domain(const Question& question, const Name& labels) {
  if (labels.empty()) return find_apex(question);
  Found found;
  const std::string& last = labels.back();
  const size_t count = labels.size();
  if (last == "dns-version" && count == 1) {
    found.exists = true;
    if (question.wants(Type::kTxt)) found.records.push_back({question.name, Type::kTxt, kVersionTtl, Txt{kSpecVersion}});
  } else if (last == "dns" && (count == 1 || (count == 2 && labels[0] == "ns"))) {
    found.exists = true;
    if (auto dns = services_.find("kube-system"); count == 2 && dns != services_.end()) {
      if (auto service = dns->second.find("kube-dns"); service != dns->second.end()) {
        for (const base::Ip& ip : service->second.cluster_ips) add_address(found.records, question, question.name, ip);
      }
    }
  } else if (last == "svc" || last == "pod") {
    if (count == 1) {
      found.exists = true;
    } else if (count == 2) {
      found.exists = namespaces_.contains(labels[0]) || services_.contains(labels[0]);
    } else if (last == "svc") {
      found = find_under_svc(question, labels);
    } else if (count == 3) {
      found = find_pod(question, labels[1], labels[0]);
    }
  }
  return found;
}

Zone::Found Zone::find_apex(const Question& question) const {
  Found found;
  found.exists = true;
  if (question.wants(Type::kSoa)) found.records.push_back(soa(domain_));
  if (question.wants(Type::kNs)) found.records.push_back({question.name, Type::kNs, ttl_, concat({"ns", "dns"}, domain_)});
  return found;
}

// labels: [...] service namespace "svc"
Zone::Found Zone::find_under_svc(const Question& question, const Name& labels) {
  const size_t count = labels.size();
  auto in_namespace = services_.find(labels[count - 2]);
  if (in_namespace == services_.end()) return {};
  auto it = in_namespace->second.find(labels[count - 3]);
  if (it == in_namespace->second.end()) return {};
  const ServiceKey key{in_namespace->first, it->first};
  const ServiceRecords& service = it->second;
  // Nothing lies below an ExternalName, and a headless service without endpoints has no name at all.
  if (count > 3 && !service.external_name.empty()) return {};
  if (count == 3) return find_service(question, key, service);
  if (count == 4) return find_endpoint(question, service, labels[0]);
  if (count == 5 && labels[0].starts_with('_') && labels[1].starts_with('_')) {
    return find_srv(question, key, service, labels[0].substr(1), labels[1].substr(1));
  }
  return {};
}

Zone::Found Zone::find_service(const Question& question, const ServiceKey& key, const ServiceRecords& service) {
  Found found;
  if (!service.external_name.empty()) {
    found.exists = true;
    const Name target = parse_name(service.external_name);
    if (is_valid(target)) found.records.push_back({question.name, Type::kCname, ttl_, target});
    return found;
  }
  found.exists = !service.cluster_ips.empty() || !service.endpoints.empty();
  for (const base::Ip& ip : service.cluster_ips) add_address(found.records, question, question.name, ip);
  if (service.headless) {
    std::set<base::Ip> seen;
    for (const EndpointRecord& endpoint : service.endpoints) {
      if (seen.insert(endpoint.ip).second) add_address(found.records, question, question.name, endpoint.ip);
    }
    // Clients take the first address: let everyone be first in turn.
    if (found.records.size() > 1) {
      const size_t turn = rotation_++ % found.records.size();
      std::rotate(found.records.begin(), found.records.begin() + static_cast<ptrdiff_t>(turn), found.records.end());
    }
  }
  if (question.wants(Type::kSrv)) add_srv(found, question, key, service, [](const PortRecord&) { return true; });
  return found;
}

Zone::Found Zone::find_endpoint(const Question& question, const ServiceRecords& service, const std::string& label) const {
  Found found;
  for (const EndpointRecord& endpoint : service.endpoints) {
    if (endpoint.label != label) continue;
    found.exists = true;
    add_address(found.records, question, question.name, endpoint.ip);
  }
  // "_tcp" above "_http._tcp": no records, but it exists.
  if (label.starts_with('_')) {
    auto has = [&](const std::vector<PortRecord>& ports) {
      return std::any_of(ports.begin(), ports.end(), [&](const PortRecord& port) { return "_" + port.protocol == label; });
    };
    found.exists = found.exists || (!service.headless && has(service.ports));
    for (const EndpointRecord& endpoint : service.endpoints) found.exists = found.exists || (service.headless && has(endpoint.ports));
  }
  return found;
}

Zone::Found Zone::find_srv(const Question& question, const ServiceKey& key, const ServiceRecords& service, const std::string& port,
                           const std::string& protocol) const {
  Found found;
  Question as_srv = question;
  as_srv.type = Type::kSrv;
  add_srv(found, as_srv, key, service, [&](const PortRecord& record) { return record.name == port && record.protocol == protocol; });
  found.exists = !found.records.empty();
  if (question.wants(Type::kSrv)) return found;
  return Found{.exists = found.exists};
}

void Zone::add_srv(Found& found, const Question& question, const ServiceKey& key, const ServiceRecords& service,
                   const std::function<bool(const PortRecord&)>& wanted) const {
  struct Entry {
    uint16_t port;
    Name target;
    base::Ip ip;
  };
  std::vector<Entry> entries;
  const Name name = service_name(key);
  if (service.headless) {
    for (const EndpointRecord& endpoint : service.endpoints) {
      for (const PortRecord& port : endpoint.ports) {
        if (wanted(port)) entries.push_back({port.port, concat({endpoint.label}, name), endpoint.ip});
      }
    }
  } else {
    for (const PortRecord& port : service.ports) {
      if (wanted(port) && !service.cluster_ips.empty()) entries.push_back({port.port, name, service.cluster_ips.front()});
    }
  }
  std::set<std::pair<Name, base::Ip>> targets;
  for (const Entry& entry : entries) {
    const auto weight = static_cast<uint16_t>(std::max<size_t>(1, 100 / entries.size()));
    found.records.push_back({question.name, Type::kSrv, ttl_, Srv{0, weight, entry.port, entry.target}});
    if (targets.emplace(entry.target, entry.ip).second) {
      found.additional.push_back({entry.target, entry.ip.is_v4() ? Type::kA : Type::kAaaa, ttl_, entry.ip});
    }
  }
}

// The address is in the name; it is taken at its word ("insecure" in CoreDNS' terms), but the namespace must exist.
Zone::Found Zone::find_pod(const Question& question, const std::string& ns, const std::string& label) const {
  Found found;
  if (!namespaces_.contains(ns)) return found;
  std::string v4 = label, v6 = label;
  std::replace(v4.begin(), v4.end(), '-', '.');
  std::replace(v6.begin(), v6.end(), '-', ':');
  for (const std::string& text : {v4, v6}) {
    auto ip = base::Ip::parse(text);
    if (!ip.ok()) continue;
    found.exists = true;
    add_address(found.records, question, question.name, *ip);
    break;
  }
  return found;
}

Zone::Found Zone::find_reverse(const Question& question, const base::Ip& ip) const {
  Found found;
  auto it = reverse_.find(ip);
  if (it == reverse_.end()) return found;
  found.exists = true;
  if (!question.wants(Type::kPtr)) return found;
  for (const auto& [key, label] : it->second) {
    Name target = service_name(key);
    if (!label.empty()) target.insert(target.begin(), label);
    found.records.push_back({question.name, Type::kPtr, ttl_, std::move(target)});
  }
  return found;
}

Answer Zone::answer_outside(const Query& query) const {
  const Name name = lower(query.name);
  const Question question{query.name, query.type};
  if (!name.empty() && name.back() == "localhost") {
    // RFC 6761. Authoritative: glibc takes an empty answer that is not for a lame server's and asks again.
    Answer out;
    out.authoritative = true;
    add_address(out.answers, question, query.name, base::Ip::v4(127, 0, 0, 1));
    return out;
  }
  if (is_never_delegated(name)) {
    Answer out = reject(Rcode::kNxDomain);
    out.authoritative = true;
    return out;
  }
  Answer out = reject(Rcode::kServFail);
  out.error = ExtendedError{kNoReachableAuthority, kNoWayOut};
  return out;
}

}  // namespace server::dns
