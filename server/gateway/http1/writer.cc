#include "server/gateway/http1/writer.h"

#include <charconv>

#include "server/gateway/http1/parser.h"
#include "server/gateway/message/message.h"
#include "server/gateway/message/now.h"

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

void append_date(std::string* out) { out->append("Date: ").append(http_date_now()).append("\r\n"); }

void append_request_head(const RequestHead& head, bool http10, std::string_view connection, std::string* out) {
  out->append(head.method).append(" ", 1).append(head.target).append(http10 ? " HTTP/1.0\r\nHost: " : " HTTP/1.1\r\nHost: ").append(head.authority).append("\r\n", 2);
  append_fields(head.headers, out);
  if (head.body == BodyKind::kLength) append_length(head.length, out);
  if (head.body == BodyKind::kStream && !http10) out->append("Transfer-Encoding: chunked\r\n");
  if (!head.upgrade.empty()) out->append("Connection: upgrade\r\nUpgrade: ").append(head.upgrade).append("\r\n");
  else if (!connection.empty()) out->append("Connection: ").append(connection).append("\r\n");
  else if (http10) out->append("Connection: close\r\n");
  if (head.accepts_trailers) out->append("TE: trailers\r\n");
  out->append("\r\n");
}

void write_body(Socket& socket, bool chunked, std::string_view data, bool end) {
  // From here on copying costs more than another element for writev().
  constexpr size_t kWriteThrough = 4096;
  if (chunked) {
    if (!data.empty()) append_chunk(data, &socket.gathered());
    if (end) append_last_chunk(nullptr, &socket.gathered());
    socket.touch();
  } else if (data.size() >= kWriteThrough) {
    socket.write_through(data);
  } else if (!data.empty()) {
    socket.write(data);
  }
}

}  // namespace server::gateway::http1
