#include "server/gateway/engine/access_log.h"

#include <stdio.h>

#include <utility>

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

void append_endpoint(const Endpoint& endpoint, std::string* out) {
  out->append(endpoint.address.is_v4() ? endpoint.address.text() : "[" + endpoint.address.text() + "]").append(":").append(std::to_string(endpoint.port));
}

constexpr int kAnswered = -1;  // As a status: this try's is that of the whole.

// The field's value of each try.
template <class Append>
void append_tries(const AccessRecord& r, std::string* out, const Append& append) {
  const char* between = "";
  for (const EarlierTry& each : r.earlier) {
    out->append(std::exchange(between, ", "));
    append(each);
  }
  if (r.endpoint != nullptr) {
    out->append(between);
    append(EarlierTry{*r.endpoint, kAnswered, r.endpoint_took});
  }
  out->push_back(' ');
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
  if (r.upstream != nullptr && (r.endpoint != nullptr || !r.earlier.empty())) {
    out->append(" [").append(r.upstream->service_ns).append("-").append(r.upstream->service).append("-").append(r.upstream->service_port).append("] [] ");
    append_tries(r, out, [&](const EarlierTry& each) { append_endpoint(each.endpoint, out); });
    append_tries(r, out, [&](const EarlierTry& each) { out->append(std::to_string(each.status == kAnswered ? r.sent : 0)); });
    append_tries(r, out, [&](const EarlierTry& each) { append_seconds(each.took, out); });
    append_tries(r, out, [&](const EarlierTry& each) { out->append(std::to_string(each.status == kAnswered ? r.status : each.status)); });
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
