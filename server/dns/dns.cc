#include "server/dns/dns.h"

#include <set>
#include <utility>

#include "server/dns/look_up.h"
#include "server/dns/records.h"
#include "server/dns/server.h"
#include "server/dns/zone.h"

namespace server {
namespace {

using model::ServiceKey;

// Lives on the io loop's thread.
struct IoSide {
  dns::Zone zone;
  std::vector<std::unique_ptr<dns::Server>> servers;
};

// What one round of changes does to the zone.
struct Delta {
  std::vector<std::pair<ServiceKey, std::optional<dns::ServiceRecords>>> services;
  std::vector<std::pair<std::string, bool>> namespaces;
};

class DnsImpl final : public Dns {
 public:
  DnsImpl(ControlLoop& loop, ServiceFeed& services, base::Loop& io, std::vector<DnsSockets> sockets, const DnsOptions& options)
      : loop_(loop), domain_(options.domain), index_(services.index()), io_(io), io_side_(std::make_shared<IoSide>(IoSide{dns::Zone(options.domain, options.ttl_seconds), {}})) {
    auto held = std::make_shared<std::vector<DnsSockets>>(std::move(sockets));
    io_.post([side = io_side_, held, loop_of_io = &io_] {
      for (DnsSockets& pair : *held) {
        side->servers.push_back(std::make_unique<dns::Server>(
            *loop_of_io, std::move(pair), [zone = &side->zone](const dns::Query& query) { return zone->answer(query); }));
      }
    });
    services.on_change([this](const std::set<ServiceKey>& keys) {
      dirty_.insert(keys.begin(), keys.end());
      schedule_flush();
    });
    loop.on_change("namespaces", [this](const store::Object& before, const store::Object& after) {
      if (before && after) return;
      namespaces_.emplace_back((after ? after : before).name(), static_cast<bool>(after));
      schedule_flush();
    });
    // Handled after start() has delivered everything there is; says that the zone is complete.
    schedule_flush();
  }

  void look_up(std::string name, std::function<void(DnsAddresses)> done) override {
    io_.post([side = io_side_, domain = domain_, name = std::move(name), done = std::move(done)] { done(dns::find_addresses(side->zone, name, domain)); });
  }

  ~DnsImpl() override {
    io_.call([this] { io_side_->servers.clear(); });
  }

 private:
  // Once after all events that are due, not once an event.
  void schedule_flush() {
    if (std::exchange(flush_scheduled_, true)) return;
    loop_.post([this] {
      flush_scheduled_ = false;
      flush();
    });
  }

  void flush() {
    auto delta = std::make_shared<Delta>();
    for (const ServiceKey& key : std::exchange(dirty_, {})) {
      const model::Service* service = index_.find(key);
      std::optional<dns::ServiceRecords> records;
      if (service != nullptr) records = dns::compile_records(*service, index_.slices(key));
      delta->services.emplace_back(key, std::move(records));
    }
    delta->namespaces = std::exchange(namespaces_, {});
    io_.post([side = io_side_, delta] {
      for (auto& [key, records] : delta->services) side->zone.set_service(key, std::move(records));
      for (const auto& [name, exists] : delta->namespaces) side->zone.set_namespace(name, exists);
      side->zone.set_synced();
    });
  }

  ControlLoop& loop_;
  const std::string domain_;
  const model::ServiceIndex& index_;
  base::Loop& io_;
  std::shared_ptr<IoSide> io_side_;
  std::set<ServiceKey> dirty_;
  std::vector<std::pair<std::string, bool>> namespaces_;
  bool flush_scheduled_ = false;
};

}  // namespace

std::unique_ptr<Dns> make_dns(ControlLoop& loop, ServiceFeed& services, base::Loop& io, std::vector<DnsSockets> sockets, const DnsOptions& options) {
  return std::make_unique<DnsImpl>(loop, services, io, std::move(sockets), options);
}

}  // namespace server
