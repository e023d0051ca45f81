// server/api/allocator.h - cluster addresses and node ports of Services. What is taken is known from the live
// Services (rebuilt on start), so nothing else needs to be stored.
//
// Thread-safe. A Reservation holds what a write took until the write is known to have happened.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/base/ip.h"
#include "store/base/result.h"
#include "store/schema/schema.h"
#include "store/store.h"

namespace server {

using json = nlohmann::json;

class ServiceAllocator {
 public:
  ServiceAllocator(const base::Cidr& cidr, const std::vector<base::Ip>& reserved) : cidr_(cidr), reserved_(reserved.begin(), reserved.end()) {}

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

  // Fills clusterIP(s), ipFamilies and nodePorts of `service` (`old` null: created) and takes them.
  // kInvalid, worded as upstream, for what is taken, out of range or may not change.
  base::Result<Reservation> allocate(const json& old, json& service, const store::Resource& r);
  // The Service is gone.
  void release(const json& service);

 private:
  struct Plan;
  base::Status plan_ips(const json& old, json& service, Plan* plan);
  base::Status plan_ports(const json& old, json& service, Plan* plan);
  base::Status take_port(int port, const std::string& field, Plan* plan);
  std::optional<base::Ip> free_ip();
  std::optional<int> free_port();

  base::Cidr cidr_;
  std::set<base::Ip> reserved_;  // Given only to who asks for them by value.
  std::mutex mutex_;             // Guards the rest.
  std::map<base::Ip, std::string> ips_;  // -> "namespace/name"
  std::map<int, std::string> ports_;
  uint64_t next_ip_ = 0;
  int next_port_ = 0;
};

}  // namespace server
