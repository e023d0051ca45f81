// server/api/audit.h - who did what, in the log at debug: one line a request. Costs one comparison while nobody reads it.
#pragma once

#include <string>

#include "server/api/request_info.h"
#include "server/auth/user.h"
#include "server/http/server.h"
#include "store/base/clock.h"

namespace server {

class Audit {
 public:
  explicit Audit(const base::Clock& clock);
  void found(const auth::User& user, const HttpRequest& request, const RequestInfo& info);
  void finish(const HttpRequest& request, int code) const;  // The line. A watch or stream is told of when it begins.

 private:
  const base::Clock& clock_;
  const bool on_;
  base::MonoTime begun_{};
  std::string who_, what_;
};

}  // namespace server
