#include "server/gateway/http1/writer.h"

#include <time.h>

#include <charconv>

#include "server/gateway/message/message.h"

namespace server::gateway::http1 {

void append_status_line(int status, std::string_view reason, std::string* out) {
  char digits[4] = {static_cast<char>('0' + status / 100 % 10), static_cast<char>('0' + status / 10 % 10), static_cast<char>('0' + status % 10), ' '};
  out->append("HTTP/1.1 ").append(digits, 4);
  if (reason.empty()) out->append(reason_phrase(status));
  else out->append(reason);
  out->append("\r\n");
}

void append_fields(const Headers& headers, std::string* out) {
  for (size_t i = 0; i < headers.size(); ++i) {
    Headers::Field field = headers[i];
    out->append(field.name).append(": ", 2).append(field.value).append("\r\n", 2);
  }
}

void append_length(uint64_t length, std::string* out) {
  char digits[24];
  auto end = std::to_chars(digits, digits + sizeof digits, length).ptr;
  out->append("Content-Length: ").append(digits, static_cast<size_t>(end - digits)).append("\r\n");
}

void append_date(std::string* out) {
  thread_local time_t last = 0;
  thread_local char text[40];
  thread_local size_t size = 0;
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != last) {
    last = now.tv_sec;
    tm parts{};
    gmtime_r(&last, &parts);
    size = strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
  }
  out->append(text, size);
}

}  // namespace server::gateway::http1
