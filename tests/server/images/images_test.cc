#include "server/images/images.h"

#include <gtest/gtest.h>

namespace {

using server::resolve_image;

TEST(Images, resolve) {
  struct Row {
    const char* reference;
    const char* want;  // image_id, empty: not resolved.
  };
  const Row rows[] = {
      {"nginx", "kubelan://builtin/nginx"},
      {"nginx:latest", "kubelan://builtin/nginx"},
      {"nginx:1.14.2", "kubelan://builtin/nginx"},
      {"nginx:alpine", "kubelan://builtin/nginx"},
      {"library/nginx", "kubelan://builtin/nginx"},
      {"docker.io/library/nginx:1.25", "kubelan://builtin/nginx"},
      {"localhost:5000/nginx", "kubelan://builtin/nginx"},
      {"localhost:5000/nginx:1@sha256:0123", "kubelan://builtin/nginx"},
      {"registry.k8s.io/e2e-test-images/nginx:1.14-4", "kubelan://builtin/nginx"},
      {"registry.k8s.io/pause:3.10", "kubelan://builtin/pause"},
      {"registry.k8s.io/ingress-nginx/controller:v1.15.1@sha256:0123", "kubelan://builtin/ingress-nginx/controller"},
      {"busybox", "kubelan://host/busybox"},
      {"busybox:1.28", "kubelan://host/busybox"},
      {"alpine:3.20", "kubelan://host/alpine"},
      {"debian:bookworm-slim", "kubelan://host/debian"},
      {"ubuntu", "kubelan://host/ubuntu"},
      {"curlimages/curl", "kubelan://host/curlimages/curl"},
      {"docker.io/curlimages/curl:8.9.1", "kubelan://host/curlimages/curl"},
      {"nicolaka/netshoot", "kubelan://host/nicolaka/netshoot"},
      {"registry.k8s.io/e2e-test-images/agnhost:2.53", "kubelan://builtin/agnhost"},
      {"k8s.gcr.io/e2e-test-images/agnhost:2.33", "kubelan://builtin/agnhost"},
      {"hashicorp/http-echo:1.0", "kubelan://builtin/hashicorp/http-echo"},
      {"docker.io/traefik/whoami:v1.10", "kubelan://builtin/traefik/whoami"},
      {"containous/whoami", "kubelan://builtin/containous/whoami"},
      {"gcr.io/google-samples/hello-app:1.0", "kubelan://builtin/google-samples/hello-app"},
      {"us-docker.pkg.dev/google-samples/containers/gke/hello-app:2.0", "kubelan://builtin/gke/hello-app"},
      {"registry.k8s.io/e2e-test-images/busybox:1.29-4", "kubelan://host/busybox"},
      {"somebody/whoami", ""},
      {"host", "kubelan://host"},
      {"host:latest", "kubelan://host"},
      {"bitnami/nginx", ""},
      {"mynginx", ""},
      {"nginx/unit", ""},
      {"example.com/app:1", ""},
      {"somebody/curl", ""},
      {"", ""},
      {":", ""},
      {"@", ""},
  };
  for (const Row& row : rows) {
    auto image = resolve_image(row.reference);
    EXPECT_EQ(image ? image->image_id : "", row.want) << row.reference;
  }
}

TEST(Images, every_builtin_named_exists) {
  auto programs = server::builtin_programs();
  for (const char* reference : {"nginx", "pause", "agnhost", "hashicorp/http-echo", "traefik/whoami", "google-samples/hello-app:1.0", "google-samples/hello-app:2.0", "ingress-nginx/controller"}) {
    auto image = resolve_image(reference);
    ASSERT_TRUE(image.has_value());
    EXPECT_EQ(programs.count(image->builtin), 1u) << reference;
  }
}

TEST(Images, commands_that_mean_the_builtin) {
  auto nginx = *resolve_image("nginx");
  auto host = *resolve_image("host");
  struct Row {
    std::vector<std::string> command;
    const char* want;
  };
  const Row rows[] = {
      {{}, "nginx"},
      {{"nginx", "-g", "daemon off;"}, "nginx"},
      {{"/usr/sbin/nginx"}, "nginx"},
      {{"nginx-debug", "-g", "daemon off;"}, "nginx"},
      {{"/docker-entrypoint.sh", "nginx"}, "nginx"},
      {{"sh", "-c", "sleep 1"}, ""},
      {{"sleep", "3600"}, ""},
  };
  for (const Row& row : rows) EXPECT_EQ(server::builtin_for_command(nginx, row.command), row.want);
  auto agnhost = *resolve_image("agnhost");
  EXPECT_EQ(server::builtin_for_command(agnhost, {"/agnhost", "netexec"}), "agnhost");
  EXPECT_EQ(server::builtin_for_command(agnhost, {"/bin/sh", "-c", "/agnhost netexec"}), "");
  auto hello = *resolve_image("google-samples/hello-app:2.0");
  EXPECT_EQ(server::builtin_for_command(hello, hello.cmd), "hello-app-2");
  EXPECT_EQ(server::builtin_for_command(*resolve_image("google-samples/hello-app:1.0"), hello.cmd), "hello-app");
  EXPECT_EQ(server::builtin_for_command(host, {}), "");
  EXPECT_EQ(server::builtin_for_command(host, {"nginx"}), "");
}

TEST(Images, what_is_not_there_is_explained) {
  std::string text = server::explain_unresolved("redis:7");
  for (const char* part : {"redis:7", "nginx", "busybox", "agnhost", "hashicorp/http-echo", "traefik/whoami", "hello-app", "image: host"}) EXPECT_NE(text.find(part), std::string::npos) << text;
}

}  // namespace
