// server/gateway/explain.h - where a request would go by a table, as a document for people and programs: the listener, the host,
// the rule and what its annotations make of the request, the backend with its endpoints, and why other rules lost.
//
// Pure but for the look-up that the caller gives; any thread that may use that.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "server/gateway/table/table.h"
#include "store/base/result.h"
#include "store/object/object.h"

namespace server::gateway {

using json = nlohmann::json;

struct Question {
  std::string host;
  std::string target = "/";      // Path and query.
  std::string method = "GET";
  std::vector<std::pair<std::string, std::string>> headers;
  bool tls = false;
};
// "example.com/app?x=1", "https://example.com/app". kInvalid: no host.
base::Result<Question> parse_question(std::string_view url);

// The object a rule comes from; nullptr: it is gone.
using FindObject = std::function<const store::Object*(const Origin& origin)>;

// {"request": {...}, "listener": "http", "port": 80, "host": {...}, "rule": {...}, "annotations": [...], "answer": "...",
//  "steps": [...], "backends": [...], "lost": [...]}; what does not apply is absent.
json explain(const Table& table, const Question& question, const FindObject& find);

}  // namespace server::gateway
