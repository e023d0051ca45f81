// server/gateway/engine/pool.h - connections to endpoints, kept between requests. They belong to one loop: nothing is handed
// from thread to thread, and the one used last is used first, so that few stay warm and the rest go.
//
// Loop thread only.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/gateway/engine/deadlines.h"
#include "server/gateway/engine/stream.h"
#include "server/gateway/http1/client.h"
#include "server/gateway/http2/client.h"
#include "server/gateway/table/table.h"
#include "server/gateway/tls/client_tls.h"
#include "store/base/loop.h"

namespace server::gateway {

struct PoolLimits {
  // Kept, of all endpoints together; more only as far as so many were in use at once a moment ago: closing them between two
  // bursts to open them again would cost more than the requests.
  size_t idle = 1024;
  std::chrono::milliseconds idle_time{60'000};
  std::chrono::milliseconds life{3'600'000};
  uint32_t requests = 10'000;                      // A connection.
};

struct OpenRequest {
  const Upstream* upstream = nullptr;
  Endpoint endpoint;
  std::string host;            // For SNI when the upstream's TLS names none.
  std::string connection_header;
  bool http10 = false;
  bool fresh = false;          // Not a kept one.
  bool careful = false;        // Look first whether a kept one is still there: the request must not be sent twice.
  size_t max_head = 4096;
};

class Pool final : public Http1Client::Host, public Http2Client::Host {
 public:
  Pool(base::Loop& loop, Deadlines& deadlines, ClientTls& tls, const PoolLimits& limits);
  ~Pool() override;

  struct Opened {
    UpstreamStream* stream = nullptr;
    bool reused = false;
    std::function<bool()> connected;  // Of a fresh one: has it got through? Good as long as the stream.
  };
  // Never fails at once: errors come to `events`.
  Opened open(const OpenRequest& request, UpstreamEvents* events);
  size_t idle() const { return idle_count_; }
  size_t connections() const { return http1_.size() + http2_.size(); }

 private:
  struct Key {
    base::Ip address;
    uint16_t port = 0;
    std::shared_ptr<const UpstreamTls> tls;
    std::string host;          // Only with TLS.
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const { return std::hash<base::Ip>()(key.address) * 31 + key.port; }
  };
  struct Kept {
    std::unique_ptr<Http1Client> client;
    Key key;
    std::chrono::steady_clock::time_point made, idle_since;
    bool idle = false;
  };
  struct Shared {
    std::unique_ptr<Http2Client> client;
    Key key;
    std::chrono::steady_clock::time_point idle_since;
  };

  void on_idle(Http1Client& connection) override;
  void on_connection_over(Http1Client& connection) override;
  void on_http2_over(Http2Client& connection) override;
  Opened open_http1(const OpenRequest& request, Key key, UpstreamEvents* events);
  Opened open_http2(const OpenRequest& request, Key key, UpstreamEvents* events);
  std::unique_ptr<Socket> make_socket(const OpenRequest& request, bool http2);
  Http1Client* take_idle(const Key& key, bool careful);
  void forget_idle(Http1Client* client, const Key& key);
  void sweep();
  std::vector<Http1Client*> surplus() const;
  void note_use() { peak_ = std::max(peak_, http1_.size() - idle_count_); }
  size_t idle_limit() const { return std::max({limits_.idle, peak_, peak_before_}); }

  base::Loop& loop_;
  Deadlines& deadlines_;
  ClientTls& tls_;
  const PoolLimits limits_;
  std::unordered_map<Http1Client*, Kept> http1_;
  std::unordered_map<Key, std::vector<Http1Client*>, KeyHash> idle_;
  size_t idle_count_ = 0;
  size_t peak_ = 0, peak_before_ = 0;  // Of HTTP/1 connections in use: since the last sweep, and between the two before.
  std::unordered_map<Http2Client*, Shared> http2_;
  Deadline sweep_;
};

}  // namespace server::gateway
