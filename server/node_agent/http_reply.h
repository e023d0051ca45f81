// server/node_agent/http_reply.h - what an HTTP probe says and hears: URLs, the request, and a reader of the reply.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "server/node_agent/probe_spec.h"

namespace server {

struct ProbeUrl {
  bool https = false;
  std::string host;    // Without brackets.
  int port = 0;        // 0: the scheme's own, not shown.
  std::string path;    // With the query; begins with "/".
  int effective_port() const { return port != 0 ? port : https ? 443 : 80; }
  std::string authority() const;  // "10.244.1.2:80", "[fd00::1]:80"
  std::string text() const;
};
ProbeUrl compile_probe_url(const Action& action, const std::string& pod_ip);
// Where a Location header leads, seen from `base`.
ProbeUrl resolve_location(const ProbeUrl& base, const std::string& location);

// `agent`: the User-Agent, unless the action has one. `keep_host`: a Host header of the probe's goes along (not on a redirect that names a host).
std::string render_probe_request(const ProbeUrl& url, const Action& action, const std::string& agent, bool keep_host);

// Takes the reply in pieces of any size. As the kubelet it reads at most kMaxBody of the body.
class HttpReply {
 public:
  static constexpr size_t kMaxBody = 10u << 10;
  enum class State { kHead, kBody, kDone, kBroken };

  State feed(std::string_view bytes);
  State end();                        // The peer closed.
  State state() const { return state_; }
  int status() const { return status_; }
  const std::string& location() const { return location_; }
  const std::string& body() const { return body_; }
  const std::string& problem() const { return problem_; }  // kBroken

 private:
  enum class Framing { kUntilEnd, kLength, kChunked };
  State parse_head();
  State take_body();
  State take_chunks();
  State broken(const std::string& problem);

  State state_ = State::kHead;
  Framing framing_ = Framing::kUntilEnd;
  std::string in_;
  int status_ = 0;
  size_t length_ = 0;
  std::string location_, body_, problem_;
};

}  // namespace server
