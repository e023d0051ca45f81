#include <nlohmann/json.hpp>

#include "server/api/list_options.h"
#include "server/api/list_text.h"
#include "server/api/status.h"
#include "server/api/verbs.h"
#include "store/schema/conversions.h"

namespace server {
namespace {

// An expired continue token comes with one that goes on from the same place over what is current.
HttpResponse expired(const ListOptions& options) {
  if (!options.continue_token) return error_response(base::Error(base::Code::kExpired, "The resourceVersion for the provided list is too old."));
  base::Error e(base::Code::kExpired,
                "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue "
                "parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token "
                "results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and "
                "now may show up in the list.");
  ContinueToken fresh = *options.continue_token;
  fresh.revision.reset();
  json status = render_status(e);
  status["metadata"]["continue"] = fresh.render();
  return json_response(410, status);
}

}  // namespace

base::Status wait_for_revision(const Call& call, store::Revision revision) {
  constexpr std::chrono::seconds kRevisionWait{3};
  if (call.core.store.revision() >= revision || call.core.store.wait_for(revision, kRevisionWait)) return {};
  base::Error e(base::Code::kTimeout, "Timeout: Too large resource version: " + std::to_string(revision) + ", current: " + std::to_string(call.core.store.revision()));
  e.causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
  e.retry_after_seconds = 1;
  return e;
}

HttpResponse serve_list(const Call& call) {
  auto options = parse_list_options(call.request, call.resource, "", ListUse::kList);
  if (!options.ok()) return error_response(options.error());
  auto form = choose_form(call, Shape::kList);
  if (!form.ok()) return error_response(form.error());
  store::ListQuery query;
  query.resource = call.resource.storage();
  query.ns = call.info.ns;
  if (options->continue_token) {
    query.at = options->continue_token->revision;
    query.after_ns = options->continue_token->ns;
    query.after_name = options->continue_token->name;
  } else if (options->revision && *options->revision > 0) {
    base::Status waited = wait_for_revision(call, *options->revision);
    if (!waited.ok()) return error_response(waited.error());
    if (options->match == "Exact") query.at = options->revision;
  }
  const Filter& filter = options->filter;
  // With a filter the limit counts what matches, so everything after the start is looked at.
  if (filter.empty()) query.limit = options->limit;
  auto page = call.core.store.list(query);
  if (!page.ok()) return page.error().code == base::Code::kExpired ? expired(*options) : error_response(page.error());
  ListMeta meta;
  meta.revision = page->revision;
  bool more = page->more;
  std::vector<store::Object> items;
  if (filter.empty()) {
    for (store::Object& item : page->items) items.push_back(store::view(call.resource, item));
    if (more) meta.remaining = page->remaining;
  } else {
    for (const store::Object& stored : page->items) {
      store::Object item = store::view(call.resource, stored);
      if (!filter.matches(item)) continue;
      if (options->limit > 0 && items.size() == options->limit) {
        more = true;
        break;
      }
      items.push_back(std::move(item));
    }
  }
  if (more && !items.empty()) {
    ContinueToken token;
    token.revision = page->revision;
    token.ns = items.back().ns();
    token.name = items.back().name();
    meta.continue_token = token.render();
  }
  return list_response(call, *form, std::move(items), meta);
}

}  // namespace server
