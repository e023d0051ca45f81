// server/api/core.h - what the verbs share. Internal to server/api; one instance, thread-safe.
#pragma once

#include <atomic>
#include <mutex>
#include <unordered_set>

#include "server/api/api_server.h"
#include "server/api/documents.h"
#include "server/api/pipeline.h"
#include "server/api/request_info.h"
#include "server/api/request_metrics.h"

namespace server {

// Open watches, so that all can be woken at once.
class OpenWatches {
 public:
  class Entry {
   public:
    Entry(OpenWatches& owner, store::Watch* watch);
    ~Entry();
    Entry(const Entry&) = delete;

   private:
    OpenWatches& owner_;
    store::Watch* watch_;
  };
  void close_all();  // And every later one.
  bool closed() const { return closed_; }
  size_t count() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_set<store::Watch*> watches_;
  std::atomic<bool> closed_{false};
};

struct Core {
  Core(store::Store& s, const store::Registry& r, const base::Clock& c, const ApiOptions& o)
      : started(c.wall()),
        store(s),
        registry(r.resources()),
        clock(c),
        options(o),
        services(o.all_service_cidrs(), {o.dns_address, o.all_service_cidrs()[0].address().plus(1)}),
        addresses(s, registry, c, services, o.all_service_cidrs()),
        ingresses(s),
        access(s, c, o.token_key_pem, o.token_issuer),
        documents(registry, o.server_address),
        custom_kinds(s, registry, c, [this](const std::string& group) { documents.forget(group); }),
        pipeline(s, registry, c, services, addresses, ingresses, access, custom_kinds) {}

  const base::WallTime started;
  store::Store& store;
  store::Registry registry;  // What is compiled in, and what definitions add.
  const base::Clock& clock;
  ApiOptions options;
  ServiceAllocator services;
  AddressObjects addresses;
  IngressAdmission ingresses;
  AccessControl access;
  Documents documents;
  CustomKinds custom_kinds;
  Pipeline pipeline;
  OpenWatches watches;
  RequestMetrics metrics;
  std::atomic<PodRuntime*> runtime{nullptr};
  std::atomic<bool> ready{false};
};

// One request on its way; the verbs answer it.
struct Call {
  Core& core;
  const HttpRequest& request;
  const RequestInfo& info;
  const store::Resource& resource;
  const auth::User& user;
};

}  // namespace server
