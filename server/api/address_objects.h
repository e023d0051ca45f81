// server/api/address_objects.h - ServiceCIDR and IPAddress objects, in step with the allocator, which is the truth.
//
// A ServiceCIDR gets its finalizer and its Ready condition with the write that makes it, and is held while addresses
// of it are taken. IPAddress objects of Services are written from the first request for that kind on: before it nobody
// can tell, and a cluster that nobody asks pays nothing for them. From then on they follow each write of a Service
// before its answer goes out. An IPAddress that a client makes keeps its address from Services.
//
// Thread-safe; calls block on the store.
#pragma once

#include <atomic>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/api/allocator.h"
#include "store/base/clock.h"
#include "store/base/result.h"
#include "store/schema/schema.h"
#include "store/store.h"

namespace server {

using json = nlohmann::json;

class AddressObjects {
 public:
  // `cidrs`: those of the default ServiceCIDR.
  AddressObjects(store::Store& store, const store::Registry& registry, const base::Clock& clock, ServiceAllocator& services, std::vector<base::Cidr> cidrs)
      : store_(store), registry_(registry), clock_(clock), services_(services), default_cidrs_(std::move(cidrs)) {}

  static bool is_ip_address(std::string_view resource);

  // Reads ServiceCIDRs and the IPAddresses that clients made. After ServiceAllocator::load, before the first write.
  base::Status load();
  // Makes the IPAddress of every address that a Service has, once. Before each request for that kind.
  void show();

  // The address that a new IPAddress object takes; given back on destruction unless keep() was called.
  class Claim {
   public:
    Claim() = default;
    Claim(Claim&& other) noexcept : services_(std::exchange(other.services_, nullptr)), ip_(other.ip_), holder_(std::move(other.holder_)) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim() {
      if (services_) services_->let_go(ip_, holder_);
    }
    void keep() { services_ = nullptr; }

   private:
    friend class AddressObjects;
    ServiceAllocator* services_ = nullptr;
    base::Ip ip_;
    std::string holder_;
  };
  // kAlreadyExists when the address of an IPAddress is taken; of no effect for other kinds.
  base::Result<Claim> before_create(const store::Resource& r, const json& tree);
  // Finalizer and condition of a ServiceCIDR that is about to be written.
  void complete(const store::Resource& r, json& tree) const;

  // An object of this storage name was written (`before` null: created; `after` null: gone).
  void changed(std::string_view resource, const json* before, const json* after);

 private:
  void service_changed(const json* before, const json* after);
  void address_gone(const json& object);
  void range_changed(const json* before, const json* after);
  void restore_default(const json& gone);
  void finish_closing();
  void finish_range(const std::string& name);
  void make_address(const base::Ip& ip, const json& service);
  void drop_address(const base::Ip& ip);
  base::Status show_all();

  store::Store& store_;
  const store::Registry& registry_;
  const base::Clock& clock_;
  ServiceAllocator& services_;
  const std::vector<base::Cidr> default_cidrs_;
  std::atomic<bool> shown_{false};
  std::mutex mutex_;  // One change of IPAddress objects at a time.
};

}  // namespace server
