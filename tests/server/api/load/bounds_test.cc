// What one client can make the server hold or do is bounded: a test for each bound.
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <thread>

#include "tests/server/api/load/http_world.h"

namespace load {
namespace {

using namespace std::chrono_literals;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
constexpr size_t kMiB = 1 << 20;
const std::string kMaps = "/api/v1/namespaces/default/configmaps";

size_t resident() {
  malloc_trim(0);
  std::ifstream in("/proc/self/statm");
  size_t all = 0, resident_pages = 0;
  in >> all >> resident_pages;
  return resident_pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

std::string map_of(const std::string& name, size_t bytes, char letter = 'x') {
  return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name + R"("},"data":{"k":")" + std::string(bytes, letter) + "\"}}";
}

std::string pod_of(size_t bytes) {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i","env":[{"name":"A","value":")" + std::string(bytes, 'x') + R"("}]}]}})";
}

// Clients in a process of their own, so that what they take is not counted. Made before there are threads.
class Clients {
 public:
  // `what` opens connections of `port` and keeps them.
  explicit Clients(const std::function<void(int port, const Credentials&)>& what) {
    EXPECT_EQ(::pipe(go_), 0);
    EXPECT_EQ(::pipe(done_), 0);
    identity();  // Both sides know it.
    child_ = ::fork();
    if (child_ != 0) return;
    ::close(go_[1]);
    int port = 0;
    bool ok = ::read(go_[0], &port, sizeof port) == sizeof port;
    if (ok) {
      try {
        what(port, Credentials(identity().admin.cert_pem, identity().admin.key_pem));
      } catch (const std::exception& e) {
        fprintf(stderr, "clients: %s\n", e.what());
        ok = false;
      }
    }
    base::ignore(base::write_all(done_[1], ok ? "y" : "n", 1), "the test is gone");
    char byte;
    while (::read(go_[0], &byte, 1) > 0) {
    }
    ::_exit(0);
  }
  ~Clients() {
    ::close(go_[1]);
    ::waitpid(child_, nullptr, 0);
    for (int fd : {go_[0], done_[0], done_[1]}) ::close(fd);
  }
  void run(const HttpWorld& world) {
    ASSERT_TRUE(base::write_all(go_[1], reinterpret_cast<const char*>(&world.port), sizeof world.port).ok());
    char answer = 0;
    ASSERT_EQ(::read(done_[0], &answer, 1), 1);
    ASSERT_EQ(answer, 'y');
  }

 private:
  int go_[2], done_[2];
  pid_t child_;
};

// --- bodies ----------------------------------------------------------------------------------------------

struct BodyRow {
  const char* what;
  Request request;
  int status;
  std::string message;  // The answer's begins so; "" is not looked at.
};

std::string nested(const std::string& open, const std::string& close, int levels) {
  std::string out;
  for (int i = 0; i < levels; ++i) out += open;
  out += "1";
  for (int i = 0; i < levels; ++i) out += close;
  return out;
}

std::string gzip(const std::string& text) {
  std::string out(text.size() + 100, '\0');
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

// A patch that makes a tree deeper with each step, from little text.
std::string piling_up(int steps) {
  std::string out = R"([{"op":"add","path":"/a","value":{}})";
  for (int i = 0; i < steps; ++i) out += R"(,{"op":"add","path":"/b","value":{}},{"op":"move","from":"/a","path":"/b/a"},{"op":"move","from":"/b","path":"/a"})";
  return out + "]";
}
std::string doubling(int steps) {
  std::string out = R"([{"op":"add","path":"/a","value":{}})";
  for (int i = 0; i < steps; ++i) out += R"(,{"op":"copy","from":"/a","path":"/b"},{"op":"add","path":"/c","value":{}},{"op":"move","from":"/b","path":"/a/b"})";
  return out + "]";
}
std::string longer_paths(int steps) {
  std::string out = "[", path;
  for (int i = 0; i < steps; ++i) out += (i ? "," : "") + (R"({"op":"add","path":")" + (path += "/a") + R"(","value":{}})");
  return out + "]";
}
// Each level is copied into the one before: as deep as it is long, and twice as long each time.
std::string copies_in_copies(int steps) {
  std::string out = R"([{"op":"add","path":"/a","value":{"a":{"a":{"a":{"a":{}}}}}})", path = "/a/a/a/a/a";
  for (int i = 0; i < steps; ++i) {
    out += R"(,{"op":"copy","from":"/a","path":")" + path + "/a\"}";
    path += path;
  }
  return out + "]";
}

std::string many_operations(int n) {
  std::string out = "[";
  for (int i = 0; i < n; ++i) out += (i ? "," : "") + std::string(R"({"op":"test","path":"/kind","value":"ConfigMap"})");
  return out + "]";
}

std::string many_items(int n) {
  std::string out = "[{}";
  for (int i = 1; i < n; ++i) out += ",{}";
  return out + "]";
}

std::string laughs() {
  std::string out = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c <= 'i'; ++c) {
    out += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 9; ++i) out += std::string(i ? "," : "") + "*" + static_cast<char>(c - 1);
    out += "]\n";
  }
  return out;
}

// The envelope of a protobuf body around messages in messages.
std::string protobuf_nest(int levels) {
  auto field = [](int number, const std::string& bytes) {
    std::string out;
    for (unsigned v = static_cast<unsigned>(number) << 3 | 2; ; v >>= 7) {
      out += static_cast<char>(v > 127 ? (v & 127) | 128 : v);
      if (v <= 127) break;
    }
    for (size_t v = bytes.size();; v >>= 7) {
      out += static_cast<char>(v > 127 ? (v & 127) | 128 : v);
      if (v <= 127) break;
    }
    return out + bytes;
  };
  std::string inner;
  for (int i = 0; i < levels; ++i) inner = field(5, inner);
  return std::string("k8s\0", 4) + field(1, field(1, "v1") + field(2, "ConfigMap")) + field(2, inner);
}

TEST(Bounds, Bodies) {
  HttpWorld world;
  ApiConnection connection(world.port, world.credentials);
  ASSERT_EQ(connection.call("POST", kMaps, map_of("a", 10)).status, 201);
  const std::string a = kMaps + "/a", json_patch = "application/json-patch+json", apply = a + "?fieldManager=m";
  const std::string rejected = "the server rejected our request due to an error in our request";
  const BodyRow rows[] = {
      {"JSON too deep", {"POST", kMaps, nested("{\"a\":", "}", 100000)}, 400, ""},
      {"arrays too deep", {"POST", kMaps, nested("[", "]", 100000)}, 400, ""},
      {"YAML flow too deep", {"POST", kMaps, nested("[", "]", 50000), "application/yaml"}, 400, ""},
      {"YAML maps too deep", {"POST", kMaps, nested("{a: ", "}", 50000), "application/yaml"}, 400, ""},
      {"YAML blocks too deep", {"POST", kMaps, nested("- ", "", 50000), "application/yaml"}, 400, ""},
      {"a million items", {"POST", kMaps, many_items(1'000'000)}, 400, ""},
      {"aliases", {"POST", kMaps, laughs(), "application/yaml"}, 400, ""},
      {"aliases in an apply", {"PATCH", apply, laughs(), "application/apply-patch+yaml"}, 400, "error decoding YAML: yaml: document contains excessive aliasing"},
      {"messages in unknown messages", {"POST", kMaps, protobuf_nest(5000), "application/vnd.kubernetes.protobuf"}, 422, "ConfigMap \"\" is invalid: metadata.name: Required value"},
      {"gzip", {"POST", kMaps, gzip(map_of("z", 100)), "application/json", "application/json", "Content-Encoding: gzip\r\n"}, 400, ""},
      {"10,000 operations", {"PATCH", a, many_operations(10000), json_patch}, 200, ""},
      {"10,001 operations", {"PATCH", a, many_operations(10001), json_patch}, 413, "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"},
      {"moves that pile up", {"PATCH", a, piling_up(3000), json_patch}, 422, rejected},
      {"copies that double", {"PATCH", a, doubling(3000), json_patch}, 422, rejected},
      {"paths that grow", {"PATCH", a, longer_paths(1200), json_patch}, 422, rejected},
      {"copies in copies", {"PATCH", a, copies_in_copies(12), json_patch}, 422, rejected},
      {"larger than a ConfigMap", {"PUT", a, map_of("a", 3 * kMiB / 2)}, 422, "ConfigMap \"a\" is invalid: : Too long"},
      {"larger than the store takes", {"POST", "/api/v1/namespaces/default/pods", pod_of(2 * kMiB)}, 500, "etcdserver: request is too large"},
      {"larger than a request", {"PUT", a, map_of("a", 3 * kMiB)}, 413, "Request entity too large: limit is 3145728"},
      {"larger, in chunks", {"PUT", a, "", "", "application/json", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"}, 413, "Request entity too large: limit is 3145728"},
  };
  for (const BodyRow& row : rows) {
    SCOPED_TRACE(row.what);
    ApiConnection one(world.port, world.credentials);
    Answer answer;
    if (row.request.body.empty()) {
      std::string text = "PUT " + a + " HTTP/1.1\r\nHost: x\r\n" + row.request.more_headers + "\r\n", chunk = std::string("10000\r\n") + std::string(65536, 'x') + "\r\n";
      for (int i = 0; i < 49; ++i) text += chunk;
      one.send(text);
      answer = one.read_answer();
    } else {
      const auto begin = std::chrono::steady_clock::now();
      answer = one.call(row.request);
      const auto took = std::chrono::steady_clock::now() - begin;
      if (!kSanitized) {
        EXPECT_LT(took, 10s);
      }
      if (getenv("KUBELAN_TIMES")) std::printf("%s: %ld ms\n", row.what, static_cast<long>(took / 1ms));
    }
    EXPECT_EQ(answer.status, row.status) << answer.body.substr(0, 500);
    const std::string message = store::get_string(json::parse(answer.body, nullptr, false), "message");
    if (!row.message.empty()) {
      EXPECT_EQ(message.substr(0, row.message.size()), row.message);
    }
    EXPECT_EQ(connection.call("GET", a).status, 200) << "it lives";
  }
}

TEST(Bounds, DepthOfAPatchThatMeansIt) {
  HttpWorld world;
  ApiConnection connection(world.port, world.credentials);
  ASSERT_EQ(connection.call("POST", kMaps, map_of("a", 10)).status, 201);
  // Moves to and fro make nothing deep, however many they are.
  std::string patch = R"([{"op":"add","path":"/data/b","value":"v"})";
  for (int i = 0; i < 3000; ++i) patch += R"(,{"op":"move","from":"/data","path":"/metadata/x"},{"op":"move","from":"/metadata/x","path":"/data"})";
  Answer answer = connection.call("PATCH", kMaps + "/a", patch + "]", "application/json-patch+json");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(store::get_string(json::parse(answer.body), "data.b"), "v");
}

TEST(Bounds, HeadsAndQueries) {
  HttpWorld world;
  const std::string most(60 * 1024, 'a');
  struct Row {
    std::string target;
    int status;
  } rows[] = {
      {kMaps + "?continue=" + most, 400},
      {kMaps + "?labelSelector=" + most, 400},
      {kMaps + "?fieldSelector=metadata.name%3D" + most, 200},
      {kMaps + "?limit=9223372036854775807", 200},
      {kMaps + "?limit=9223372036854775808", 400},
      {kMaps + "?limit=99999999999999999999", 400},
      {kMaps + "?x=" + std::string(80 * 1024, 'a'), 431},
      {kMaps + "?resourceVersion=" + most, 400},
  };
  for (const Row& row : rows) {
    ApiConnection connection(world.port, world.credentials);
    EXPECT_EQ(connection.call("GET", row.target).status, row.status) << row.target.substr(0, 80);
  }
}

// What is wrong with a body is told a hundred times, and no longer than it makes sense.
TEST(Bounds, WarningsAndErrors) {
  HttpWorld world;
  ApiConnection connection(world.port, world.credentials);
  std::string unknown, twice = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice"},"data":{"k":"v")", nested = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"nested"},"x":)";
  for (int i = 0; i < 50000; ++i) {
    unknown += ",\"u" + std::to_string(i) + "\":1";
    twice += R"(,"k":"v")";
  }
  const std::string long_key(10000, 'k');
  for (int i = 0; i < 100; ++i) nested += "{\"" + long_key + "\":";
  nested += R"({"a":0)";
  for (int i = 0; i < 100000; ++i) nested += R"(,"a":0)";
  nested += "}" + std::string(101, '}');
  for (const std::string& body : {R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"unknown"})" + unknown + "}", twice + "}}", nested}) {
    Answer warned = connection.call("POST", kMaps + "?fieldValidation=Warn", body);
    EXPECT_EQ(warned.status, 201) << warned.body.substr(0, 300);
    EXPECT_GT(warned.headers.count("warning"), 0u);
    EXPECT_LT(warned.head_size, 16u * 1024);
    Answer refused = connection.call("POST", kMaps + "?fieldValidation=Strict", body);
    EXPECT_EQ(refused.status, 400);
    EXPECT_LT(refused.body.size(), 2 * kMiB);
  }
}

// A writer of its own name each time: as upstream, the ten latest are kept apart.
TEST(Bounds, ManagedFields) {
  HttpWorld world;
  ApiConnection connection(world.port, world.credentials);
  ASSERT_EQ(connection.call("POST", kMaps, map_of("a", 10)).status, 201);
  Answer answer;
  for (int i = 0; i < 40; ++i) {
    answer = connection.call("PATCH", kMaps + "/a?fieldManager=m" + std::to_string(i), R"({"data":{"k)" + std::to_string(i) + R"(":"v"}})", "application/merge-patch+json");
    ASSERT_EQ(answer.status, 200) << answer.body;
  }
  EXPECT_EQ(json::parse(answer.body)["metadata"]["managedFields"].size(), 10u) << answer.body;
}

// --- slow ones -------------------------------------------------------------------------------------------

// A byte now and then keeps a connection only as long as a body may take.
TEST(Bounds, TricklingBodies) {
  server::HttpServerOptions http;
  http.body_limit = 600ms;
  HttpWorld world({}, http);
  ApiConnection connection(world.port, world.credentials);
  connection.send("POST " + kMaps + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{");
  const auto begin = std::chrono::steady_clock::now();
  std::string answer;
  while (answer.find("\r\n\r\n") == std::string::npos && std::chrono::steady_clock::now() - begin < 20s && !connection.ended()) {
    try {
      connection.send(" ");
    } catch (const std::exception&) {
      break;  // Closed.
    }
    answer += connection.receive(50ms);
  }
  EXPECT_NE(answer.find("400 Bad Request"), std::string::npos) << answer;
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 500ms);
  EXPECT_EQ(ApiConnection(world.port, world.credentials).call("GET", kMaps).status, 200);
}

// Large bodies that are all on their way: the last ones are told to come later, small ones pass.
TEST(Bounds, BodiesTogether) {
  server::HttpServerOptions http;
  http.max_bodies = 4 * kMiB;
  HttpWorld world({}, http);
  std::vector<std::unique_ptr<ApiConnection>> slow;
  const std::string part(1800 * 1024, ' ');
  Answer refused;
  for (int i = 0; i < 200 && refused.status != 429; ++i) {
    // Whichever comes last is refused: it may be a slow one.
    if (i % 20 == 0 || i == 1) {
      slow.push_back(std::make_unique<ApiConnection>(world.port, world.credentials));
      slow.back()->send("POST " + kMaps + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(part.size() + 10) + "\r\n\r\n" + part);
    }
    ApiConnection connection(world.port, world.credentials);
    refused = connection.call("POST", kMaps, map_of("a" + std::to_string(i), kMiB - 100));
    if (refused.status != 429) std::this_thread::sleep_for(10ms);  // The others are not read yet.
  }
  EXPECT_EQ(refused.status, 429) << refused.body.substr(0, 300);
  EXPECT_EQ(refused.headers["retry-after"], "1");
  EXPECT_EQ(store::get_string(json::parse(refused.body), "reason"), "TooManyRequests");
  ApiConnection small(world.port, world.credentials);
  EXPECT_EQ(small.call("POST", kMaps, map_of("small", 1000)).status, 201);
  slow.clear();
  Answer taken;
  for (int i = 0; i < 500 && taken.status != 201; ++i) {
    ApiConnection connection(world.port, world.credentials);
    taken = connection.call("POST", kMaps, map_of("later", kMiB));
    if (taken.status != 201) std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(taken.status, 201) << taken.body.substr(0, 300);
}

// --- memory ----------------------------------------------------------------------------------------------

#define SKIP_SANITIZED() \
  if (kSanitized) GTEST_SKIP() << "memory is not measured with a sanitizer"

TEST(Bounds, IdleWatches) {
  SKIP_SANITIZED();
  constexpr int kWatches = 1000;
  Clients clients([](int port, const Credentials& credentials) {
    static std::vector<std::unique_ptr<ApiConnection>> open;
    for (int i = 0; i < kWatches; ++i) {
      open.push_back(std::make_unique<ApiConnection>(port, credentials));
      Answer answer = open.back()->start({"GET", "/api/v1/namespaces/kube-system/secrets?watch=1"});
      if (answer.status != 200) throw std::runtime_error("no watch");
    }
  });
  HttpWorld world;
  const size_t before = resident();
  clients.run(world);
  const size_t after = resident();
  std::printf("%d idle watches: %.1f MiB\n", kWatches, static_cast<double>(after - before) / kMiB);
  EXPECT_LT(after - before, 60 * kMiB);
}

// Writes go on while somebody does not read: what is kept for him has an end, and then he is told so.
TEST(Bounds, AWatchThatIsNotRead) {
  HttpWorld world({.history_bytes = 8 * kMiB, .watch_bytes = 8 * kMiB});
  ApiConnection writer(world.port, world.credentials), watcher(world.port, world.credentials);
  ASSERT_EQ(writer.call("POST", kMaps, map_of("a", 10)).status, 201);
  ASSERT_EQ(watcher.start({"GET", kMaps + "?watch=1"}).status, 200);
  const size_t before = resident();
  const int writes = kSanitized ? 40 : 150;
  for (int i = 0; i < writes; ++i) {
    Answer answer = writer.call("PUT", kMaps + "/a", map_of("a", kMiB, static_cast<char>('a' + i % 26)));
    ASSERT_EQ(answer.status, 200) << answer.body.substr(0, 300);
  }
  const size_t after = resident();
  // The history, the queue and what the watch has fetched, each with its copies; not 150 MiB.
  if (!kSanitized) {
    std::printf("%d writes of 1 MiB: %.1f MiB\n", writes, static_cast<double>(after - before) / kMiB);
    EXPECT_LT(after - before, 90 * kMiB);
  }
  std::string line, last;
  uint64_t revision = 0;
  while (watcher.line(&line, 30s) == ApiConnection::More::kLine) {
    last = line.substr(0, 2000);
    if (line.find("\"type\":\"ERROR\"") != std::string::npos) continue;
    json event = json::parse(line);
    EXPECT_GT(revision_of(event["object"]), revision);
    revision = revision_of(event["object"]);
  }
  EXPECT_NE(last.find("\"code\":410"), std::string::npos) << last;
  // What was forgotten is 410, what was kept is there.
  ApiConnection again(world.port, world.credentials);
  ASSERT_EQ(again.start({"GET", kMaps + "?watch=1&timeoutSeconds=1&resourceVersion=" + std::to_string(world.store->revision() - 5)}).status, 200);
  ASSERT_EQ(again.line(&line, 30s), ApiConnection::More::kLine);
  EXPECT_NE(line.find("MODIFIED"), std::string::npos) << line.substr(0, 300);
}

// Lists and watches of much, asked for by many who do not read.
TEST(Bounds, AnswersThatAreNotRead) {
  SKIP_SANITIZED();
  constexpr int kClients = 60;
  Clients clients([](int port, const Credentials& credentials) {
    static std::vector<std::unique_ptr<ApiConnection>> open;
    for (int i = 0; i < kClients; ++i) {
      open.push_back(std::make_unique<ApiConnection>(port, credentials));
      const char* accept = i % 3 == 0 ? "application/json;as=Table;g=meta.k8s.io;v=v1" : "application/json";
      open.back()->send("GET " + kMaps + (i % 3 == 1 ? "?watch=1" : "") + " HTTP/1.1\r\nHost: x\r\nAccept: " + accept + "\r\n\r\n");
    }
    std::this_thread::sleep_for(1500ms);
  });
  HttpWorld world;
  ApiConnection connection(world.port, world.credentials);
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(connection.call("POST", kMaps, map_of("m" + std::to_string(i), 4096)).status, 201);
  const size_t before = resident();
  clients.run(world);
  const size_t after = resident();
  // 8 MiB each, had they been made whole.
  std::printf("%d answers that are not read: %.1f MiB\n", kClients, static_cast<double>(after - before) / kMiB);
  EXPECT_LT(after - before, 60 * kMiB);
}

}  // namespace
}  // namespace load
