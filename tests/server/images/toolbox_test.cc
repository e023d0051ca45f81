// Stand-ins for programs that the host lacks; the built-in nc.
#include "server/images/toolbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <set>
#include <thread>

#include "server/images/agnhost.h"
#include "tests/netns/support.h"

namespace {

using namespace server::images;

TEST(Toolbox, what_the_host_lacks_gets_a_stand_in) {
  struct Row {
    const char* name;
    std::set<std::string> missing;
    std::string busybox;
    std::vector<std::string> want;  // "source target's name"
  };
  const Row rows[] = {
      {"nothing is missing", {}, "", {}},
      {"this binary", {"nc", "dig"}, "", {"/k dig", "/k nc"}},
      {"busybox where it has it", {"dig", "ping", "nc"}, "/bin/busybox", {"/k dig", "/k nc", "/bin/busybox ping"}},
  };
  for (const Row& row : rows) {
    std::vector<std::string> got;
    for (const netns::Mount& mount : toolbox_mounts("/k", row.busybox, [&](const std::string& name) { return row.missing.count(name) == 0; })) {
      EXPECT_TRUE(mount.read_only);
      got.push_back(mount.source + " " + mount.target.substr(std::string(kToolDirectory).size() + 1));
      EXPECT_TRUE(is_tool(mount.target.substr(std::string(kToolDirectory).size() + 1)));
    }
    EXPECT_EQ(got, row.want) << row.name;
  }
  EXPECT_TRUE(toolbox_mounts("", "", [](const std::string&) { return false; }).empty());
  EXPECT_FALSE(is_tool("kubelan"));
}

// A program of ours in a child: its two outputs and its code.
class Child {
 public:
  Child(std::vector<std::string> argv, const std::string& input) {
    base::Pipe in = base::make_pipe().value(), out = base::make_pipe().value(), err = base::make_pipe().value();
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in.read.get(), 0);
      ::dup2(out.write.get(), 1);
      ::dup2(err.write.get(), 2);
      ::alarm(20);  // Whatever happens it ends.
      in.write.reset();
      int code = tool_main(argv);
      std::fflush(nullptr);
      ::_exit(code);
    }
    EXPECT_TRUE(base::write_all(in.write.get(), input.data(), input.size()).ok());
    in.write.reset();
    out_ = std::move(out.read);
    err_ = std::move(err.read);
  }
  // "code|output|errors"
  std::string end() {
    std::string out = all_of(out_), err = all_of(err_);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : -1) + "|" + out + "|" + err;
  }

 private:
  static std::string all_of(const base::Fd& fd) {
    std::string text;
    char buffer[4096];
    ssize_t n;
    while ((n = ::read(fd.get(), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
    return text;
  }
  pid_t pid_ = -1;
  base::Fd out_, err_;
};

// A port of 127.0.0.1 that nobody has.
uint16_t free_port() {
  base::Fd fd = open_listener(Transport::kTcp, {"127.0.0.1", 0}).value();
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

TEST(Nc, what_is_wrong_is_said) {
  const std::string closed = std::to_string(free_port());
  struct Row {
    std::vector<std::string> argv;
    std::string want;  // The beginning.
  };
  const Row rows[] = {
      {{"/run/kubelan/bin/dig", "x"}, "127||dig: not found: "},
      {{"nc"}, "1||nc: a host and a port are needed\nusage: nc "},
      {{"nc", "-X", "a", "1"}, "1||nc: invalid option -- 'X'"},
      {{"nc", "-w", "x", "a", "1"}, "1||nc: option requires a number -- 'w'"},
      {{"nc", "-vz", "127.0.0.1", closed}, "1||nc: connect to 127.0.0.1 port " + closed + " (tcp) failed: Connection refused\n"},
      {{"nc", "127.0.0.1", closed}, "1||"},
      {{"nc", "-l", "99999"}, "1||nc: port number invalid: 99999"},
  };
  for (const Row& row : rows) EXPECT_EQ(Child(row.argv, "").end().substr(0, row.want.size()), row.want) << row.argv.back();
}

TEST(Nc, asks_servers) {
  base::Pipe ready = base::make_pipe().value();
  pid_t server = ::fork();
  if (server == 0) {
    AppServer apps;
    auto say = [](std::string_view message, const std::string& peer) { return std::optional<std::string>(std::string(message) + "|" + peer.substr(peer.rfind(':') + 1)); };
    uint16_t ports[2] = {apps.listen_stream(Transport::kTcp, {"127.0.0.1", 0}, AppServer::Turn::kWaits, say).value(), apps.listen_datagrams({"127.0.0.1", 0}, say).value()};
    base::ignore(base::write_all(ready.write.get(), ports, sizeof ports), "the reader sees it");
    apps.run(base::Fd(), std::chrono::seconds(30));
    ::_exit(0);
  }
  uint16_t ports[2] = {};
  ASSERT_EQ(::read(ready.read.get(), ports, sizeof ports), static_cast<ssize_t>(sizeof ports));
  const std::string tcp = std::to_string(ports[0]), udp = std::to_string(ports[1]), source = std::to_string(free_port());
  EXPECT_EQ(Child({"nc", "-v", "-t", "-w", "2", "-p", source, "127.0.0.1", tcp}, "hi\n").end(), "0|hi\n|" + source + "|Connection to 127.0.0.1 " + tcp + " port [tcp/*] succeeded!\n");
  EXPECT_EQ(Child({"nc", "-zv", "127.0.0.1", tcp}, "").end(), "0||Connection to 127.0.0.1 " + tcp + " port [tcp/*] succeeded!\n");
  EXPECT_EQ(Child({"nc", "-u", "-w", "1", "-p", source, "127.0.0.1", udp}, "hi\n").end(), "0|hi\n|" + source + "|");
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
}

TEST(Nc, listens) {
  const std::string port = std::to_string(free_port());
  Child server({"nc", "-l", "-p", port, "127.0.0.1"}, "from the server\n");
  base::Fd fd;
  Endpoint to = resolve_endpoint("127.0.0.1", port, Transport::kTcp).value();
  ASSERT_TRUE(netns_test::eventually([&] { return !connect_endpoint(Transport::kTcp, to, std::chrono::seconds(5), fd); }));
  std::string answer;
  EXPECT_FALSE(exchange(fd, Transport::kTcp, "from the client\n", std::chrono::seconds(10), answer));
  EXPECT_EQ(answer, "from the server\n");
  fd.reset();
  EXPECT_EQ(server.end(), "0|from the client\n|");
}

}  // namespace
