#include <nlohmann/json.hpp>

#include "server/api/list_options.h"
#include "server/api/respond.h"
#include "server/api/status.h"
#include "server/api/verbs.h"
#include "store/schema/conversions.h"

namespace server {
namespace {

using namespace std::chrono_literals;

constexpr auto kDefaultTimeout = 1800s;  // Up to twice this, so that clients do not all come back at once.
constexpr size_t kPiece = 64 * 1024;     // Written at once: a client that does not read costs no more.
constexpr auto kAliveCheck = 1000ms;     // How soon a client that left is noticed.

// One client's view: turns store events into its lines.
class WatchStream {
 public:
  WatchStream(const Call& call, Form form, ListOptions options)
      : core_(call.core), resource_(call.resource), form_(std::move(form)), options_(std::move(options)) {}

  std::string line(const char* type, const store::Object& object) {
    return std::string("{\"type\":\"") + type + "\",\"object\":" + *render(object) + "}\n";
  }

  // Objects that start or stop matching look added or deleted to this client.
  std::string event(const store::Event& stored) {
    const store::Event e = shown(stored);
    const bool before = e.previous && options_.filter.matches(e.previous);
    // The last state may be another than the one before: what counts is what this client knew.
    if (e.type == store::EventType::kDeleted) return before ? line("DELETED", e.object) : "";
    const bool now = options_.filter.matches(e.object);
    if (now) return line(before ? "MODIFIED" : "ADDED", e.object);
    if (!before) return "";
    json last = e.previous.tree();
    last["metadata"]["resourceVersion"] = std::to_string(e.revision);
    return line("DELETED", store::Object(resource_.storage(), std::move(last)));
  }

  std::string bookmark(store::Revision revision, bool initial_end) const {
    json object = {{"kind", resource_.kind}, {"apiVersion", resource_.api_version()}, {"metadata", {{"resourceVersion", std::to_string(revision)}, {"creationTimestamp", nullptr}}}};
    if (initial_end) object["metadata"]["annotations"]["k8s.io/initial-events-end"] = "true";
    return json({{"type", "BOOKMARK"}, {"object", std::move(object)}}).dump() + "\n";
  }

  static std::string error(const base::Error& e) { return json({{"type", "ERROR"}, {"object", render_status(e)}}).dump() + "\n"; }

  void run(store::Watch& watch, const std::vector<store::Object>& initial, store::Revision initial_revision, const std::function<bool(std::string_view)>& write,
           const std::function<bool()>& alive) {
    OpenWatches::Entry entry(core_.watches, &watch);
    std::string batch;
    for (const store::Object& stored : initial) {
      const store::Object object = store::view(resource_, stored);
      if (options_.filter.matches(object)) batch += line("ADDED", object);
      if (batch.size() < kPiece) continue;
      if (!write(batch)) return;
      batch.clear();
    }
    if (options_.send_initial_events.value_or(false) && options_.bookmarks) batch += bookmark(initial_revision, true);
    if (!batch.empty() && !write(batch)) return;
    const auto start = core_.clock.mono();
    const auto end = start + options_.timeout.value_or(default_timeout());
    auto next_bookmark = start + core_.options.bookmark_period;
    while (alive() && !core_.watches.closed()) {
      auto now = core_.clock.mono();
      if (now >= end) break;
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - now) + 1ms;
      auto events = watch.next(std::min<std::chrono::milliseconds>(kAliveCheck, left));
      if (!events.ok()) {
        if (events.error().code == base::Code::kExpired) write(error(too_old(events.error().message)));
        return;
      }
      batch.clear();
      for (const store::Event& e : *events) {
        batch += event(e);
        if (batch.size() < kPiece) continue;
        if (!write(batch)) return;
        batch.clear();
      }
      if (options_.bookmarks && core_.clock.mono() >= next_bookmark) {
        batch += bookmark(watch.progress(), false);
        next_bookmark = core_.clock.mono() + core_.options.bookmark_period;
      }
      if (!batch.empty() && !write(batch)) return;
    }
    if (options_.bookmarks && !core_.watches.closed()) write(bookmark(watch.progress(), false));
  }

  static base::Error too_old(const std::string& text) {
    return base::Error(base::Code::kExpired, text.starts_with("too old resource version") ? text : "too old resource version: " + text);
  }

 private:
  // As the version that is watched has it.
  store::Event shown(const store::Event& stored) const {
    store::Event e = stored;
    e.object = store::view(resource_, stored.object);
    e.previous = store::view(resource_, stored.previous);
    return e;
  }

  std::chrono::seconds default_timeout() const {
    // Spread by what differs between watches, without a random source.
    auto salt = static_cast<uint64_t>(core_.clock.mono().time_since_epoch().count()) / 1000 % 1800;
    return kDefaultTimeout + std::chrono::seconds(salt);
  }

  std::shared_ptr<const std::string> render(const store::Object& object) {
    switch (form_.negotiated.as) {
      case compat::As::kTable: {
        json meta = {{"resourceVersion", std::to_string(object.revision())}};
        form_.table.now = core_.clock.wall();
        json table = compat::render_table(resource_, std::span(&object, 1), meta, form_.table);
        form_.table.headers = false;  // Column definitions come once.
        return std::make_shared<const std::string>(table.dump(-1, ' ', false, json::error_handler_t::replace));
      }
      case compat::As::kPartialMetadata:
      case compat::As::kPartialMetadataList:
        return std::make_shared<const std::string>(compat::partial_metadata_text(object, form_.table.version));
      default: return object_bytes(resource_, object);
    }
  }

  Core& core_;
  const store::Resource& resource_;
  Form form_;
  ListOptions options_;
};

}  // namespace

OpenWatches::Entry::Entry(OpenWatches& owner, store::Watch* watch) : owner_(owner), watch_(watch) {
  std::lock_guard lock(owner_.mutex_);
  owner_.watches_.insert(watch_);
  if (owner_.closed_) watch_->close();
}
OpenWatches::Entry::~Entry() {
  std::lock_guard lock(owner_.mutex_);
  owner_.watches_.erase(watch_);
}
size_t OpenWatches::count() const {
  std::lock_guard lock(mutex_);
  return watches_.size();
}

void OpenWatches::close_all() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  for (store::Watch* watch : watches_) watch->close();
}

HttpResponse serve_watch(const Call& call) {
  auto options = parse_list_options(call.request, call.resource, call.info.name, ListUse::kWatch);
  if (!options.ok()) return error_response(options.error());
  auto form = choose_form(call, Shape::kStream);
  if (!form.ok()) return error_response(form.error());
  const store::Revision from = options->revision.value_or(0);
  // Without a revision the client gets what is there as ADDED first (asked for or by tradition).
  const bool initial_wanted = options->send_initial_events.value_or(from == 0);
  store::WatchQuery query;
  query.resource = call.resource.storage();
  query.ns = call.info.ns;
  query.after = from;
  std::vector<store::Object> initial;
  if (initial_wanted) {
    if (from > 0 && call.core.store.revision() < from) call.core.store.wait_for(from, 3s);
    store::ListQuery list;
    list.resource = query.resource;
    list.ns = query.ns;
    auto page = call.core.store.list(list);
    if (!page.ok()) return error_response(page.error());
    initial = std::move(page->items);
    query.after = page->revision;
  } else if (from == 0) {
    query.after = call.core.store.revision();
  }
  auto watch = call.core.store.watch(query);
  if (!watch.ok()) {
    if (watch.error().code != base::Code::kExpired) return error_response(watch.error());
    // As upstream: the watch begins, says so as its only event, and ends.
    HttpResponse response;
    response.stream = [line = WatchStream::error(WatchStream::too_old(watch.error().message))](const auto& write, const auto&) { write(line); };
    return response;
  }
  HttpResponse response;
  auto stream = std::make_shared<WatchStream>(call, std::move(*form), std::move(*options));
  std::shared_ptr<store::Watch> shared = std::move(*watch);
  response.stream = [stream, shared, initial = std::move(initial), revision = query.after](const auto& write, const auto& alive) {
    stream->run(*shared, initial, revision, write, alive);
  };
  return response;
}

}  // namespace server
