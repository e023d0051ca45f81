// Debian's nginx and kubelan's engine, set up alike (nginx.conf, hosts.json), are sent the same requests (requests.txt) and must answer alike and
// send the same on, but for what differences.txt says and why. KUBELAN_NGINX names another nginx; KUBELAN_DIFFERENTIAL=NAME shows one
// conversation's differences (all: every one).
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <set>
#include <sstream>

#include "server/gateway/engine/engine.h"
#include "server/gateway/tls/fake_certificate.h"
#include "tests/server/gateway/differential/conversation.h"
#include "tests/server/gateway/differential/echo_backend.h"
#include "tests/tools/gateway_description.h"

namespace differential {
namespace {

namespace fs = std::filesystem;
using namespace server::gateway;

// ann's password is "secret".
const char* kHash = "$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0";

std::string find_nginx() {
  const char* named = getenv("KUBELAN_NGINX");
  for (const std::string& path : {std::string(named != nullptr ? named : ""), std::string("/usr/sbin/nginx"), std::string("/usr/local/sbin/nginx"), std::string("/usr/bin/nginx")}) {
    if (!path.empty() && access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

std::string read_source(const std::string& name) {
  std::ifstream in(fs::path(KUBELAN_SOURCE_DIR) / "tests/server/gateway/differential" / name);
  EXPECT_TRUE(in.good()) << name;
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

void write_file(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string replaced(std::string text, const std::vector<std::pair<std::string, std::string>>& values) {
  for (const auto& [name, value] : values) {
    std::string mark = "@" + name + "@";
    for (size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += value.size()) text.replace(at, mark.size(), value);
  }
  return text;
}

// Bound, never listening: nobody else gets the port, connections to it are refused, and nginx (SO_REUSEADDR, too) can still take it.
base::Fd hold_port(uint16_t* port) {
  base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof to;
  int one = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&to), size), 0);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&to), &size);
  *port = ntohs(to.sin_port);
  return fd;
}

// What both need: a backend, a port that refuses, a certificate.
struct World {
  World() {
    std::string pattern = (fs::temp_directory_path() / "kubelan-differential.XXXXXX").string();
    dir = mkdtemp(pattern.data());
    chmod(dir.c_str(), 0755);
    IdentityPtr identity = fake_identity();
    write_file(dir + "/tls.crt", identity->certificate_pem);
    write_file(dir + "/tls.key", identity->key_pem);
    write_file(dir + "/users", std::string("ann:") + kHash + "\n");
  }
  ~World() { fs::remove_all(dir); }
  std::vector<std::pair<std::string, std::string>> names(uint16_t http, uint16_t https) const {
    return {{"DIR", dir}, {"ECHO", std::to_string(echo.port())}, {"REFUSED", std::to_string(refused)}, {"HTTP", std::to_string(http)}, {"HTTPS", std::to_string(https)}, {"HASH", kHash}};
  }
  std::string dir;
  EchoBackend echo;
  uint16_t refused = 0;
  base::Fd refused_holder = hold_port(&refused);
};

class Nginx {
 public:
  Nginx(const std::string& program, const World& world, const std::string& name) : dir_(world.dir + "/" + name) {
    fs::create_directory(dir_);
    base::Fd http = hold_port(&port), https = hold_port(&tls_port);
    for (const char* file : {"proxy.inc", "cors.inc"}) write_file(dir_ + "/" + file, read_source(file));
    for (const char* file : {"tls.crt", "tls.key", "users"}) fs::copy_file(world.dir + "/" + file, dir_ + "/" + file);
    auto names = world.names(port, tls_port);
    names[0].second = dir_;
    write_file(dir_ + "/nginx.conf", replaced(read_source("nginx.conf"), names));
    std::string conf = dir_ + "/nginx.conf", log = dir_ + "/error.log";
    const char* argv[] = {program.c_str(), "-p", dir_.c_str(), "-e", log.c_str(), "-c", conf.c_str(), nullptr};
    pid_ = fork();
    if (pid_ != 0) wait_for_it();
    if (pid_ == 0) {
      execv(program.c_str(), const_cast<char**>(argv));
      _exit(127);
    }
  }
  ~Nginx() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  // It answers, or has ended with what its log says.
  bool ready() {
    Request ping{"ping", "GET / HTTP/1.1\r\nHost: end.example\r\nConnection: close\r\n\r\n", false, true, ""};
    Conversation first = converse(ping, port, tls_port);
    return first.answers.size() == 1 && waitpid(pid_, nullptr, WNOHANG) == 0;
  }
  std::string log() const {
    std::ifstream in(dir_ + "/error.log");
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
  }
  uint16_t port = 0, tls_port = 0;

 private:
  // Until it listens, or has ended.
  void wait_for_it() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline && waitpid(pid_, nullptr, WNOHANG) == 0 && !listens(tls_port)) usleep(10'000);
  }
  static bool listens(uint16_t to_port) {
    base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(to_port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }

  std::string dir_;
  pid_t pid_ = -1;
};

std::unique_ptr<Engine> start_kubelan(const World& world, uint16_t* port, uint16_t* tls_port) {
  EngineOptions options;
  options.addresses = {base::Ip::v4(127, 0, 0, 1)};
  options.ephemeral_ports = true;
  auto engine = Engine::start(std::move(options));
  if (!engine.ok()) return nullptr;
  std::string text = replaced(replaced(read_source("table.json"), {{"HOSTS", read_source("hosts.json")}}), world.names(0, 0));
  auto table = gateway_test::parse_description(text);
  EXPECT_TRUE(table.ok()) << table.error().message;
  if (!table.ok()) return nullptr;
  std::promise<std::vector<std::string>> done;
  (*engine)->publish(*table, [&](std::vector<std::string> problems) { done.set_value(std::move(problems)); });
  EXPECT_EQ(done.get_future().get(), std::vector<std::string>());
  *port = (*engine)->ports().at("http");
  *tls_port = (*engine)->ports().at("https");
  return std::move(*engine);
}

// NAME (or a beginning of it and "*"), a beginning of the difference, and why it is right, with " || " between.
struct Expected {
  std::string name, difference, why;
  int used = 0;
  bool fits(const std::string& of, const std::string& what) const {
    bool named = !name.empty() && name.back() == '*' ? of.compare(0, name.size() - 1, name, 0, name.size() - 1) == 0 : of == name;
    return named && what.rfind(difference, 0) == 0;
  }
};

std::vector<Expected> read_expected() {
  std::vector<Expected> out;
  std::istringstream lines(read_source("differences.txt"));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    size_t first = line.find(" || "), second = line.find(" || ", first + 4);
    if (second == std::string::npos) {
      ADD_FAILURE() << "differences.txt: " << line;
      continue;
    }
    out.push_back({line.substr(0, first), line.substr(first + 4, second - first - 4), line.substr(second + 4)});
  }
  return out;
}

bool wanted(const Request& request) {
  const char* only = getenv("KUBELAN_DIFFERENTIAL");
  return only == nullptr || std::string(only) == "all" || request.name == only;
}

TEST(Differential, nginx_against_itself_shows_nothing) {
  std::string program = find_nginx();
  if (program.empty()) GTEST_SKIP() << "nginx is not installed";
  World world;
  Nginx a(program, world, "a"), b(program, world, "b");
  ASSERT_TRUE(a.ready()) << a.log();
  ASSERT_TRUE(b.ready()) << b.log();
  for (const Request& request : read_requests(read_source("requests.txt"))) {
    // Those that wait for nothing to come are slow, and the same here by construction.
    if (!wanted(request) || request.name.rfind("smuggle", 0) == 0) continue;
    EXPECT_EQ(compare(converse(request, a.port, a.tls_port), converse(request, b.port, b.tls_port)), std::vector<std::string>()) << request.name;
  }
}

TEST(Differential, nginx_and_kubelan_answer_alike) {
  std::string program = find_nginx();
  if (program.empty()) GTEST_SKIP() << "nginx is not installed";
  World world;
  Nginx nginx(program, world, "nginx");
  ASSERT_TRUE(nginx.ready()) << nginx.log();
  uint16_t port = 0, tls_port = 0;
  std::unique_ptr<Engine> engine = start_kubelan(world, &port, &tls_port);
  ASSERT_NE(engine, nullptr);
  std::vector<Expected> expected = read_expected();
  int asked = 0, differing = 0;
  for (const Request& request : read_requests(read_source("requests.txt"))) {
    if (!wanted(request)) continue;
    ++asked;
    std::vector<std::string> found = compare(converse(request, nginx.port, nginx.tls_port), converse(request, port, tls_port));
    differing += found.empty() ? 0 : 1;
    for (const std::string& what : found) {
      if (getenv("KUBELAN_DIFFERENTIAL") != nullptr) std::cout << request.name << " || " << what << "\n";
      bool known = false;
      for (Expected& one : expected) {
        if (!known && one.fits(request.name, what)) {
          ++one.used;
          known = true;
        }
      }
      EXPECT_TRUE(known) << request.name << ": nginx | kubelan: " << what;
    }
  }
  std::cout << asked << " requests, " << differing << " with differences, all of them explained unless said above\n";
  if (getenv("KUBELAN_DIFFERENTIAL") != nullptr) return;
  for (const Expected& one : expected) EXPECT_GT(one.used, 0) << "differences.txt explains what is not so any more: " << one.name << " || " << one.difference;
}

// The judge itself: what no proxy may pass on, sent to the backend straight.
TEST(Smuggling, the_backend_notices) {
  EchoBackend backend;
  for (const Request& request : read_requests(read_source("requests.txt"))) {
    bool plain = false;
    for (const char* name : {"smuggle_cl_te", "smuggle_two_lengths", "smuggle_length_plus", "smuggle_te_xchunked", "smuggle_space_before_colon", "smuggle_no_colon", "smuggle_two_hosts",
                             "smuggle_control_in_value", "smuggle_bare_cr"}) plain = plain || request.name == name;
    if (!plain) continue;
    converse(request, backend.port(), 0);
    EXPECT_FALSE(backend.take_seen().ambiguous.empty()) << request.name;
  }
}

// The corpus by itself, without nginx: what reaches the backend can be read in one way only, and is as many requests as were answered.
TEST(Smuggling, nothing_ambiguous_reaches_the_backend) {
  World world;
  uint16_t port = 0, tls_port = 0;
  std::unique_ptr<Engine> engine = start_kubelan(world, &port, &tls_port);
  ASSERT_NE(engine, nullptr);
  int asked = 0;
  for (const Request& request : read_requests(read_source("requests.txt"))) {
    bool corpus = request.name.rfind("smuggle", 0) == 0 || request.name.rfind("bad_", 0) == 0;
    if (!corpus || !wanted(request)) continue;
    ++asked;
    world.echo.take_seen();
    Conversation got = converse(request, port, tls_port);
    EchoBackend::Seen seen = world.echo.take_seen();
    EXPECT_EQ(seen.ambiguous, std::vector<std::string>()) << request.name;
    EXPECT_LE(seen.requests, static_cast<int>(got.answers.size())) << request.name;
    EXPECT_EQ(got.rest, "") << request.name;
    // Refused or answered: never left hanging, but where the request says that more is to come.
    EXPECT_TRUE(got.answered_in_time || got.answers.empty()) << request.name;
  }
  EXPECT_GE(asked, 40);
}

}  // namespace
}  // namespace differential
