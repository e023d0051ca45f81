// Images as containers: spawner, sandbox, and the files that an image brings.
#include <arpa/inet.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "netns/link/messages.h"
#include "netns/link/rtnl.h"
#include "netns/ns/worker.h"
#include "server/images/images.h"
#include "tests/netns/support.h"

namespace {

using base::Fd;
using base::Result;
using netns::ContainerSpec;
using netns::ExitInfo;
using netns::Started;

// One pod: namespaces with lo up, and a spawner that knows the built-in programs.
class Pod {
 public:
  explicit Pod(const std::string& scratch) {
    netns::SpawnerOptions options;
    options.builtins = server::builtin_programs();
    options.scratch = scratch;
    process_ = netns::SpawnerProcess::fork(options).value();
    spawner_ = process_->activate();
    std::thread([this] { sandbox_ = netns::make_sandbox("web").value(); }).join();
    worker_ = netns::Worker::start("pod", sandbox_.net).value();
    worker_->call([] {
      netns::Batch batch;
      netns::set_link_up(batch, netns::kLoIndex);
      return netns::Rtnl::open()->apply(batch).ok();
    });
  }
  ~Pod() {
    worker_.reset();
    spawner_.reset();
    process_.reset();
  }

  struct Running {
    netns::ProcessId id = 0;
    std::string error;
    std::shared_ptr<std::promise<ExitInfo>> exit = std::make_shared<std::promise<ExitInfo>>();
    pid_t pid = 0;
    int wait() { return exit->get_future().get().code; }
  };
  Running start(const std::string& reference, const std::vector<std::string>& argv, std::vector<netns::Mount> volumes, int out, int err) {
    auto image = *server::resolve_image(reference);
    ContainerSpec spec;
    spec.argv = image.entrypoint;
    spec.argv.insert(spec.argv.end(), argv.begin(), argv.end());
    if (argv.empty()) spec.argv.insert(spec.argv.end(), image.cmd.begin(), image.cmd.end());
    spec.builtin = server::builtin_for_command(image, spec.argv);
    spec.mounts = image.mounts;
    spec.mounts.insert(spec.mounts.end(), volumes.begin(), volumes.end());
    Running running;
    std::promise<Result<Started>> started;
    auto exit = running.exit;
    spawner_->start(spec, sandbox_, {-1, out, err}, [&](Result<Started> result) { started.set_value(std::move(result)); },
                    [exit](ExitInfo info) { exit->set_value(info); });
    Result<Started> result = started.get_future().get();
    if (!result.ok()) running.error = result.error().message;
    if (result.ok()) running.id = result->id;
    if (result.ok()) running.pid = result->pid;
    return running;
  }
  int exec(netns::ProcessId id, const std::string& script) {
    ContainerSpec spec;
    spec.argv = {"sh", "-c", script};
    auto done = std::make_shared<std::promise<int>>();
    spawner_->exec_in(id, spec, {}, [done](Result<Started> result) { if (!result.ok()) done->set_value(-1); }, [done](ExitInfo info) { done->set_value(info.code); });
    return done->get_future().get();
  }
  // Status line and body of a GET in the pod, once something listens.
  std::string get(const std::string& path) {
    return worker_->call([&]() -> std::string {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(80);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      Fd fd;
      bool up = netns_test::eventually([&] {
        fd = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        return ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
      });
      if (!up) return "nobody listens";
      std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
      base::ignore(base::write_all(fd.get(), request.data(), request.size()), "the answer shows it");
      std::string text;
      char buffer[4096];
      ssize_t n;
      while ((n = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0) text.append(buffer, static_cast<size_t>(n));
      if (text.size() < 9) return "no answer";
      size_t body = text.find("\r\n\r\n");
      return text.substr(9, text.find("\r\n") - 9) + "|" + (body == std::string::npos ? "" : text.substr(body + 4));
    });
  }
  void signal(netns::ProcessId id, int number) { spawner_->signal(id, number); }

 private:
  std::unique_ptr<netns::SpawnerProcess> process_;
  std::unique_ptr<netns::Spawner> spawner_;
  netns::Sandbox sandbox_;
  std::unique_ptr<netns::Worker> worker_;
};

void with_pod(const std::function<void(Pod&, const std::string& files)>& body) {
  netns_test::ScratchDir scratch;
  std::filesystem::create_directories(scratch.path() + "/mnt");
  std::filesystem::create_directories(scratch.path() + "/files/html");
  std::ofstream(scratch.path() + "/files/html/index.html") << "mine\n";
  std::ofstream(scratch.path() + "/files/site.conf") << "server {}\n";
  netns_test::run_isolated([&] {
    Pod pod(scratch.path() + "/mnt");
    body(pod, scratch.path() + "/files");
  });
}

std::string all_of(const Fd& fd) {
  std::string text;
  char buffer[4096];
  ssize_t n;
  while ((n = ::read(fd.get(), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  return text;
}

TEST(ImageRun, nginx_serves_its_page_and_what_is_written_over_it) {
  with_pod([](Pod& pod, const std::string&) {
    base::Pipe out = base::make_pipe().value();
    auto start = std::chrono::steady_clock::now();
    Pod::Running nginx = pod.start("nginx:1.27", {}, {}, out.write.get(), -1);
    ASSERT_EQ(nginx.error, "");
    EXPECT_NE(pod.get("/").find("200 OK|<!DOCTYPE html>"), std::string::npos);
    std::printf("nginx, first start to first answer: %.1f ms\n", netns_test::milliseconds_since(start));
    EXPECT_NE(pod.get("/index.html").find("<title>Welcome to nginx!</title>"), std::string::npos);
    EXPECT_EQ(pod.get("/none").substr(0, 14), "404 Not Found|");
    EXPECT_EQ(pod.exec(nginx.id, "echo web-0 > /usr/share/nginx/html/index.html"), 0);
    EXPECT_EQ(pod.get("/"), "200 OK|web-0\n");
    pod.signal(nginx.id, SIGTERM);
    EXPECT_EQ(nginx.wait(), 0);
    out.write.reset();
    EXPECT_NE(all_of(out.read).find("127.0.0.1 - - ["), std::string::npos);
  });
}

TEST(ImageRun, nginx_serves_a_mounted_volume) {
  with_pod([](Pod& pod, const std::string& files) {
    netns::Mount volume{netns::Mount::Kind::kBind, files + "/html", "/usr/share/nginx/html", true, 0};
    Pod::Running nginx = pod.start("docker.io/library/nginx", {"nginx", "-g", "daemon off;"}, {volume}, -1, -1);
    ASSERT_EQ(nginx.error, "");
    EXPECT_EQ(pod.get("/"), "200 OK|mine\n");
    EXPECT_EQ(pod.get("/50x.html").substr(0, 3), "404");
    pod.signal(nginx.id, SIGQUIT);
    EXPECT_EQ(nginx.wait(), 0);
  });
}

TEST(ImageRun, nginx_says_that_it_reads_no_configuration) {
  with_pod([](Pod& pod, const std::string& files) {
    base::Pipe err = base::make_pipe().value();
    netns::Mount volume{netns::Mount::Kind::kBind, files + "/site.conf", "/etc/nginx/conf.d/default.conf", true, 0};
    Pod::Running nginx = pod.start("nginx", {}, {volume}, -1, err.write.get());
    ASSERT_EQ(nginx.error, "");
    EXPECT_EQ(nginx.wait(), 1);
    err.write.reset();
    EXPECT_NE(all_of(err.read).find("/etc/nginx/conf.d/default.conf"), std::string::npos);
  });
}

TEST(ImageRun, agnhost_serves_and_ends) {
  with_pod([](Pod& pod, const std::string&) {
    base::Pipe err = base::make_pipe().value();
    Pod::Running netexec = pod.start("registry.k8s.io/e2e-test-images/agnhost:2.53", {"netexec", "--http-port=80"}, {}, -1, err.write.get());
    ASSERT_EQ(netexec.error, "");
    EXPECT_EQ(pod.get("/hostname"), "200 OK|web");
    EXPECT_EQ(pod.get("/dial?host=127.0.0.1&port=8081&protocol=udp&request=hostname&tries=2"), "200 OK|{\"responses\":[\"web\",\"web\"]}");
    EXPECT_EQ(pod.get("/shell?cmd=echo%20hi"), "200 OK|{\"output\":\"hi\\n\"}");
    EXPECT_EQ(pod.exec(netexec.id, "test -x /agnhost && test -w /uploads"), 0);
    pod.signal(netexec.id, SIGTERM);
    EXPECT_EQ(netexec.wait(), 0);
    err.write.reset();
    EXPECT_NE(all_of(err.read).find("Started HTTP server on port 80"), std::string::npos);
  });
}

TEST(ImageRun, agnhost_ends_as_it_is_told) {
  struct Row {
    std::vector<std::string> argv;
    const char* path;  // Asked for, once it listens; nullptr: it ends by itself.
    int want;
  };
  const Row rows[] = {
      {{"netexec", "--http-port=80"}, "/exit?code=3", 3},
      {{"netexec", "--http-port=80"}, "/exit?code=4&timeout=5s&wait=1ms", 4},
      {{"netexec", "--nonsense"}, nullptr, 1},
      {{"nonsense"}, nullptr, 1},
      {{"net"}, nullptr, 1},
      {{"connect", "127.0.0.1:1", "--timeout=5s"}, nullptr, 1},
      {{"connect", "127.0.0.1:1", "--timeout=5s", "--protocol=udp"}, nullptr, 1},
      {{"dns-suffix"}, nullptr, 0},
  };
  with_pod([&](Pod& pod, const std::string&) {
    for (const Row& row : rows) {
      Pod::Running running = pod.start("agnhost", row.argv, {}, -1, -1);
      ASSERT_EQ(running.error, "") << row.argv[0];
      if (row.path != nullptr) pod.get(row.path);
      EXPECT_EQ(running.wait(), row.want) << row.argv.back();
    }
  });
}

TEST(ImageRun, small_servers) {
  struct Row {
    const char* image;
    std::vector<std::string> argv;
    const char* want;  // Of the body's start.
  };
  const Row rows[] = {
      {"hashicorp/http-echo", {"-listen=:80", "-text=hi"}, "200 OK|hi\n"},
      {"traefik/whoami", {"-name", "n"}, "200 OK|Name: n\nHostname: web\nIP: 127.0.0.1\n"},
      {"agnhost", {"serve-hostname", "--port=80"}, "200 OK|web"},
      {"agnhost", {"test-webserver"}, "200 OK|<!doctype html>"},
  };
  with_pod([&](Pod& pod, const std::string&) {
    for (const Row& row : rows) {
      Pod::Running running = pod.start(row.image, row.argv, {}, -1, -1);
      ASSERT_EQ(running.error, "") << row.image;
      EXPECT_EQ(pod.get("/").substr(0, std::string(row.want).size()), row.want) << row.image;
      // serve-hostname goes on for a minute after SIGTERM.
      pod.signal(running.id, row.argv[0] == "serve-hostname" ? SIGKILL : SIGTERM);
      EXPECT_EQ(running.wait(), row.argv[0] == "serve-hostname" ? 137 : 0) << row.image;
    }
  });
}

TEST(ImageRun, commands) {
  with_pod([](Pod& pod, const std::string&) {
    struct Row {
      const char* image;
      std::vector<std::string> argv;
      const char* want;
    };
    const Row rows[] = {
        {"nginx", {"sh", "-c", "ls /usr/share/nginx/html"}, "50x.html\nindex.html\n"},
        {"busybox", {"echo", "hi"}, "hi\n"},
        {"busybox", {}, ""},
        {"host", {"echo", "hi"}, "hi\n"},
        {"curlimages/curl", {"sh", "-c", "echo hi"}, "hi\n"},
    };
    for (const Row& row : rows) {
      base::Pipe out = base::make_pipe().value();
      Pod::Running running = pod.start(row.image, row.argv, {}, out.write.get(), -1);
      EXPECT_EQ(running.error, "") << row.image;
      out.write.reset();
      EXPECT_EQ(all_of(out.read), row.want) << row.image;
      if (running.error.empty()) {
        EXPECT_EQ(running.wait(), 0) << row.image;
      }
    }
    Pod::Running pause = pod.start("registry.k8s.io/pause:3.10", {}, {}, -1, -1);
    ASSERT_EQ(pause.error, "");
    pod.signal(pause.id, SIGTERM);
    EXPECT_EQ(pause.wait(), 0);
  });
}

}  // namespace
