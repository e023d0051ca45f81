// An ApiServer over a store in memory, spoken to without a socket.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "server/api/api_server.h"
#include "server/api/boot.h"
#include "store/object/access.h"

namespace server {

struct ApiTest : testing::Test {
  void SetUp() override {
    auto opened = store::Store::open({});
    ASSERT_TRUE(opened.ok());
    store = std::move(*opened);
    options.service_cidr = *base::Cidr::parse("10.96.0.0/12");
    options.dns_address = *base::Ip::parse("10.96.0.10");
    options.server_address = "172.30.0.1:6443";
    api = ApiServer::make(*store, store::builtin_registry(), clock, options);
    auto booted = ensure_boot_objects(api->client(), options);
    ASSERT_TRUE(booted.ok()) << booted.error().message;
    auto roles = ensure_default_roles(api->client());
    ASSERT_TRUE(roles.ok()) << roles.error().message;
    api->set_ready(true);
  }
  void TearDown() override { api->close_watches(); }

  struct Answer {
    int status = 0;
    std::string text;
    json body;  // Discarded when it is not JSON.
    HttpResponse raw;
    std::string header(const std::string& name) const {
      for (const auto& [k, v] : raw.headers) {
        if (k == name) return v;
      }
      return "";
    }
    std::string message() const { return store::get_string(body, "message"); }
    std::string reason() const { return store::get_string(body, "reason"); }
  };
  static HttpRequest make_request(const std::string& method, const std::string& target, const std::string& body = "", const std::string& content_type = "application/json",
                                  const std::string& accept = "application/json") {
    HttpRequest r;
    r.method = method;
    size_t question = target.find('?');
    r.path = target.substr(0, question);
    std::string query = question == std::string::npos ? "" : target.substr(question + 1);
    for (size_t at = 0; at < query.size();) {
      size_t amp = std::min(query.find('&', at), query.size());
      std::string pair = query.substr(at, amp - at);
      size_t equals = std::min(pair.find('='), pair.size());
      r.query.emplace_back(pair.substr(0, equals), equals < pair.size() ? pair.substr(equals + 1) : "");
      at = amp + 1;
    }
    r.body = body;
    if (!body.empty()) r.headers.emplace("content-type", content_type);
    r.headers.emplace("accept", accept);
    r.headers.emplace("user-agent", "test/1");
    r.user = "admin";
    r.groups = {"system:masters"};
    return r;
  }
  Answer send(const HttpRequest& request) {
    Answer a;
    a.raw = api->handle(request);
    a.status = a.raw.status;
    a.text = a.raw.shared_body ? *a.raw.shared_body : a.raw.body;
    // A long list is written as it is read; what ends only with the client is left to the test.
    if (a.raw.stream && !request.param("watch") && !request.param("follow")) {
      a.raw.stream([&a](std::string_view part) { return a.text.append(part), true; }, [] { return true; });
    }
    a.body = json::parse(a.text, nullptr, false);
    return a;
  }
  Answer call(const std::string& method, const std::string& target, const std::string& body = "", const std::string& content_type = "application/json",
              const std::string& accept = "application/json") {
    return send(make_request(method, target, body, content_type, accept));
  }
  Answer call(const std::string& method, const std::string& target, const char* body) { return call(method, target, std::string(body)); }
  Answer call(const std::string& method, const std::string& target, const json& body) { return call(method, target, body.dump()); }

  // The first lines of a watch, then it is given up.
  std::vector<json> watch(const std::string& target, size_t lines, const std::string& accept = "application/json", const std::function<void()>& meanwhile = {}) {
    Answer a = call("GET", target, "", "", accept);
    std::vector<json> out;
    EXPECT_TRUE(a.raw.stream) << a.text;
    if (!a.raw.stream) return out;
    std::string buffer;
    std::thread writer;
    if (meanwhile) writer = std::thread(meanwhile);
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    auto take = [&](std::string_view bytes) {
      buffer += bytes;
      for (size_t end; (end = buffer.find('\n')) != std::string::npos; buffer.erase(0, end + 1)) out.push_back(json::parse(buffer.substr(0, end), nullptr, false));
      return out.size() < lines;
    };
    a.raw.stream(take, [&] { return out.size() < lines && std::chrono::steady_clock::now() < deadline; });
    if (writer.joinable()) writer.join();
    return out;
  }

  static json config_map(const std::string& name, const std::string& value = "1") {
    return {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", name}}}, {"data", {{"key", value}}}};
  }
  static json deployment(const std::string& name, int replicas = 3) {
    return {{"apiVersion", "apps/v1"},
            {"kind", "Deployment"},
            {"metadata", {{"name", name}, {"labels", {{"app", name}}}}},
            {"spec",
             {{"replicas", replicas},
              {"selector", {{"matchLabels", {{"app", name}}}}},
              {"template", {{"metadata", {{"labels", {{"app", name}}}}}, {"spec", {{"containers", json::array({{{"name", "c"}, {"image", "nginx"}}})}}}}}}}};
  }
  static json pod(const std::string& name, const std::string& node = "") {
    json out = {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", {{"name", name}, {"labels", {{"app", name}}}}}, {"spec", {{"containers", json::array({{{"name", "c"}, {"image", "nginx"}}})}}}};
    if (!node.empty()) out["spec"]["nodeName"] = node;
    return out;
  }
  static json service(const std::string& name, json spec = json::object()) {
    json out = {{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"name", name}}}, {"spec", {{"selector", {{"app", "x"}}}, {"ports", json::array({{{"port", 80}}})}}}};
    out["spec"].update(spec);
    return out;
  }

  base::SystemClock clock;
  std::unique_ptr<store::Store> store;
  ApiOptions options;
  std::unique_ptr<ApiServer> api;
  const std::string cms = "/api/v1/namespaces/default/configmaps";
  const std::string pods = "/api/v1/namespaces/default/pods";
  const std::string services = "/api/v1/namespaces/default/services";
  const std::string deployments = "/apis/apps/v1/namespaces/default/deployments";
};

}  // namespace server
