#include "server/api/list_text.h"

#include <nlohmann/json.hpp>

#include "server/api/gzip.h"
#include "server/api/status.h"

namespace server {
namespace {

constexpr size_t kStreamFrom = 256 * 1024;  // Estimated bytes.
constexpr size_t kPiece = 32 * 1024;
constexpr size_t kRowEstimate = 1024;

json list_meta_json(const ListMeta& meta) {
  json out = {{"resourceVersion", std::to_string(meta.revision)}};
  if (!meta.continue_token.empty()) out["continue"] = meta.continue_token;
  if (meta.remaining) out["remainingItemCount"] = *meta.remaining;
  return out;
}

// What one list is made of. Shared by nobody; may outlive the request.
struct ListText {
  std::vector<store::Object> items;
  std::string head, tail;
  std::function<std::string(const store::Object&)> item;
  size_t estimate = 0;

  bool write_to(const Write& write) const {
    std::string piece = head;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) piece += ',';
      piece += item(items[i]);
      if (piece.size() < kPiece) continue;
      if (!write(piece)) return false;
      piece.clear();
    }
    return write(piece + tail);
  }
};

ListText make_text(const Call& call, const Form& form, std::vector<store::Object> items, const ListMeta& meta) {
  ListText out;
  out.items = std::move(items);
  json list_meta = list_meta_json(meta);
  if (form.negotiated.as == compat::As::kTable) {
    auto table = std::make_shared<compat::TableText>(call.resource, form.table);
    out.head = table->head(list_meta);
    out.item = [table](const store::Object& object) { return table->row(object); };
    out.tail = "]}\n";
    out.estimate = out.items.size() * kRowEstimate;
    return out;
  }
  const bool partial = form.negotiated.as == compat::As::kPartialMetadata || form.negotiated.as == compat::As::kPartialMetadataList;
  const std::string kind = partial ? "PartialObjectMetadataList" : std::string(call.resource.list_kind);
  const std::string version = partial ? "meta.k8s.io/" + form.table.version : call.resource.api_version();
  // Lists of custom objects have no type in upstream, and so leave nothing out.
  if (call.resource.custom && !partial) list_meta.emplace("continue", "");
  out.head = "{\"kind\":\"" + kind + "\",\"apiVersion\":\"" + version + "\",\"metadata\":" + list_meta.dump() + ",\"items\":[";
  out.tail = "]}\n";
  if (partial) {
    out.item = [shown = form.table.version](const store::Object& object) { return compat::partial_metadata_text(object, shown); };
    out.estimate = out.items.size() * kRowEstimate;
  } else {
    out.item = [&r = call.resource](const store::Object& object) { return *object_bytes(r, object); };
    for (const store::Object& object : out.items) out.estimate += object.bytes().size() + 1;
  }
  return out;
}

}  // namespace

HttpResponse list_response(const Call& call, const Form& form, std::vector<store::Object> items, const ListMeta& meta) {
  auto text = std::make_shared<const ListText>(make_text(call, form, std::move(items), meta));
  HttpResponse response;
  if (!form.negotiated.content_type.empty() && form.negotiated.as != compat::As::kObject) response.content_type = form.negotiated.content_type;
  if (form.pretty || form.yaml || text->estimate < kStreamFrom) {
    response.body.reserve(text->estimate + text->head.size());
    text->write_to([&](std::string_view piece) {
      response.body += piece;
      return true;
    });
    if (form.pretty) response.body = json::parse(response.body, nullptr, false).dump(2) + "\n";
    return response;
  }
  if (!takes_gzip(call.request)) {
    response.stream = [text](const Write& write, const auto&) { text->write_to(write); };
    return response;
  }
  response.headers.emplace_back("Content-Encoding", "gzip");
  response.headers.emplace_back("Vary", "Accept-Encoding");
  response.stream = [text](const Write& write, const auto&) {
    Gzip gzip(write);
    if (text->write_to([&](std::string_view piece) { return gzip.add(piece); })) gzip.finish();
  };
  return response;
}

}  // namespace server
