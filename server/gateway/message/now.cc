#include "server/gateway/message/now.h"

#include <time.h>

namespace server::gateway {
namespace {

class Second {
 public:
  explicit Second(const char* format) : format_(format) {}
  std::string_view text() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != last_) {
      last_ = now.tv_sec;
      tm parts{};
      gmtime_r(&last_, &parts);
      size_ = strftime(text_, sizeof text_, format_, &parts);
    }
    return {text_, size_};
  }

 private:
  const char* const format_;
  time_t last_ = 0;
  char text_[40] = "";
  size_t size_ = 0;
};

}  // namespace

std::string_view http_date_now() {
  thread_local Second second("%a, %d %b %Y %H:%M:%S GMT");
  return second.text();
}

std::string_view log_time_now() {
  thread_local Second second("%d/%b/%Y:%H:%M:%S +0000");
  return second.text();
}

}  // namespace server::gateway
