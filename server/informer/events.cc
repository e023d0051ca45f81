#include "server/informer/events.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "server/informer/writes.h"
#include "store/object/access.h"

namespace server {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kQuiet{50};        // Writing starts when nothing was recorded for this long,
constexpr milliseconds kPatience{1'000};  // or the oldest waits longer than this.
constexpr int kBatch = 16;                // Writes before other work gets its turn again.
constexpr size_t kMaxPending = 4096;
constexpr size_t kMaxRemembered = 4096;
constexpr size_t kMaxMessage = 1024;      // note/message limit of the events API.
const store::Key kFlushKey{"events", "", "flush"};

std::string identity_of(const ObjectRef& about, const std::string& type, const std::string& reason, const std::string& message) {
  return about.uid + "\n" + about.field_path + "\n" + type + "\n" + reason + "\n" + message;
}

std::string hex(int64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%lx", static_cast<unsigned long>(value));
  return text;
}

}  // namespace

ObjectRef make_ref(const store::Object& object, const std::string& field_path) {
  return {store::get_string(object.tree(), "apiVersion"),
          store::get_string(object.tree(), "kind"),
          object.ns(),
          object.name(),
          object.uid(),
          object.revision(),
          field_path};
}

EventRecorder::EventRecorder(ControlLoop& loop, std::string component)
    : loop_(loop),
      component_(std::move(component)),
      queue_(loop.make_queue(
          "events/" + component_, [this](const store::Key&) { return flush(); }, QueueOptions{QueueOptions::Priority::kLow})) {}

void EventRecorder::record(const ObjectRef& about, const std::string& type, const std::string& reason, const std::string& message,
                           const std::string& host) {
  const std::string identity = identity_of(about, type, reason, message);
  const base::WallTime now = loop_.clock().wall();
  last_record_ = loop_.clock().mono();
  if (auto it = pending_.find(identity); it != pending_.end()) {
    it->second.last = now;
    ++it->second.count;
    return;
  }
  if (pending_.size() >= kMaxPending) return;
  if (order_.empty()) first_waiting_ = last_record_;
  order_.push_back(identity);
  pending_[identity] = Pending{about, type, reason, message.substr(0, kMaxMessage), host, now, now, 1};
  queue_.add_after(kFlushKey, kQuiet);
}

base::Result<Requeue> EventRecorder::flush() {
  if (order_.empty()) return Requeue{};
  const base::MonoTime now = loop_.clock().mono();
  const base::MonoTime due = std::min(last_record_ + kQuiet, first_waiting_ + kPatience);
  if (now < due) return Requeue{std::chrono::ceil<milliseconds>(due - now)};
  for (int i = 0; i < kBatch && !order_.empty(); ++i) {
    const std::string identity = std::move(order_.front());
    order_.pop_front();
    auto node = pending_.extract(identity);
    base::ignore(write(identity, node.mapped()), "events are best effort: their object's namespace may just have gone");
  }
  return Requeue{order_.empty() ? milliseconds(0) : milliseconds(1)};
}

base::Status EventRecorder::write(const std::string& identity, const Pending& event) {
  const std::string ns = event.about.ns.empty() ? "default" : event.about.ns;
  const std::string last = base::render_rfc3339(event.last);
  if (auto it = written_.find(identity); it != written_.end()) {
    const int64_t count = it->second.count + event.count;
    auto patched = merge_patch(loop_.client(), {"events", ns, it->second.name}, {{"count", count}, {"lastTimestamp", last}});
    if (patched.ok()) {
      it->second.count = count;
      return {};
    }
    ages_.erase(it->second.age);  // Expired meanwhile: start over.
    written_.erase(it);
  }
  json involved = {{"kind", event.about.kind}, {"apiVersion", event.about.api_version}, {"name", event.about.name}, {"uid", event.about.uid}};
  if (!event.about.ns.empty()) involved["namespace"] = event.about.ns;
  if (event.about.revision != 0) involved["resourceVersion"] = std::to_string(event.about.revision);
  if (!event.about.field_path.empty()) involved["fieldPath"] = event.about.field_path;
  json source = {{"component", component_}};
  if (!event.host.empty()) source["host"] = event.host;
  const int64_t stamp = std::chrono::duration_cast<std::chrono::nanoseconds>(loop_.clock().wall().time_since_epoch()).count();
  const std::string name = event.about.name + "." + hex(stamp) + base::make_name_suffix(5);  // One whose name is taken would be lost.
  json tree = {{"apiVersion", "v1"},
               {"kind", "Event"},
               {"metadata", {{"name", name}, {"namespace", ns}}},
               {"involvedObject", std::move(involved)},
               {"reason", event.reason},
               {"message", event.message},
               {"source", std::move(source)},
               {"firstTimestamp", base::render_rfc3339(event.first)},
               {"lastTimestamp", last},
               {"count", event.count},
               {"type", event.type},
               {"reportingComponent", component_},
               {"reportingInstance", event.host}};
  TRY(create_object(loop_.client(), "events", std::move(tree)));
  remember(identity, Written{name, event.first, event.count, {}});
  return {};
}

void EventRecorder::remember(const std::string& identity, Written written) {
  ages_.push_back(identity);
  written.age = std::prev(ages_.end());
  written_[identity] = std::move(written);
  if (ages_.size() > kMaxRemembered) {
    written_.erase(ages_.front());
    ages_.pop_front();
  }
}

}  // namespace server
