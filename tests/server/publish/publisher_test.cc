// The list of published ports: names that come and go, what is kept, what is refused.
#include "server/publish/publisher.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>

#include "store/base/socket_address.h"
#include "tests/netns/support.h"
#include "tests/server/support/threaded_loop.h"

namespace {

using base::Fd;
using base::Ip;
using netns_test::eventually;
using nlohmann::json;
using server::HostPorts;
using server::PublishedPort;
using server::publish::HostPort;
using server::publish::parse_host_port;
using server::publish::parse_spec;

// The host: sockets made in the fabric's namespace; some ports are taken.
struct TestHost final : HostPorts {
  explicit TestHost(netns::Fabric& f) : fabric(f) {}
  base::Result<Opened> open(const HostPort& host) override {
    if (taken.count(host.port) != 0) return base::Error(base::Code::kConflict, host.text() + " is in use");
    const uint16_t port = host.port == 0 ? next++ : host.port;
    const int type = host.protocol == server::model::Protocol::kUdp ? SOCK_DGRAM : SOCK_STREAM;
    Fd fd = fabric.fabric_worker().call([&] {
      Fd made(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
      const auto address = base::socket_address(host.ip, port);
      EXPECT_EQ(::bind(made.get(), address.get(), address.size), 0) << std::strerror(errno);
      return made;
    });
    ++open_now;
    return Opened{std::move(fd), port};
  }
  void closed(const HostPort&) override { --open_now; }
  netns::Fabric& fabric;
  std::set<uint16_t> taken;
  std::atomic<uint16_t> next{20000};
  std::atomic<int> open_now{0};
};

struct PublisherWorld {
  explicit PublisherWorld(const std::string& state_file = "") : io("io-test") {
    netns::FabricPlan plan;
    plan.underlay = base::Cidr(Ip::v4(172, 30, 0, 0), 16);
    plan.gateway = Ip::v4(172, 30, 0, 1);
    plan.client_address = Ip::v4(172, 30, 0, 2);
    plan.nodes.push_back({"node-1", Ip::v4(172, 30, 0, 11), base::Cidr(Ip::v4(10, 244, 1, 0), 24), {Ip::v4(10, 96, 0, 7)}});
    fabric = netns::Fabric::create(plan).value();
    auto made = std::make_unique<TestHost>(*fabric);
    host = made.get();
    publisher = make_publisher(loop, io, *fabric, std::move(made), {state_file, {base::Cidr(Ip::v4(10, 96, 0, 0), 12)}});
    base::ignore(loop.start(), "cannot fail");
  }
  ~PublisherWorld() {
    loop.stop();
    publisher.reset();
  }

  // A Service whose cluster IP is an address of node-1 itself: no rules are needed here.
  void put_service(const std::string& name, const std::string& ip) {
    loop.put("services", "default", name, {{"spec", {{"type", "ClusterIP"}, {"clusterIP", ip}, {"ports", {{{"port", 80}, {"protocol", "TCP"}}}}}}});
  }
  base::Result<PublishedPort> add(const std::string& text) { return publisher->add(parse_spec(text).value()); }
  std::vector<std::string> list() {
    std::vector<std::string> out;
    for (const PublishedPort& port : publisher->list()) out.push_back(render_spec(port.spec) + " " + port.status + " " + (port.leads_to.empty() ? port.reason : port.leads_to));
    return out;
  }
  int connect(uint16_t port, Fd* client = nullptr) {
    return fabric->fabric_worker().call([&] {
      Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const timeval limit{20, 0};
      ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      const auto address = base::socket_address(Ip::v4(127, 0, 0, 1), port);
      const int error = ::connect(fd.get(), address.get(), address.size) == 0 ? 0 : errno;
      if (client != nullptr) *client = std::move(fd);
      return error;
    });
  }

  base::Loop io;
  server::ThreadedLoop loop;
  std::unique_ptr<netns::Fabric> fabric;
  TestHost* host = nullptr;
  std::unique_ptr<server::Publisher> publisher;
};

using Lines = std::vector<std::string>;

TEST(Publisher, FollowsNames) {
  netns_test::run_isolated([] {
    PublisherWorld w;
    base::Result<PublishedPort> added = w.add("8080:svc/web:80");
    ASSERT_TRUE(added.ok()) << added.error().message;
    EXPECT_EQ(added->status, "waiting");
    EXPECT_EQ(w.list(), (Lines{"127.0.0.1:8080:svc/default/web:80 waiting no service default/web"}));
    EXPECT_EQ(w.connect(8080), ECONNREFUSED);
    Fd server = w.fabric->find_node("node-1")->worker().call([] { return netns::make_tcp_listener(Ip::v4(10, 96, 0, 7), 80, 16).value(); });
    for (int round = 0; round < 2; ++round) {
      w.put_service("web", "10.96.0.7");
      EXPECT_EQ(w.list(), (Lines{"127.0.0.1:8080:svc/default/web:80 active 10.96.0.7:80"}));
      Fd client;
      EXPECT_TRUE(eventually([&] { return w.connect(8080, &client) == 0; }));
      ASSERT_EQ(::send(client.get(), "x", 1, MSG_NOSIGNAL), 1);
      // One that tried whether the port is closed may have come through just before it was, and has ended.
      Fd served;
      char first = 0;
      do served = Fd(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
      while (served && ::recv(served.get(), &first, 1, 0) == 0);
      ASSERT_EQ(first, 'x');
      ASSERT_EQ(::send(served.get(), "hi", 2, MSG_NOSIGNAL), 2);
      char got[2];
      EXPECT_EQ(::recv(client.get(), got, 2, MSG_WAITALL), 2);
      w.loop.put("services", "default", "web", nullptr);
      EXPECT_EQ(w.list(), (Lines{"127.0.0.1:8080:svc/default/web:80 waiting no service default/web"}));
      EXPECT_TRUE(eventually([&] { return w.connect(8080) == ECONNREFUSED; }));
    }
    const json described = describe(w.publisher->list()[0]);
    EXPECT_EQ(described["hostPort"], 8080);
    EXPECT_EQ(described["target"], "svc/default/web:80");
    EXPECT_EQ(described["status"], "waiting");
    EXPECT_GE(described["totalConnections"], 2);
  });
}

TEST(Publisher, AddsAndRemoves) {
  netns_test::run_isolated([] {
    PublisherWorld w;
    w.host->taken = {8081};
    ASSERT_TRUE(w.add("8080:svc/web:80").ok());
    ASSERT_TRUE(w.add("8080:svc/web:80/udp").ok());
    ASSERT_TRUE(w.add("127.0.0.2:8080:30080").ok());
    base::Result<PublishedPort> any = w.add("0:svc/web:80");
    ASSERT_TRUE(any.ok());
    EXPECT_EQ(any->spec.host.port, 20000);
    EXPECT_EQ(w.add("8080:svc/other:80").error().message, "127.0.0.1:8080 is published already, to svc/default/web:80");
    EXPECT_EQ(w.add("8081:svc/other:80").error().code, base::Code::kConflict);
    EXPECT_EQ(w.list(), (Lines{"127.0.0.1:8080:svc/default/web:80 waiting no service default/web", "127.0.0.1:8080:svc/default/web:80/udp waiting no service default/web",
                               "127.0.0.1:20000:svc/default/web:80 waiting no service default/web", "127.0.0.2:8080::30080 active 172.30.0.11:30080"}));
    EXPECT_EQ(w.publisher->remove(parse_host_port("9999").value()).error().code, base::Code::kNotFound);
    for (const char* port : {"8080", "8080/udp", "20000", "127.0.0.2:8080"}) {
      base::Status removed = w.publisher->remove(parse_host_port(port).value());
      EXPECT_TRUE(removed.ok()) << port;
    }
    EXPECT_TRUE(w.list().empty());
    EXPECT_EQ(w.host->open_now, 0);
    // The socket is gone when remove() returns: the port can be had again.
    ASSERT_TRUE(w.add("8080:svc/web:80").ok());
    for (int i = 1; i < 256; ++i) ASSERT_TRUE(w.add("0:svc/web:80").ok()) << i;
    EXPECT_EQ(w.add("0:svc/web:80").error().code, base::Code::kTooManyRequests);
  });
}

TEST(Publisher, KeepsWhatIsPublished) {
  netns_test::run_isolated([] {
    netns_test::ScratchDir dir;
    const std::string file = dir.path() + "/published.json";
    {
      PublisherWorld w(file);
      ASSERT_TRUE(w.publisher->restore({}).ok());
      EXPECT_TRUE(w.list().empty());
      ASSERT_TRUE(w.add("0:svc/web:80").ok());
      ASSERT_TRUE(w.add("8080:node-1:30080").ok());
      ASSERT_TRUE(w.add("8081:30081/udp").ok());
      ASSERT_TRUE(w.add("8082:svc/gone:80").ok());
      ASSERT_TRUE(w.publisher->remove(parse_host_port("8082").value()).ok());
    }
    {  // One is taken now, and one is asked for anew with another target.
      PublisherWorld w(file);
      w.host->taken = {20000};
      base::Status restored = w.publisher->restore({parse_spec("8080:svc/other:80").value()});
      ASSERT_TRUE(restored.ok()) << restored.error().message;
      EXPECT_EQ(w.list(), (Lines{"127.0.0.1:8080:svc/default/other:80 waiting no service default/other", "127.0.0.1:8081::30081/udp active 172.30.0.11:30081",
                                 "127.0.0.1:20000:svc/default/web:80 failed 127.0.0.1:20000 is in use"}));
    }
    {  // What failed is still remembered.
      PublisherWorld w(file);
      ASSERT_TRUE(w.publisher->restore({}).ok());
      EXPECT_EQ(w.list().size(), 3u);
      EXPECT_EQ(w.list()[2], "127.0.0.1:20000:svc/default/web:80 waiting no service default/web");
    }
    {  // A port asked for that is taken is an error.
      PublisherWorld w(file);
      w.host->taken = {9000};
      EXPECT_EQ(w.publisher->restore({parse_spec("9000:svc/web:80").value()}).error().code, base::Code::kConflict);
    }
    ASSERT_TRUE(base::write_file_atomic(file, "nonsense", 0600).ok());
    PublisherWorld w(file);
    EXPECT_NE(w.publisher->restore({}).error().message.find("published.json is not a list"), std::string::npos);
  });
}

}  // namespace
