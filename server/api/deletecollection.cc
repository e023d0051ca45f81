#include "server/api/list_options.h"
#include "server/api/list_text.h"
#include "server/api/status.h"
#include "server/api/verbs.h"
#include "store/schema/conversions.h"

namespace server {

// Not atomic, as upstream: each matching object is deleted by itself, and one that is gone already is no error.
HttpResponse serve_delete_collection(const Call& call) {
  auto list_options = parse_list_options(call.request, call.resource, "", ListUse::kList);
  if (!list_options.ok()) return error_response(list_options.error());
  auto options = remove_options(call.request);
  if (!options.ok()) return error_response(options.error());
  const std::vector<std::string> warnings = default_propagation(call.resource, *options);
  auto form = choose_form(call, Shape::kList);
  if (!form.ok()) return error_response(form.error());
  store::ListQuery query;
  query.resource = call.resource.storage();
  query.ns = call.info.ns;
  auto page = call.core.store.list(query);
  if (!page.ok()) return error_response(page.error());
  std::vector<store::Object> deleted;
  for (const store::Object& object : page->items) {
    if (!list_options->filter.matches(store::view(call.resource, object))) continue;
    auto removed = call.core.pipeline.remove(call.resource, object.ns(), object.name(), *options);
    if (removed.ok()) deleted.push_back(removed->object);
    else if (removed.error().code != base::Code::kNotFound) return error_response(removed.error());
  }
  ListMeta meta;
  meta.revision = call.core.store.revision();
  HttpResponse response = list_response(call, *form, std::move(deleted), meta);
  add_warnings(response, warnings);
  return response;
}

}  // namespace server
