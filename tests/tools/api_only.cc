// api_only KUBECONFIG - serves the API alone (no nodes, no controllers) from memory on 127.0.0.1, writes a
// kubeconfig, and runs until its standard input ends. For trying real clients against server/api.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "server/api/api_server.h"
#include "server/api/boot.h"
#include "server/http/server.h"
#include "tests/tools/echo_runtime.h"

namespace {

std::string base64(const std::string& in) {
  static const char* kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < in.size(); i += 3) {
    unsigned v = static_cast<unsigned char>(in[i]) << 16;
    if (i + 1 < in.size()) v |= static_cast<unsigned char>(in[i + 1]) << 8;
    if (i + 2 < in.size()) v |= static_cast<unsigned char>(in[i + 2]);
    for (int k = 0; k < 4; ++k) out += i + static_cast<size_t>(k) > in.size() ? '=' : kLetters[(v >> (18 - 6 * k)) & 63];
  }
  return out;
}

int fail(const base::Error& e) {
  fprintf(stderr, "api_only: %s\n", e.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: api_only KUBECONFIG\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  auto ca = server::make_ca("kubelan-ca");
  server::CertRequest request;
  request.common_name = "kube-apiserver";
  request.dns_names = {"localhost"};
  request.ips = {"127.0.0.1"};
  auto serving = server::sign(*ca, request);
  request = {};
  request.common_name = "kubernetes-admin";
  request.organizations = {"system:masters"};
  request.client = true;
  auto client = server::sign(*ca, request);
  auto store = store::Store::open({});
  if (!store.ok()) return fail(store.error());
  base::SystemClock clock;
  server::ApiOptions options;
  options.service_cidr = *base::Cidr::parse("10.96.0.0/12");
  options.dns_address = *base::Ip::parse("10.96.0.10");
  options.server_address = "127.0.0.1:6443";
  auto api = server::ApiServer::make(**store, store::builtin_registry(), clock, options);
  auto booted = server::ensure_boot_objects(api->client(), options);
  if (booted.ok()) booted = server::ensure_default_roles(api->client());
  if (!booted.ok()) return fail(booted.error());
  server::EchoRuntime runtime;
  api->set_runtime(&runtime);
  api->set_ready(true);

  base::Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener.get(), 128) != 0) return fail(base::os_error("listen"));
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  std::string url = "https://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  std::vector<base::Fd> listeners;
  listeners.push_back(std::move(listener));
  server::HttpServerOptions http;
  http.client_ca_pem = ca->cert_pem;
  http.certificate = *serving;
  auto server = server::HttpServer::start(std::move(listeners), http, [&](const server::HttpRequest& r) { return api->handle(r); });
  if (!server.ok()) return fail(server.error());

  std::string config = "apiVersion: v1\nkind: Config\ncurrent-context: api-only\nclusters:\n- name: api-only\n  cluster:\n    server: " + url +
                       "\n    certificate-authority-data: " + base64(ca->cert_pem) + "\nusers:\n- name: api-only\n  user:\n    client-certificate-data: " +
                       base64(client->cert_pem) + "\n    client-key-data: " + base64(client->key_pem) +
                       "\ncontexts:\n- name: api-only\n  context: {cluster: api-only, user: api-only}\n";
  auto written = base::write_file_atomic(argv[1], config, 0600);
  if (!written.ok()) return fail(written.error());
  printf("%s\n", url.c_str());
  fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  api->close_watches();
  server->reset();
  return 0;
}
