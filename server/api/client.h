// server/api/client.h - how everything inside kubelan reads and writes objects: the same pipeline as REST
// (decode, default, validate, allocate, persist), without HTTP. There is no back door.
//
// Thread-safe; calls block on the store (about 0.1 ms). Errors carry Kubernetes reasons.
#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "store/base/clock.h"
#include "store/base/result.h"
#include "store/object/object.h"
#include "store/object/selector.h"
#include "store/schema/schema.h"
#include "store/store.h"

namespace server {

using json = nlohmann::json;

struct DeleteOptions {
  int64_t grace_period_seconds = -1;  // -1: the object's own.
  std::string propagation;            // "", "Foreground", "Background", "Orphan"
  std::string uid;                    // Precondition; "" = none.
};

// A token of a service account, as TokenRequest asks for it.
struct TokenWish {
  std::string ns, account;
  std::vector<std::string> audiences;  // Empty: the API server's.
  int64_t seconds = 3600;
  std::string bound_version, bound_kind, bound_name, bound_uid;  // Kind "": bound to nothing.
};
struct IssuedToken {
  std::string token;
  base::WallTime until{};
  std::vector<std::string> audiences;
};

enum class PatchType { kMerge, kStrategic, kJson };

class Client {
 public:
  virtual ~Client() = default;
  virtual const store::Registry& registry() const = 0;

  virtual base::Result<store::Object> get(const store::Resource& r, const std::string& ns, const std::string& name) = 0;
  virtual base::Result<std::vector<store::Object>> list(const store::Resource& r, const std::string& ns,
                                                         const store::LabelSelector& selector = {}) = 0;
  // metadata.namespace of `tree` says where. generateName works.
  virtual base::Result<store::Object> create(const store::Resource& r, json tree) = 0;
  // tree's metadata.resourceVersion is the expected revision (absent: unconditional). kConflict: re-read and retry.
  virtual base::Result<store::Object> update(const store::Resource& r, json tree) = 0;
  virtual base::Result<store::Object> update_status(const store::Resource& r, json tree) = 0;
  // Read-modify-write inside the server, retried on conflict. `subresource`: "" or "status".
  virtual base::Result<store::Object> patch(const store::Resource& r, const std::string& ns, const std::string& name, PatchType type,
                                            const json& patch, const std::string& subresource = "") = 0;
  virtual base::Status remove(const store::Resource& r, const std::string& ns, const std::string& name,
                              const DeleteOptions& options = {}) = 0;
  // pods/binding
  virtual base::Status bind(const std::string& ns, const std::string& pod, const std::string& node) = 0;

  // kNotFound: no such account, or nothing there to bind it to; kConflict: another uid.
  virtual base::Result<IssuedToken> issue_token(const TokenWish& wish) = 0;
  // For a Secret of type kubernetes.io/service-account-token: good as long as both exist.
  virtual base::Result<std::string> issue_secret_token(const std::string& ns, const std::string& account, const std::string& secret) = 0;

  // Everything stored now, of all resources, and a watch of what follows, without gap (informers).
  struct Snapshot {
    std::vector<store::Object> objects;
    std::unique_ptr<store::Watch> watch;
  };
  virtual base::Result<Snapshot> snapshot_and_watch() = 0;
};

}  // namespace server
