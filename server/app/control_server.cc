#include "server/app/control_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "server/app/cluster.h"
#include "server/app/control_protocol.h"
#include "store/base/log.h"
#include "store/object/access.h"

namespace server {
namespace {

struct Answer {
  json body;
  netns::Place place;  // Descriptors that go with it.
};

json failure(const base::Error& error) { return {{"ok", false}, {"error", error.message}, {"reason", base::reason(error.code)}}; }

Answer answer_place(Cluster& cluster, const json& request) {
  base::Result<netns::Place> place = cluster.place(store::get_string(request, "target"));
  if (!place.ok()) return {failure(place.error()), {}};
  return {{{"ok", true}}, std::move(place).value()};
}

json answer_apply(Cluster& cluster, const json& request) {
  base::Result<std::vector<std::string>> lines = cluster.apply(store::get_string(request, "manifest"));
  if (!lines.ok()) return failure(base::Error(lines.error()).context(store::get_string(request, "source", "manifest")));
  return {{"ok", true}, {"lines", *lines}};
}

json answer_settle(Cluster& cluster, const json& request) {
  base::Status settled = cluster.settle(std::chrono::seconds(store::get_int(request, "timeoutSeconds", 60)));
  if (!settled.ok()) return failure(settled.error());
  return {{"ok", true}};
}

json answer_verify(Cluster& cluster, const json& request) {
  base::Result<std::vector<std::string>> differences = cluster.verify(std::chrono::seconds(store::get_int(request, "timeoutSeconds", 60)));
  if (!differences.ok()) return failure(differences.error());
  return {{"ok", true}, {"differences", *differences}};
}

json answer_explain(Cluster& cluster, const json& request) {
  base::Result<json> explanation = cluster.explain(request);
  if (!explanation.ok()) return failure(explanation.error());
  return {{"ok", true}, {"explanation", *explanation}};
}

// add and remove take several ports; what was done before one failed stays done, and the error names that one.
base::Status change_published(Publisher& publisher, const std::string& action, const json& request, json& done) {
  for (const json& text : store::get_array(request, "ports")) {
    if (!text.is_string()) continue;
    if (action == "add") {
      const publish::Spec spec = TRY(publish::parse_spec(text.get<std::string>()));
      done.push_back(describe(TRY(publisher.add(spec))));
    } else {
      const publish::HostPort host = TRY(publish::parse_host_port(text.get<std::string>()));
      TRY_STATUS(publisher.remove(host));
      done.push_back({{"hostIP", host.ip.text()}, {"hostPort", host.port}});
    }
  }
  return {};
}

json answer_publish(Cluster& cluster, const json& request) {
  const std::string action = store::get_string(request, "action");
  json ports = json::array();
  if (action == "add" || action == "remove") {
    base::Status changed = change_published(cluster.publisher(), action, request, ports);
    if (!changed.ok()) return failure(changed.error());
  } else {
    for (const PublishedPort& port : cluster.publisher().list()) ports.push_back(describe(port));
  }
  return {{"ok", true}, {"ports", ports}};
}

// What needs more than the API, of a cluster that is no more than that.
std::optional<json> answer_without_nodes(const std::string& op, const json& request) {
  if (op == "publish" && store::get_string(request, "action") == "list") return json{{"ok", true}, {"ports", json::array()}};
  if (op != "place" && op != "verify" && op != "explain" && op != "publish") return std::nullopt;
  return failure(base::Error(base::Code::kBadRequest, "this cluster is an API only (kubelan up --api-only): it has no nodes, pods or services to reach"));
}

Answer answer(Cluster& cluster, const json& request) {
  std::string op = store::get_string(request, "op");
  if (cluster.api_only()) {
    if (std::optional<json> only = answer_without_nodes(op, request)) return {std::move(*only), {}};
  }
  if (op == "place") return answer_place(cluster, request);
  if (op == "apply") return {answer_apply(cluster, request), {}};
  if (op == "settle") return {answer_settle(cluster, request), {}};
  if (op == "verify") return {answer_verify(cluster, request), {}};
  if (op == "explain") return {answer_explain(cluster, request), {}};
  if (op == "publish") return {answer_publish(cluster, request), {}};
  if (op == "down") return {{{"ok", true}}, {}};
  if (op != "status") return {failure(base::Error(base::Code::kBadRequest, "unknown request \"" + op + "\": is this CLI newer than the running cluster?")), {}};
  json body = cluster.status();
  body["ok"] = true;
  return {body, {}};
}

// The receiver learns from "have" which of Place's members the descriptors are.
void send_answer(int socket, Answer& a) {
  std::vector<int> fds;
  std::string have;
  const std::pair<char, base::Fd*> members[] = {{'u', &a.place.user}, {'m', &a.place.mnt}, {'p', &a.place.pid}, {'n', &a.place.net}, {'t', &a.place.uts}, {'i', &a.place.ipc}};
  for (const auto& [letter, fd] : members) {
    if (!fd->valid()) continue;
    have += letter;
    fds.push_back(fd->get());
  }
  if (!fds.empty()) a.body["have"] = have;
  base::ignore(send_message(socket, a.body, fds), "a client that went away needs no answer");
}

// A mistake in one answer costs that answer.
Answer answer_safely(Cluster& cluster, const json& request) {
  try {
    return answer(cluster, request);
  } catch (const std::exception& e) {
    base::log::error("control: exception: {}", e.what());
    return {failure(base::Error(base::Code::kInternal, e.what())), {}};
  }
}

class Impl final : public ControlServer {
 public:
  Impl(base::Fd listener, Cluster& cluster, std::function<void()> on_down) : listener_(std::move(listener)), cluster_(cluster), on_down_(std::move(on_down)) {
    auto pipe = base::make_pipe();
    if (pipe.ok()) wake_ = std::move(pipe).value();
    acceptor_ = std::thread([this] { accept_loop(); });
  }

  ~Impl() override {
    base::ignore(base::write_all(wake_.write.get(), "x", 1), "only wakes the acceptor");
    acceptor_.join();
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return active_ == 0; });
  }

 private:
  void accept_loop() {
    for (;;) {
      pollfd fds[2] = {{listener_.get(), POLLIN, 0}, {wake_.read.get(), POLLIN, 0}};
      if (::poll(fds, 2, -1) < 0) continue;
      if (fds[1].revents != 0) return;
      base::Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) continue;
      {
        std::lock_guard lock(mutex_);
        ++active_;
      }
      std::thread([this, fd = std::make_shared<base::Fd>(std::move(client))] { serve(*fd); }).detach();
    }
  }

  void serve(const base::Fd& client) {
    timeval limit{10, 0};  // A client that connects and says nothing must not hold up the end.
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    base::Result<json> request = receive_message(client.get(), nullptr);
    bool down = false;
    if (request.ok()) {
      Answer a = answer_safely(cluster_, *request);
      down = store::get_string(*request, "op") == "down";
      send_answer(client.get(), a);
    }
    if (down) on_down_();
    std::lock_guard lock(mutex_);
    --active_;
    idle_.notify_all();
  }

  base::Fd listener_;
  base::Pipe wake_;
  Cluster& cluster_;
  std::function<void()> on_down_;
  std::mutex mutex_;
  std::condition_variable idle_;
  int active_ = 0;
  std::thread acceptor_;
};

}  // namespace

std::unique_ptr<ControlServer> ControlServer::start(base::Fd listener, Cluster& cluster, std::function<void()> on_down) {
  return std::make_unique<Impl>(std::move(listener), cluster, std::move(on_down));
}

}  // namespace server
