// The side on the host: changes Services and EndpointSlices through the API, as any client would.
#include <httplib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "server/app/control_protocol.h"
#include "tests/bench/services_bench.h"

namespace bench {
namespace {

constexpr const char* kServices = "/api/v1/namespaces/default/services";
constexpr const char* kSlices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
constexpr int kWatchTimeoutMs = 3000;
constexpr long kMaxTimeouts = 3;  // Then something is broken, and a number would say nothing.

class Api {
 public:
  Api(const std::string& server, const std::string& dir) {
    const size_t colon = server.rfind(':');
    client_ = std::make_unique<httplib::SSLClient>("127.0.0.1", std::stoi(server.substr(colon + 1)), dir + "/pki/admin.crt", dir + "/pki/admin.key");
    client_->set_ca_cert_path((dir + "/pki/ca.crt").c_str());
    client_->set_keep_alive(true);
    client_->set_tcp_nodelay(true);
    client_->set_read_timeout(30, 0);
  }
  void post(const std::string& path, const std::string& body) { check("POST " + path, client_->Post(path.c_str(), body, "application/json")); }
  void patch(const std::string& path, const std::string& body) {
    check("PATCH " + path, client_->Patch(path.c_str(), body, "application/merge-patch+json"));
  }
  void remove(const std::string& path) { check("DELETE " + path, client_->Delete(path.c_str())); }

 private:
  static void check(const std::string& what, const httplib::Result& result) {
    if (!result) throw std::runtime_error(what + ": no answer");
    if (result->status >= 300) throw std::runtime_error(what + ": " + std::to_string(result->status) + " " + result->body.substr(0, 300));
  }
  std::unique_ptr<httplib::SSLClient> client_;
};

std::string service_json(const std::string& name, const std::string& ip) {
  return R"({"apiVersion":"v1","kind":"Service","metadata":{"name":")" + name + R"("},"spec":{"clusterIP":")" + ip + R"(","ports":[{"port":80}]}})";
}

std::string endpoints_json(const std::vector<std::string>& ips) {
  std::string out;
  for (const std::string& ip : ips) out += (out.empty() ? "" : ",") + (R"({"addresses":[")" + ip + R"("],"conditions":{"ready":true}})");
  return "[" + out + "]";
}

std::string ports_json(int port) { return R"([{"name":"","port":)" + std::to_string(port) + R"(,"protocol":"TCP"}])"; }

std::string slice_json(const std::string& name, const std::string& service, const std::vector<std::string>& ips, int port) {
  return R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":")" + name +
         R"(","labels":{"kubernetes.io/service-name":")" + service + R"("}},"addressType":"IPv4","endpoints":)" + endpoints_json(ips) + R"(,"ports":)" +
         ports_json(port) + "}";
}

std::string dotted(int high, int low) { return "10." + std::to_string(high) + "." + std::to_string(low / 250) + "." + std::to_string(low % 250 + 1); }
std::string pod_ip(int i) { return "10.244." + std::to_string(1 + i % 3) + "." + std::to_string(2 + i / 3 % 250); }
std::string path_of(const char* collection, const std::string& name) { return std::string(collection) + "/" + name; }
std::string slice_of(const std::string& service) { return service + "-a"; }

std::vector<std::string> probed() { return {std::begin(kEndpoints), std::end(kEndpoints)}; }

void create(Api& api, const std::string& name, const std::string& ip, const std::vector<std::string>& endpoints, int port) {
  api.post(kServices, service_json(name, ip));
  api.post(kSlices, slice_json(slice_of(name), name, endpoints, port));
}

void remove(Api& api, const std::string& name) {
  api.remove(path_of(kSlices, slice_of(name)));
  api.remove(path_of(kServices, name));
}

// The other side: one line asks, one or more answer.
class Peer {
 public:
  Peer(const std::string& from, const std::string& to) : to_(to), from_(from) {
    if (read() != "ready") throw std::runtime_error("the other side did not get ready");
  }
  void ask(const std::string& line) { to_ << line << std::endl; }
  std::string read() {
    std::string line;
    if (!std::getline(from_, line)) throw std::runtime_error("the other side ended");
    return line;
  }

 private:
  std::ofstream to_;  // Before from_: opening a pipe waits for its other end, and the shell opens that one first.
  std::ifstream from_;
};

struct Latency {
  std::vector<double> from_sent, from_answer, request;  // Milliseconds.
  long failures = 0, timeouts = 0;
};

// One change: sent when the probe has begun to look, and seen by the first connection that met it.
void measure(Peer& probe, const std::string& ip, const std::string& want, const std::function<void()>& change, Latency& out) {
  probe.ask("watch " + ip + " 80 " + want + " " + std::to_string(kWatchTimeoutMs));
  if (probe.read() != "start") throw std::runtime_error("the new state was there before the change");
  const int64_t sent = now_ns();
  change();
  const int64_t answered = now_ns();
  std::istringstream line(probe.read());
  std::string word;
  int64_t seen = 0;
  long attempts = 0, failures = 0;
  line >> word >> seen >> attempts >> failures;
  out.failures += failures;
  if (word != "seen") {
    if (++out.timeouts > kMaxTimeouts) throw std::runtime_error("the new state of " + ip + " does not come");
    return;
  }
  out.request.push_back(static_cast<double>(answered - sent) / 1e6);
  out.from_sent.push_back(static_cast<double>(seen - sent) / 1e6);
  out.from_answer.push_back(std::max(0.0, static_cast<double>(seen - answered) / 1e6));
}

void print(const std::string& kind, const Latency& l) {
  std::printf("%-34s from the request's begin p50 %.2f p99 %.2f ms, from its answer p50 %.2f p99 %.2f ms (the request alone p50 %.2f p99 %.2f ms, %zu runs, %ld lost, %ld failed connections)\n",
              kind.c_str(), percentile(l.from_sent, 0.5), percentile(l.from_sent, 0.99), percentile(l.from_answer, 0.5), percentile(l.from_answer, 0.99),
              percentile(l.request, 0.5), percentile(l.request, 0.99), l.from_sent.size(), l.timeouts, l.failures);
}

}  // namespace

int run_fill(const Arguments& arguments) {
  const int first = std::stoi(arguments.at(2)), last = std::stoi(arguments.at(3));
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  std::atomic<bool> failed{false};
  const int64_t begin = now_ns();
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      try {
        Api api(arguments.at(0), arguments.at(1));
        for (int i = first + t; i <= last && !failed; i += kThreads) create(api, "s-" + std::to_string(i), dotted(97, i), {pod_ip(i), pod_ip(i + 1), pod_ip(i + 2)}, 9000);
      } catch (const std::exception& e) {
        std::fprintf(stderr, "services_bench fill: %s\n", e.what());
        failed = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%d services with a slice each created through the API in %.1f s\n", last - first + 1, static_cast<double>(now_ns() - begin) / 1e9);
  return failed ? 1 : 0;
}

int run_latency(const Arguments& arguments) {
  Api api(arguments.at(0), arguments.at(1));
  Peer probe(arguments.at(2), arguments.at(3));
  const int runs = std::stoi(arguments.at(4));
  create(api, "switched", "10.98.0.1", probed(), kPorts[0]);
  Latency first, switched, created;
  measure(probe, "10.98.0.2", "*", [&] { create(api, "first", "10.98.0.2", probed(), kPorts[0]); }, first);  // Not counted: warms up.
  for (int i = 0; i < runs; ++i) {
    const int to = (i + 1) % 2;
    measure(probe, "10.98.0.1", std::to_string(to),
            [&] { api.patch(path_of(kSlices, "switched-a"), R"({"ports":)" + ports_json(kPorts[to]) + "}"); }, switched);
  }
  print("slice patched (3 endpoints)", switched);
  for (int i = 0; i < runs; ++i) {
    const std::string name = "new-" + std::to_string(i), ip = dotted(99, i);
    api.post(kSlices, slice_json(slice_of(name), name, probed(), kPorts[0]));
    measure(probe, ip, "*", [&] { api.post(kServices, service_json(name, ip)); }, created);
    remove(api, name);
  }
  print("Service created (slice was there)", created);
  remove(api, "first");
  remove(api, "switched");
  return switched.timeouts + created.timeouts == 0 ? 0 : 1;
}

int run_count_changes(const Arguments& arguments) {
  Api api(arguments.at(0), arguments.at(1));
  Peer count(arguments.at(2), arguments.at(3));
  const std::string slice = path_of(kSlices, "counted-a"), service = path_of(kServices, "counted");
  auto endpoints = [&](std::vector<std::string> ips) { api.patch(slice, R"({"endpoints":)" + endpoints_json(ips) + "}"); };
  const std::vector<std::pair<const char*, std::function<void()>>> changes = {
      {"Service without endpoints", [&] { api.post(kServices, service_json("counted", "10.98.0.3")); }},
      {"its first three endpoints", [&] { api.post(kSlices, slice_json("counted-a", "counted", {"10.244.1.2", "10.244.2.2", "10.244.3.2"}, 80)); }},
      {"a fourth endpoint", [&] { endpoints({"10.244.1.2", "10.244.2.2", "10.244.3.2", "10.244.3.3"}); }},
      {"one endpoint replaced", [&] { endpoints({"10.244.1.2", "10.244.2.2", "10.244.3.2", "10.244.3.4"}); }},
      {"three endpoints again", [&] { endpoints({"10.244.1.2", "10.244.2.2", "10.244.3.2"}); }},
      {"the target port of all three", [&] { api.patch(slice, R"({"ports":)" + ports_json(81) + "}"); }},
      {"one endpoint left", [&] { endpoints({"10.244.1.2"}); }},
      {"a label of the Service", [&] { api.patch(service, R"({"metadata":{"labels":{"a":"b"}}})"); }},
      {"all endpoints gone", [&] { endpoints({}); }},
      {"three endpoints from none", [&] { endpoints({"10.244.1.2", "10.244.2.2", "10.244.3.2"}); }},
      {"Service deleted", [&] { api.remove(service); }},
  };
  count.ask("");
  count.read();
  for (const auto& [name, change] : changes) {
    change();
    // Long enough for what is deleted late.
    std::this_thread::sleep_for(std::chrono::milliseconds(3500));
    count.ask("");
    std::printf("%-34s %s\n", name, count.read().c_str());
    std::fflush(stdout);
  }
  api.remove(slice);
  return 0;
}

// 50 changes a second (or as many as the last argument says): endpoints come and go, services as well, and their policies change, while a service beside them is asked all the time.
int run_churn(const Arguments& arguments) {
  Api api(arguments.at(0), arguments.at(1));
  Peer probe(arguments.at(2), arguments.at(3));
  const double seconds = std::stod(arguments.at(4));
  constexpr int kChurned = 40;
  const int rate = arguments.size() > 5 ? std::stoi(arguments.at(5)) : 50;
  create(api, "steady", "10.98.0.4", probed(), kPorts[0]);
  Latency ready;
  probe.ask("watch 10.98.0.4 80 * 10000");
  for (std::string line = probe.read(); line.rfind("seen", 0) != 0; line = probe.read()) {
    if (line != "start") throw std::runtime_error("the steady service never answered: " + line);
  }
  probe.ask("steady 10.98.0.4 80 " + std::to_string(seconds));
  probe.read();
  std::mt19937 random(1);
  std::vector<bool> there(kChurned);
  long changes = 0, late = 0;
  const int64_t begin = now_ns();
  while (static_cast<double>(now_ns() - begin) < seconds * 1e9) {
    const int i = static_cast<int>(random() % kChurned);
    const std::string name = "churned-" + std::to_string(i);
    if (!there[i]) {
      create(api, name, "10.98.1." + std::to_string(i + 1), {pod_ip(i)}, 9000);
      there[i] = true;
      changes += 2;
    } else if (random() % 10 == 0) {
      remove(api, name);
      there[i] = false;
      changes += 2;
    } else if (random() % 8 == 0) {
      const char* const policies[] = {R"("internalTrafficPolicy":"Local")", R"("internalTrafficPolicy":"Cluster")", R"("sessionAffinity":"ClientIP")", R"("sessionAffinity":"None")"};
      api.patch(path_of(kServices, name), std::string(R"({"spec":{)") + policies[random() % 4] + "}}");
      ++changes;
    } else {
      std::vector<std::string> ips;
      for (unsigned n = random() % 8; n > 0; --n) ips.push_back(pod_ip(static_cast<int>(random() % 600)));
      std::sort(ips.begin(), ips.end());
      ips.erase(std::unique(ips.begin(), ips.end()), ips.end());
      api.patch(path_of(kSlices, slice_of(name)), R"({"endpoints":)" + endpoints_json(ips) + "}");
      ++changes;
    }
    const int64_t due = begin + changes * (1000000000 / rate);
    if (due > now_ns()) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(due - now_ns()));
    } else {
      ++late;
    }
  }
  std::istringstream line(probe.read());
  std::string word, rest;
  long ok = 0, failed = 0;
  line >> word >> ok >> failed;
  std::getline(line, rest);
  for (int i = 0; i < kChurned; ++i) {
    if (there[i]) remove(api, "churned-" + std::to_string(i));
  }
  remove(api, "steady");
  std::printf("%ld changes in %.0f s (%.0f/s, %ld late); steady service: %ld requests, %ld failed%s\n", changes, seconds,
              static_cast<double>(changes) / seconds, late, ok + failed, failed, failed > 0 ? rest.c_str() : "");
  return failed == 0 && ok > 0 ? 0 : 1;
}

int run_verify(const Arguments& arguments) {
  const std::string path = arguments.at(1) + "/control.sock";
  base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("no daemon at " + path);
  if (!server::send_message(fd.get(), {{"op", "verify"}, {"timeoutSeconds", 60}}).ok()) throw std::runtime_error("no daemon at " + path);
  base::Result<nlohmann::json> answer = server::receive_message(fd.get(), nullptr);
  if (!answer.ok()) throw std::runtime_error(answer.error().message);
  if (!answer->value("ok", false)) throw std::runtime_error(answer->value("error", "no reason given"));
  for (const auto& line : answer->at("differences")) std::printf("%s\n", line.get<std::string>().c_str());
  std::printf("kernel and plan: %zu differences\n", answer->at("differences").size());
  return answer->at("differences").empty() ? 0 : 1;
}

}  // namespace bench
