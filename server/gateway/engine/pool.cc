#include "server/gateway/engine/pool.h"

#include <algorithm>

namespace server::gateway {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kSweep{5'000};

}  // namespace

Pool::Pool(base::Loop& loop, Deadlines& deadlines, ClientTls& tls, const PoolLimits& limits)
    : loop_(loop), deadlines_(deadlines), tls_(tls), limits_(limits), sweep_([this] { sweep(); }) {}

Pool::~Pool() = default;

Pool::Opened Pool::open(const OpenRequest& request, UpstreamEvents* events) {
  Key key{request.endpoint.address, request.endpoint.port, request.upstream->tls, request.upstream->tls ? request.host : std::string()};
  return request.upstream->protocol == UpstreamProtocol::kHttp2 ? open_http2(request, std::move(key), events) : open_http1(request, std::move(key), events);
}

std::unique_ptr<Socket> Pool::make_socket(const OpenRequest& request, bool http2) {
  SSL* ssl = request.upstream->tls ? tls_.new_session(*request.upstream->tls, request.host, http2) : nullptr;
  return Socket::connect(loop_, request.endpoint.address, request.endpoint.port, ssl);
}

Pool::Opened Pool::open_http1(const OpenRequest& request, Key key, UpstreamEvents* events) {
  Http1Client* client = request.fresh ? nullptr : take_idle(key, request.careful);
  if (client != nullptr) {
    note_use();
    client->begin(events, request.connection_header, request.http10);
    return {client, true, nullptr};
  }
  auto made = std::make_unique<Http1Client>(make_socket(request, false), *this, request.max_head);
  client = made.get();
  Kept kept{std::move(made), std::move(key), deadlines_.now(), {}, false};
  http1_.emplace(client, std::move(kept));
  note_use();
  if (!sweep_.armed()) deadlines_.arm(sweep_, kSweep);
  client->begin(events, request.connection_header, request.http10);
  client->connect();
  return {client, false, [client] { return client->connected(); }};
}

Pool::Opened Pool::open_http2(const OpenRequest& request, Key key, UpstreamEvents* events) {
  for (auto& [client, shared] : http2_) {
    if (!request.fresh && shared.key == key && client->has_room()) return {client->open_stream(events), true, nullptr};
  }
  auto made = std::make_unique<Http2Client>(make_socket(request, true), *this);
  Http2Client* client = made.get();
  http2_.emplace(client, Shared{std::move(made), std::move(key), deadlines_.now()});
  client->connect();
  if (!sweep_.armed()) deadlines_.arm(sweep_, kSweep);
  return {client->open_stream(events), false, [client] { return client->connected(); }};
}

Http1Client* Pool::take_idle(const Key& key, bool careful) {
  auto it = idle_.find(key);
  if (it == idle_.end()) return nullptr;
  std::vector<Http1Client*>& list = it->second;
  while (!list.empty()) {
    Http1Client* client = list.back();
    list.pop_back();
    --idle_count_;
    http1_.at(client).idle = false;
    if (!careful || client->usable()) return client;
    client->drop();
  }
  return nullptr;
}

void Pool::forget_idle(Http1Client* client, const Key& key) {
  auto it = idle_.find(key);
  if (it == idle_.end()) return;
  auto at = std::find(it->second.begin(), it->second.end(), client);
  if (at == it->second.end()) return;
  it->second.erase(at);
  --idle_count_;
  if (it->second.empty()) idle_.erase(it);
}

void Pool::on_idle(Http1Client& connection) {
  Kept& kept = http1_.at(&connection);
  auto now = deadlines_.now();
  if (idle_count_ >= idle_limit() || connection.uses() >= limits_.requests || now - kept.made > limits_.life) return connection.drop();
  kept.idle = true;
  kept.idle_since = now;
  idle_[kept.key].push_back(&connection);
  ++idle_count_;
  if (!sweep_.armed()) deadlines_.arm(sweep_, kSweep);
}

void Pool::on_connection_over(Http1Client& connection) {
  auto it = http1_.find(&connection);
  if (it == http1_.end()) return;
  if (it->second.idle) forget_idle(&connection, it->second.key);
  bury(std::move(it->second.client));
  http1_.erase(it);
}

void Pool::on_http2_over(Http2Client& connection) {
  auto it = http2_.find(&connection);
  if (it == http2_.end()) return;
  bury(std::move(it->second.client));
  http2_.erase(it);
}

// What has been idle for long, and of the others those idle longest that are more than idle_limit().
std::vector<Http1Client*> Pool::surplus() const {
  auto now = deadlines_.now();
  std::vector<Http1Client*> out;
  std::vector<std::pair<std::chrono::steady_clock::time_point, Http1Client*>> rest;
  for (auto& [client, kept] : http1_) {
    if (!kept.idle) continue;
    if (now - kept.idle_since > limits_.idle_time) out.push_back(client);
    else rest.emplace_back(kept.idle_since, client);
  }
  if (rest.size() <= idle_limit()) return out;
  auto last = rest.begin() + static_cast<ptrdiff_t>(rest.size() - idle_limit());
  std::nth_element(rest.begin(), last, rest.end());
  for (auto it = rest.begin(); it != last; ++it) out.push_back(it->second);
  return out;
}

// Closes what is kept for nothing. Armed only while there is something.
void Pool::sweep() {
  auto now = deadlines_.now();
  peak_before_ = std::exchange(peak_, http1_.size() - idle_count_);
  for (Http1Client* client : surplus()) client->drop();
  std::vector<Http2Client*> quiet;
  for (auto& [client, shared] : http2_) {
    if (!client->idle()) shared.idle_since = now;
    else if (now - shared.idle_since > limits_.idle_time) quiet.push_back(client);
  }
  for (Http2Client* client : quiet) client->drop();
  if (!http1_.empty() || !http2_.empty()) deadlines_.arm(sweep_, kSweep);
}

}  // namespace server::gateway
