// server/api/allocator.h - cluster addresses and node ports of Services, given out as upstream's REST storage does.
// What is taken is known from the live Services (rebuilt on start), so nothing else needs to be stored.
//
// Thread-safe. A Reservation holds what a write took until the write is known to have happened.
#pragma once

#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "server/api/address_pool.h"
#include "store/base/ip.h"
#include "store/base/result.h"
#include "store/schema/schema.h"
#include "store/store.h"

namespace server {

using json = nlohmann::json;

class ServiceAllocator {
 public:
  // The name of the ServiceCIDR that holds `cidrs`.
  static constexpr const char* kDefaultRange = "kubernetes";

  // `cidrs`: one, or one of each family; the first is the default family. `reserved` is given only to who asks.
  ServiceAllocator(const std::vector<base::Cidr>& cidrs, const std::vector<base::Ip>& reserved);

  // Reads the live Services. Call once before the first write.
  base::Status load(const store::Store& store);

  // Gives back on destruction what was taken, unless keep() was called.
  class Reservation {
   public:
    Reservation() = default;
    Reservation(Reservation&&) = default;
    Reservation& operator=(Reservation&& other) noexcept;
    ~Reservation() { undo(); }
    void keep();  // The write happened: what the Service no longer uses is released.

   private:
    friend class ServiceAllocator;
    struct Release {
      void operator()(ServiceAllocator*) const {}
    };
    void undo();
    std::unique_ptr<ServiceAllocator, Release> owner_;  // Null when moved from or done.
    std::vector<base::Ip> ips_, stale_ips_;
    std::vector<int> ports_, stale_ports_;
    std::string holder_;
  };

  // Completes clusterIP(s), ipFamilies, ipFamilyPolicy, nodePorts and healthCheckNodePort of `service` (`old` null:
  // created) and takes them; drops what its new type does not have. kInvalid, worded as upstream, for what is taken,
  // out of range or contradicts itself; kInternal when a range is full.
  base::Result<Reservation> allocate(const json& old, json& service, const store::Resource& r);
  // The Service is gone.
  void release(const json& service);

  // Ranges of ServiceCIDR objects; see AddressPool.
  void set_ranges(const std::string& name, const std::vector<base::Cidr>& cidrs, bool ready);
  void remove_ranges(const std::string& name);
  std::vector<std::string> closing_ranges() const;
  bool range_in_use(const std::string& name) const;

  // An address that an IPAddress object keeps from Services. False: somebody has it.
  bool hold(const base::Ip& ip, const std::string& holder);
  void let_go(const base::Ip& ip, const std::string& holder);

 private:
  struct Plan;
  base::Status plan_ips(const json& old, json& service, Plan* plan);
  base::Status take_missing_ips(json& service, size_t first, Plan* plan);
  base::Status plan_ports(const json& old, json& service, Plan* plan);
  base::Status create_ports(json& ports, bool allocate, Plan* plan);
  base::Status update_ports(const json& old, json& ports, bool allocate, Plan* plan);
  base::Status take_port(int64_t port, size_t index, Plan* plan);
  base::Result<int> next_port(Plan* plan);
  base::Status take_health_port(json& service, Plan* plan);
  void give_back(const Plan& plan);

  std::vector<base::Family> families_;
  mutable std::mutex mutex_;  // Guards the pools.
  AddressPool addresses_;
  PortPool ports_;
};

}  // namespace server
