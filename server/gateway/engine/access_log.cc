#include "server/gateway/engine/access_log.h"

#include <stdio.h>

#include "server/gateway/message/now.h"

namespace server::gateway {
namespace {

constexpr size_t kMaxGathered = 32 * 1024;
constexpr std::chrono::milliseconds kDelay{100};

// As nginx: what could end the field or the line is written \xNN.
void append_escaped(std::string_view text, std::string* out) {
  if (text.empty()) out->push_back('-');
  for (char c : text) {
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
      out->push_back(c);
      continue;
    }
    char escaped[5];
    snprintf(escaped, sizeof escaped, "\\x%02X", static_cast<unsigned char>(c));
    out->append(escaped);
  }
}

void append_seconds(std::chrono::nanoseconds took, std::string* out) {
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  char text[32];
  out->append(text, static_cast<size_t>(snprintf(text, sizeof text, "%lld.%03lld", static_cast<long long>(ms / 1000), static_cast<long long>(ms % 1000))));
}

}  // namespace

void append_access_line(const AccessRecord& r, std::string* out) {
  out->append(r.client->address.text()).append(" - - [").append(log_time_now()).append("] \"");
  append_escaped(r.request->method, out);
  out->push_back(' ');
  append_escaped(r.request->target, out);
  out->append(" ").append(version_text(r.request->version)).append("\" ").append(std::to_string(r.status)).append(" ").append(std::to_string(r.sent)).append(" \"");
  append_escaped(r.request->headers.find("Referer").value_or(""), out);
  out->append("\" \"");
  append_escaped(r.request->headers.find("User-Agent").value_or(""), out);
  out->append("\" ").append(std::to_string(r.request->headers.block().size())).append(" ");
  append_seconds(r.took, out);
  if (r.upstream != nullptr) {
    out->append(" [").append(r.upstream->service_ns).append("-").append(r.upstream->service).append("-").append(r.upstream->service_port).append("] [] ");
    out->append(r.endpoint->address.is_v4() ? r.endpoint->address.text() : "[" + r.endpoint->address.text() + "]").append(":").append(std::to_string(r.endpoint->port)).append(" ");
    out->append(std::to_string(r.sent)).append(" ");
    append_seconds(r.took, out);
    out->append(" ").append(std::to_string(r.status)).append(" ");
  } else {
    out->append(" [] [] - - - - ");
  }
  out->append(r.request_id.empty() ? std::string_view("-") : r.request_id).append("\n");
}

AccessLog::AccessLog(Deadlines& deadlines, Sink sink) : deadlines_(deadlines), sink_(std::move(sink)), due_([this] { flush(); }) {}

AccessLog::~AccessLog() { flush(); }

void AccessLog::add(const AccessRecord& record) {
  append_access_line(record, &lines_);
  if (lines_.size() > kMaxGathered) return flush();
  if (!due_.armed()) deadlines_.arm(due_, kDelay);
}

void AccessLog::flush() {
  due_.disarm();
  if (lines_.empty()) return;
  sink_(std::move(lines_));
  lines_.clear();
}

}  // namespace server::gateway
