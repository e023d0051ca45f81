// The API over a store, behind the real listener: what clients of these tests speak to.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/socket.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "server/api/api_server.h"
#include "server/api/boot.h"
#include "server/http/server.h"
#include "store/object/access.h"
#include "tests/tools/api_connection.h"

namespace load {

using json = nlohmann::json;

struct Identity {
  server::KeyPair ca, admin;
};
// Of all worlds of the process.
inline const Identity& identity() {
  static const Identity kIdentity = [] {
    Identity out;
    out.ca = server::make_ca("ca").value();
    server::CertRequest request;
    request.common_name = "admin";
    request.organizations = {"system:masters"};
    request.client = true;
    out.admin = server::sign(out.ca, request).value();
    return out;
  }();
  return kIdentity;
}

class HttpWorld {
 public:
  explicit HttpWorld(const store::Store::Options& stored = {}, server::HttpServerOptions http = {}) {
    signal(SIGPIPE, SIG_IGN);
    ::mallopt(M_ARENA_MAX, 2);  // As the daemon has it.
    server::CertRequest request;
    request.common_name = "kube-apiserver";
    request.ips = {"127.0.0.1"};
    http.certificate = server::sign(identity().ca, request).value();
    http.client_ca_pem = identity().ca.cert_pem;
    credentials = Credentials(identity().admin.cert_pem, identity().admin.key_pem);
    store = store::Store::open(stored).value();
    options_.service_cidr = *base::Cidr::parse("10.96.0.0/12");
    options_.dns_address = *base::Ip::parse("10.96.0.10");
    options_.server_address = "127.0.0.1:6443";
    options_.bookmark_period = std::chrono::milliseconds(3);  // So that many are seen.
    api = server::ApiServer::make(*store, store::builtin_registry(), clock_, options_);
    auto booted = server::ensure_boot_objects(api->client(), options_);
    EXPECT_TRUE(booted.ok());
    api->set_ready(true);
    base::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener.get(), 1024), 0);
    getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    std::vector<base::Fd> listeners;
    listeners.push_back(std::move(listener));
    listener_ = server::HttpServer::start(std::move(listeners), http, [this](const server::HttpRequest& r) { return api->handle(r); }).value();
  }
  ~HttpWorld() {
    api->close_watches();
    listener_.reset();
  }

  int port = 0;
  Credentials credentials;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<server::ApiServer> api;

 private:
  base::SystemClock clock_;
  server::ApiOptions options_;
  std::unique_ptr<server::HttpServer> listener_;
};

inline std::string name_of(const json& object) { return store::get_string(object, "metadata.name"); }
inline std::string namespace_of(const json& object) { return store::get_string(object, "metadata.namespace"); }
inline uint64_t revision_of(const json& object) {
  std::string text = store::get_string(object, "metadata.resourceVersion");
  return text.empty() ? 0 : std::stoull(text);
}

}  // namespace load
