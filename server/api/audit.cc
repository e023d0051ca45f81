#include "server/api/audit.h"

#include "server/api/access_control.h"
#include "store/base/log.h"

namespace server {
namespace {

// Names come from clients: a line stays a line.
std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

}  // namespace

Audit::Audit(const base::Clock& clock) : clock_(clock), on_(base::log::on(base::log::Level::kDebug)) {
  if (on_) begun_ = clock_.mono();
}

void Audit::found(const auth::User& user, const HttpRequest& request, const RequestInfo& info) {
  if (!on_) return;
  who_ = user.name + " [";
  for (size_t i = 0; i < user.groups.size(); ++i) who_ += (i ? "," : "") + user.groups[i];
  who_ += "]";
  // Somebody else asked for it in that user's name.
  if (const std::string as = request.header("impersonate-user"); !as.empty() && !request.user.empty()) who_ += " by " + request.user;
  const auth::Attributes what = attributes_of(request, info);
  if (!what.is_resource) {
    what_ = what.verb + " " + what.path;
    return;
  }
  what_ = what.verb + " " + what.resource + (what.group.empty() ? "" : "." + what.group) + (what.subresource.empty() ? "" : "/" + what.subresource);
  if (!what.ns.empty() || !what.name.empty()) what_ += " " + (what.ns.empty() ? "" : what.ns + "/") + what.name;
}

void Audit::finish(const HttpRequest& request, int code) const {
  if (!on_) return;
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(clock_.mono() - begun_).count();
  const std::string who = who_.empty() ? "nobody" : who_, what = what_.empty() ? request.method + " " + request.path : what_;
  base::log::debug("audit: {} {} {} {} us", printable(who), printable(what), code, took);
}

}  // namespace server
