// server/informer/recording_client.h - a Client that remembers what was written through it, so that the control
// loop can tell when its caches hold those writes. Same thread rule as the client it wraps, but only writes
// made between begin() and end() on one thread are remembered.
#pragma once

#include <string>
#include <thread>
#include <vector>

#include "server/api/client.h"

namespace server {

// What the caches must hold before a key runs again.
struct WriteBar {
  store::Revision revision = 0;
  struct Removed {
    store::Key key;
    std::string uid;
  };
  std::vector<Removed> removed;  // Gone, replaced or marked for deletion.
  bool empty() const { return revision == 0 && removed.empty(); }
};

class RecordingClient final : public Client {
 public:
  explicit RecordingClient(Client& inner) : inner_(inner) {}

  void begin();
  WriteBar end();

  const store::Registry& registry() const override { return inner_.registry(); }
  base::Result<store::Object> get(const store::Resource& r, const std::string& ns, const std::string& name) override;
  base::Result<std::vector<store::Object>> list(const store::Resource& r, const std::string& ns,
                                                const store::LabelSelector& selector) override;
  base::Result<store::Object> create(const store::Resource& r, json tree) override;
  base::Result<store::Object> update(const store::Resource& r, json tree) override;
  base::Result<store::Object> update_status(const store::Resource& r, json tree) override;
  base::Result<store::Object> patch(const store::Resource& r, const std::string& ns, const std::string& name, PatchType type,
                                    const json& patch, const std::string& subresource) override;
  base::Status remove(const store::Resource& r, const std::string& ns, const std::string& name, const DeleteOptions& options) override;
  base::Status bind(const std::string& ns, const std::string& pod, const std::string& node) override;
  base::Result<IssuedToken> issue_token(const TokenWish& wish) override { return inner_.issue_token(wish); }
  base::Result<std::string> issue_secret_token(const std::string& ns, const std::string& account, const std::string& secret) override {
    return inner_.issue_secret_token(ns, account, secret);
  }
  base::Result<Snapshot> snapshot_and_watch() override { return inner_.snapshot_and_watch(); }

 private:
  bool recording() const { return active_ && std::this_thread::get_id() == thread_; }
  base::Result<store::Object> note(base::Result<store::Object> result);

  Client& inner_;
  bool active_ = false;  // Written by the control thread only; other threads see a stale value and then another id.
  std::thread::id thread_;
  WriteBar bar_;
};

}  // namespace server
