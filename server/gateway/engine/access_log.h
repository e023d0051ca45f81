// server/gateway/engine/access_log.h - a line a request, in the format that ingress-nginx' users know, gathered and handed
// on a few times a second.
//
// Loop thread only; the sink is called there too.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>

#include "server/gateway/engine/deadlines.h"
#include "server/gateway/message/message.h"
#include "server/gateway/table/table.h"

namespace server::gateway {

// A try that was not the last. As with nginx: one that gave no answer has the status 502, or 504 where it took too long.
struct EarlierTry {
  Endpoint endpoint;
  int status = 0;
  std::chrono::nanoseconds took{0};
};

struct AccessRecord {
  const RequestHead* request = nullptr;
  const ClientInfo* client = nullptr;
  int status = 0;
  uint64_t sent = 0;                       // Of the body.
  std::string_view request_id;
  std::chrono::nanoseconds took{0};
  const Upstream* upstream = nullptr;      // nullptr: there is none.
  std::span<const EarlierTry> earlier;
  const Endpoint* endpoint = nullptr;      // Of the last try; nullptr: it is the last of `earlier`, or there was none.
  std::chrono::nanoseconds endpoint_took{0};
};

// What was tried is in the fields of the endpoint, separated by commas:
// 172.30.0.2 - - [23/Nov/2026:15:04:05 +0000] "GET /app HTTP/1.1" 200 12 "-" "curl/8" 86 0.002 [default-app-80] [] 10.244.1.5:80 12 0.002 200 4f...
void append_access_line(const AccessRecord& record, std::string* out);

class AccessLog {
 public:
  using Sink = std::function<void(std::string&& lines)>;
  AccessLog(Deadlines& deadlines, Sink sink);
  ~AccessLog();
  void add(const AccessRecord& record);

 private:
  void flush();
  Deadlines& deadlines_;
  const Sink sink_;
  std::string lines_;
  Deadline due_;
};

}  // namespace server::gateway
