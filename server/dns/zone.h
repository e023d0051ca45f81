// server/dns/zone.h - the cluster's zone: names to answers, kept as what the services contribute and worked out
// a query at a time, so that one change costs one service.
//
// Thread rule: one owner thread (the io loop).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/dns/records.h"
#include "server/dns/wire.h"
#include "server/model/service.h"

namespace server::dns {

using model::ServiceKey;

class Zone {
 public:
  Zone(const std::string& domain, uint32_t ttl_seconds);

  void set_service(const ServiceKey& key, std::optional<ServiceRecords> records);  // nullopt: it is gone.
  void set_namespace(const std::string& name, bool exists);
  // Until then a missing name may only be missing here: SERVFAIL instead of NXDOMAIN.
  void set_synced() { synced_ = true; }

  // Never fails; counts on for the rotation of addresses.
  Answer answer(const Query& query);

 private:
  // What is known about one name.
  struct Found {
    bool exists = false;
    std::vector<Record> records;  // Of the type asked for, or the CNAME that is there instead.
    std::vector<Record> additional;
  };
  struct Question {
    Name name;  // As asked.
    Type type;
    bool wants(Type t) const { return type == t || type == Type::kAny; }
  };

  Found find_in_domain(const Question& question, const Name& labels);
  Found find_apex(const Question& question) const;
  Found find_under_svc(const Question& question, const Name& labels);
  Found find_service(const Question& question, const ServiceKey& key, const ServiceRecords& service);
  Found find_endpoint(const Question& question, const ServiceRecords& service, const std::string& label) const;
  Found find_srv(const Question& question, const ServiceKey& key, const ServiceRecords& service, const std::string& port,
                 const std::string& protocol) const;
  Found find_pod(const Question& question, const std::string& ns, const std::string& label) const;
  Found find_reverse(const Question& question, const base::Ip& ip) const;
  void add_srv(Found& found, const Question& question, const ServiceKey& key, const ServiceRecords& service,
               const std::function<bool(const PortRecord&)>& wanted) const;
  void follow_cname(Found& found, const Question& question, Answer& answer);
  Answer answer_outside(const Query& query) const;
  Answer finish(Found found, const Question& question, const Name& apex);

  std::optional<Name> strip_domain(const Name& lowered) const;
  void add_address(std::vector<Record>& out, const Question& question, const Name& owner, const base::Ip& ip) const;
  void index_addresses(const ServiceKey& key, const ServiceRecords& records, bool add);
  Name service_name(const ServiceKey& key) const;
  Record soa(const Name& apex) const;

  const Name domain_;
  const uint32_t ttl_;
  bool synced_ = false;
  uint32_t serial_ = 1;
  size_t rotation_ = 0;
  std::set<std::string> namespaces_;
  std::map<std::string, std::map<std::string, ServiceRecords>> services_;     // Namespace, name.
  std::map<base::Ip, std::set<std::pair<ServiceKey, std::string>>> reverse_;  // Endpoint label; "" for the service itself.
};

}  // namespace server::dns
