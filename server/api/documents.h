// server/api/documents.h - discovery, OpenAPI, /version: documents that change only with the Registry, made on
// first use and kept with their ETags. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "server/http/server.h"
#include "store/schema/schema.h"

namespace server {

class Documents {
 public:
  Documents(const store::Registry& registry, std::string server_address) : registry_(registry), server_address_(std::move(server_address)) {}
  // Nothing when `request` is for none of them.
  std::optional<HttpResponse> answer(const HttpRequest& request);
  void forget(const std::string& group);  // Kinds of that group have changed.

 private:
  struct Document {
    std::shared_ptr<const std::string> bytes;
    std::string etag;
    std::string content_type;
  };
  using Make = std::function<std::optional<std::string>()>;
  std::optional<Document> cached(const std::string& key, const std::string& content_type, const Make& make);
  std::optional<Document> schema_document(const std::string& path);
  std::optional<HttpResponse> discovery(const HttpRequest& request);
  std::optional<HttpResponse> openapi(const HttpRequest& request);

  const store::Registry& registry_;
  std::string server_address_;
  std::mutex mutex_;
  std::map<std::string, Document> cache_;
  uint64_t generation_ = 0;  // Counts forget(): what was begun before is not kept.
};

}  // namespace server
