// tests/server/gateway/policy/requests.h - requests and the like, written short.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "server/gateway/message/message.h"
#include "store/base/regex.h"
#include "server/gateway/policy/template.h"
#include "server/gateway/table/table.h"

namespace policy_test {

using Fields = std::initializer_list<std::pair<const char*, std::string>>;

inline server::gateway::RequestHead request(const std::string& method, const std::string& target, Fields fields = {}, const std::string& authority = "example.com") {
  server::gateway::RequestHead head;
  head.method = method;
  head.target = target;
  head.authority = authority;
  for (const auto& [name, value] : fields) head.headers.add(name, value);
  return head;
}

inline server::gateway::RequestHead get(const std::string& target, Fields fields = {}) { return request("GET", target, fields); }

inline server::gateway::Headers headers(Fields fields) {
  server::gateway::Headers out;
  for (const auto& [name, value] : fields) out.add(name, value);
  return out;
}

// "Name: value\n" of each, in order.
inline std::string text_of(const server::gateway::Headers& all) {
  std::string out;
  for (size_t i = 0; i < all.size(); ++i) out.append(all[i].name).append(": ").append(all[i].value).append("\n");
  return out;
}

inline std::string value_of(const server::gateway::Headers& all, std::string_view name) { return std::string(all.find(name).value_or("(none)")); }

inline server::gateway::RegexPtr regex(const std::string& pattern, bool ignore_case = true, bool anchored = false) {
  auto made = server::gateway::Regex::compile(pattern, ignore_case, anchored);
  return made.ok() ? *made : nullptr;
}

inline server::gateway::TemplatePtr text(const std::string& nginx_text) {
  auto made = server::gateway::Template::parse(nginx_text);
  return made.ok() ? *made : nullptr;
}

inline server::gateway::UpstreamPtr upstream(const std::string& name, size_t endpoints, server::gateway::Balance balance = server::gateway::Balance::kRoundRobin) {
  auto made = std::make_shared<server::gateway::Upstream>();
  made->name = name;
  made->balance = balance;
  for (size_t i = 0; i < endpoints; ++i) {
    made->endpoints.push_back({base::Ip::v4(10, 244, static_cast<uint8_t>(i / 250), static_cast<uint8_t>(1 + i % 250)), 8080, "pod-" + std::to_string(i)});
  }
  return made;
}

}  // namespace policy_test
