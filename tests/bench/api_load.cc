// api_load PORT CERT KEY MODE... - the client of scripts/bench api: one process, as many connections as asked for, and
// the moments of every answer. CERT and KEY are files; "-" for both: no client certificate.
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tests/tools/api_connection.h"

namespace load {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kNamespace = "/api/v1/namespaces/default/";

int port;
Credentials credentials;

double ms(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

std::string file_text(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

double percentile(std::vector<double>& values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(p * static_cast<double>(values.size())))];
}

void require_ok(const Request& request, const Answer& answer) {
  if (answer.status / 100 != 2) throw std::runtime_error(request.method + " " + request.target + ": " + std::to_string(answer.status) + " " + answer.body.substr(0, 300));
}

// Requests 0..count-1 over `connections`, each connection one after the other.
void run_requests(int count, int connections, const std::function<Request(int)>& make) {
  std::atomic<int> next{0};
  std::atomic<bool> failed{false};
  std::vector<std::vector<double>> took(static_cast<size_t>(connections));
  std::vector<std::unique_ptr<ApiConnection>> open;
  for (int i = 0; i < connections; ++i) open.push_back(std::make_unique<ApiConnection>(port, credentials));
  std::vector<std::thread> threads;
  const auto begin = Clock::now();
  for (size_t t = 0; t < open.size(); ++t) {
    threads.emplace_back([&, t] {
      try {
        for (int i; !failed && (i = next++) < count;) {
          Request request = make(i);
          const auto sent = Clock::now();
          Answer answer = open[t]->call(request);
          took[t].push_back(ms(Clock::now() - sent));
          require_ok(request, answer);
        }
      } catch (const std::exception& e) {
        std::fprintf(stderr, "api_load: %s\n", e.what());
        failed = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = ms(Clock::now() - begin) / 1000;
  if (failed) throw std::runtime_error("a request failed");
  std::vector<double> all;
  for (const auto& of_thread : took) all.insert(all.end(), of_thread.begin(), of_thread.end());
  std::printf("%.0f/s  p50 %.2f ms  p99 %.2f ms  (%d requests, %d connections)\n", count / seconds, percentile(all, 0.5), percentile(all, 0.99), count, connections);
}

std::string pod(const std::string& name) {
  // As `kubectl run` would, with labels; a scheduler that does not exist leaves it alone.
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name + R"(","labels":{"app":"bench","tier":"t)" + std::to_string(name.back() % 4) +
         R"("}},"spec":{"schedulerName":"nobody","containers":[{"name":"web","image":"nginx:1.25","ports":[{"containerPort":80}],"env":[{"name":"MODE","value":"bench"}],)"
         R"("resources":{"requests":{"cpu":"10m","memory":"16Mi"}}}]}})";
}
std::string config_map(const std::string& name) {
  return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name + R"(","labels":{"app":"bench"}},"data":{"key":")" + std::string(1000, 'x') + R"("}})";
}

// What is created: "pods" or "configmaps".
Request create(const std::string& kind, const std::string& name) {
  return {"POST", kNamespace + kind, kind == "pods" ? pod(name) : config_map(name)};
}

std::string base64(const std::string& in) {
  std::string out(4 * ((in.size() + 2) / 3) + 1, '\0');
  out.resize(static_cast<size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(in.data()), static_cast<int>(in.size()))));
  return out;
}

// The same number of bytes into etcd, by its JSON gateway: a client as simple as this one can be had there, too.
Request put(int i) {
  return {"POST", "/v3/kv/put", R"({"key":")" + base64("/registry/configmaps/default/c-" + std::to_string(i)) + R"(","value":")" + base64(config_map("c-" + std::to_string(i))) + "\"}"};
}

// RUNS answers of one target, whole; with LIMIT, by pages.
void run_list(const std::string& target, const std::string& accept, int runs, int limit, bool gzip) {
  ApiConnection connection(port, credentials);
  std::vector<double> took;
  size_t bytes = 0;
  for (int i = 0; i < runs; ++i) {
    const auto begin = Clock::now();
    bytes = 0;
    std::string token;
    do {
      Request request{"GET", target};
      request.accept = accept;
      if (gzip) request.more_headers = "Accept-Encoding: gzip\r\n";
      if (limit > 0) request.target += (target.find('?') == std::string::npos ? "?limit=" : "&limit=") + std::to_string(limit);
      if (!token.empty()) request.target += "&continue=" + token;
      Answer answer = connection.call(request);
      require_ok(request, answer);
      bytes += answer.body.size();
      token.clear();
      if (size_t at = answer.body.substr(0, 4096).find("\"continue\":\""); at != std::string::npos) token = answer.body.substr(at + 12, answer.body.find('"', at + 12) - at - 12);
    } while (!token.empty());
    took.push_back(ms(Clock::now() - begin));
  }
  std::printf("p50 %.1f ms  p99 %.1f ms  (%.1f MB, %d runs)\n", percentile(took, 0.5), percentile(took, 0.99), static_cast<double>(bytes) / 1e6, runs);
}

// WATCHERS watch, one connection writes: from the write's answer to the moment at which each watcher has the event.
void run_fan_out(int watchers, int writes, int pause_ms) {
  std::deque<ApiConnection> open;
  const int poller = ::epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < watchers; ++i) {
    ApiConnection& c = open.emplace_back(port, credentials);
    Answer answer = c.start({"GET", std::string(kNamespace) + "configmaps?watch=1&resourceVersion=0&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"});
    if (answer.status != 200) answer = c.start({"GET", std::string(kNamespace) + "configmaps?watch=1"});
    if (answer.status != 200) throw std::runtime_error("watch: " + answer.body);
    epoll_event e{EPOLLIN, {.ptr = &c}};
    ::epoll_ctl(poller, EPOLL_CTL_ADD, c.fd(), &e);
  }
  std::vector<std::atomic<int64_t>> answered(static_cast<size_t>(writes));
  std::vector<std::vector<int64_t>> seen(static_cast<size_t>(writes));
  std::vector<double> write_took;
  auto now = [] { return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count(); };
  std::thread writer([&] {
    try {
      ApiConnection c(port, credentials);
      for (int i = 0; i < writes; ++i) {
        const auto sent = Clock::now();
        Request request = create("configmaps", "f-" + std::to_string(::getpid()) + "-" + std::to_string(i));
        Answer answer = c.call(request);
        answered[static_cast<size_t>(i)] = now();
        write_took.push_back(ms(Clock::now() - sent));
        require_ok(request, answer);
        if (pause_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
      }
    } catch (const std::exception& e) {
      std::fprintf(stderr, "api_load: %s\n", e.what());
      std::_Exit(1);
    }
  });
  const std::string mark = "\"name\":\"f-" + std::to_string(::getpid()) + "-";
  const long want = static_cast<long>(watchers) * writes;
  for (long got = 0; got < want;) {
    epoll_event ready[256];
    int n = ::epoll_wait(poller, ready, 256, 20000);
    if (n <= 0) throw std::runtime_error("only " + std::to_string(got) + " of " + std::to_string(want) + " events came");
    for (int k = 0; k < n; ++k) {
      bool alive = static_cast<ApiConnection*>(ready[k].data.ptr)->take_lines([&](std::string_view line) {
        size_t at = line.find(mark);
        if (at == std::string_view::npos) return;
        seen[static_cast<size_t>(atoi(line.data() + at + mark.size()))].push_back(now());
        ++got;
      });
      if (!alive) throw std::runtime_error("a watch ended");
    }
  }
  writer.join();
  ::close(poller);
  std::vector<double> each, last;
  for (size_t i = 0; i < seen.size(); ++i) {
    double slowest = 0;
    for (int64_t at : seen[i]) {
      each.push_back(std::max(0.0, static_cast<double>(at - answered[i]) / 1e6));
      slowest = std::max(slowest, each.back());
    }
    last.push_back(slowest);
  }
  std::printf("to each watcher p50 %.2f ms  p99 %.2f ms, to the last of %d p50 %.2f ms  p99 %.2f ms; the write p50 %.2f ms  p99 %.2f ms  (%d writes)\n", percentile(each, 0.5),
              percentile(each, 0.99), watchers, percentile(last, 0.5), percentile(last, 0.99), percentile(write_took, 0.5), percentile(write_took, 0.99), writes);
}

// Holds N watches until standard input ends.
void run_idle(int watchers) {
  std::deque<ApiConnection> open;
  for (int i = 0; i < watchers; ++i) {
    Answer answer = open.emplace_back(port, credentials).start({"GET", "/api/v1/namespaces/kube-system/secrets?watch=1"});
    if (answer.status != 200) throw std::runtime_error("watch: " + answer.body);
  }
  std::printf("ready\n");
  std::fflush(stdout);
  char byte;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

int run(const std::vector<std::string>& a) {
  port = std::stoi(a.at(0));
  if (a.at(1) != "-") credentials = Credentials(file_text(a.at(1)), file_text(a.at(2)));
  const std::string& mode = a.at(3);
  auto number = [&](size_t i) { return std::stoi(a.at(i)); };
  if (mode == "create") {
    const int first = number(7);
    run_requests(number(5), number(6), [&](int i) { return create(a[4], "c-" + std::to_string(first + i)); });
  } else if (mode == "put") {
    run_requests(number(4), number(5), put);
  } else if (mode == "get") {
    run_requests(number(5), number(6), [&](int i) { return Request{"GET", kNamespace + a[4] + "/c-" + std::to_string(i % 1000)}; });
  } else if (mode == "list") {
    run_list(a.at(4), a.at(5), number(6), number(7), a.size() > 8);
  } else if (mode == "fanout") {
    run_fan_out(number(4), number(5), number(6));
  } else if (mode == "idle") {
    run_idle(number(4));
  } else {
    throw std::runtime_error("no such mode: " + mode);
  }
  return 0;
}

}  // namespace
}  // namespace load

int main(int argc, char** argv) {
  try {
    return load::run({argv + 1, argv + argc});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "api_load: %s\n", e.what());
    return 1;
  }
}
