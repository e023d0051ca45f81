#include "netns/process/spawner_client.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <future>
#include <mutex>
#include <thread>

#include "netns/process/protocol.h"

namespace netns {
namespace {

class Client final : public Spawner {
 public:
  explicit Client(base::Fd socket) : socket_(std::move(socket)) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // Signals are the main thread's.
    reader_ = std::thread([this] { read_replies(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~Client() override {
    // Only the reading side: the spawner itself ends with its SpawnerProcess.
    ::shutdown(socket_.get(), SHUT_RD);
    reader_.join();
  }

  void start(const ContainerSpec& spec, const Sandbox& sandbox, const Stdio& stdio, std::function<void(base::Result<Started>)> on_started,
             std::function<void(ExitInfo)> on_exit) override {
    Request request;
    request.op = Request::Op::kStart;
    request.spec = spec;
    request.net = sandbox.net.get();
    request.uts = sandbox.uts.get();
    request.ipc = sandbox.ipc.get();
    submit(std::move(request), stdio, std::move(on_started), std::move(on_exit));
  }

  void exec_in(ProcessId container, const ContainerSpec& spec, const Stdio& stdio, std::function<void(base::Result<Started>)> on_started,
               std::function<void(ExitInfo)> on_exit) override {
    Request request;
    request.op = Request::Op::kExec;
    request.container = container;
    request.spec = spec;
    submit(std::move(request), stdio, std::move(on_started), std::move(on_exit));
  }

  void signal(ProcessId id, int signal_number) override {
    Request request;
    request.op = Request::Op::kSignal;
    request.id = id;
    request.signal = signal_number;
    std::lock_guard lock(send_mutex_);
    base::ignore(send_request(socket_.get(), request), "a lost spawner is reported by the reader");
  }

  base::Result<base::Fd> open_namespace(ProcessId id, const std::string& which) override {
    if (which != "mnt" && which != "pid") return base::Error(base::Code::kInvalid, "no namespace " + which + " of a container");
    auto answer = std::make_shared<std::promise<base::Result<base::Fd>>>();
    Request request;
    request.op = Request::Op::kOpenNamespace;
    request.id = id;
    request.which = which;
    {
      std::lock_guard lock(mutex_);
      if (lost_) return lost_error();
      request.container = next_id_++;
      questions_[request.container] = answer;
    }
    {
      std::lock_guard lock(send_mutex_);
      TRY_STATUS(send_request(socket_.get(), request));
    }
    return answer->get_future().get();
  }

 private:
  struct Entry {
    std::function<void(base::Result<Started>)> on_started;
    std::function<void(ExitInfo)> on_exit;
    bool started = false;
  };

  static base::Error lost_error() { return base::Error(base::Code::kUnavailable, "the spawner process ended"); }

  void submit(Request request, const Stdio& stdio, std::function<void(base::Result<Started>)> on_started, std::function<void(ExitInfo)> on_exit) {
    request.in = stdio.in;
    request.out = stdio.out;
    request.err = stdio.err;
    {
      std::lock_guard lock(mutex_);
      if (!lost_) {
        request.id = next_id_++;
        entries_[request.id] = {on_started, std::move(on_exit), false};
      }
    }
    if (request.id == 0) return on_started(lost_error());
    base::Status sent;
    {
      std::lock_guard lock(send_mutex_);
      sent = send_request(socket_.get(), request);
    }
    if (sent.ok()) return;
    {
      std::lock_guard lock(mutex_);
      if (entries_.erase(request.id) == 0) return;  // The reader has reported it already.
    }
    on_started(std::move(sent).error());
  }

  void read_replies() {
    for (;;) {
      base::Result<Reply> reply = receive_reply(socket_.get());
      if (!reply.ok()) break;
      deliver(std::move(*reply));
    }
    std::map<ProcessId, Entry> entries;
    std::map<uint64_t, std::shared_ptr<std::promise<base::Result<base::Fd>>>> questions;
    {
      std::lock_guard lock(mutex_);
      lost_ = true;
      entries.swap(entries_);
      questions.swap(questions_);
    }
    for (auto& [id, answer] : questions) answer->set_value(lost_error());
    // Containers die with their spawner.
    for (auto& [id, entry] : entries) entry.started ? entry.on_exit({128 + SIGKILL, SIGKILL}) : entry.on_started(lost_error());
  }

  void deliver(Reply reply) {
    if (reply.kind == Reply::Kind::kNamespace) return answer(std::move(reply));
    Entry entry;
    {
      std::lock_guard lock(mutex_);
      auto it = entries_.find(reply.id);
      if (it == entries_.end()) return;
      it->second.started = true;
      entry = it->second;
      if (reply.kind != Reply::Kind::kStarted) entries_.erase(it);
    }
    switch (reply.kind) {
      case Reply::Kind::kStarted: entry.on_started(Started{reply.id, static_cast<pid_t>(reply.pid), std::move(reply.fd)}); break;
      case Reply::Kind::kFailed: entry.on_started(base::Error(base::Code::kInternal, reply.text)); break;
      case Reply::Kind::kExited: entry.on_exit(reply.exit); break;
      case Reply::Kind::kNamespace: break;
    }
  }

  void answer(Reply reply) {
    std::shared_ptr<std::promise<base::Result<base::Fd>>> waiting;
    {
      std::lock_guard lock(mutex_);
      auto it = questions_.find(reply.id);
      if (it == questions_.end()) return;
      waiting = it->second;
      questions_.erase(it);
    }
    if (reply.fd.valid()) {
      waiting->set_value(std::move(reply.fd));
    } else {
      waiting->set_value(base::Error(base::Code::kNotFound, reply.text));
    }
  }

  base::Fd socket_;
  std::mutex send_mutex_;  // One message at a time.
  std::mutex mutex_;       // Guards all below.
  std::map<ProcessId, Entry> entries_;
  std::map<uint64_t, std::shared_ptr<std::promise<base::Result<base::Fd>>>> questions_;
  ProcessId next_id_ = 1;
  bool lost_ = false;
  std::thread reader_;
};

class LostClient final : public Spawner {
 public:
  explicit LostClient(base::Error error) : error_(std::move(error)) {}
  void start(const ContainerSpec&, const Sandbox&, const Stdio&, std::function<void(base::Result<Started>)> on_started,
             std::function<void(ExitInfo)>) override {
    on_started(error_);
  }
  void exec_in(ProcessId, const ContainerSpec&, const Stdio&, std::function<void(base::Result<Started>)> on_started,
               std::function<void(ExitInfo)>) override {
    on_started(error_);
  }
  void signal(ProcessId, int) override {}
  base::Result<base::Fd> open_namespace(ProcessId, const std::string&) override { return error_; }

 private:
  base::Error error_;
};

}  // namespace

std::unique_ptr<Spawner> make_spawner_client(const base::Fd& socket) {
  base::Result<base::Fd> copy = socket.duplicate();
  if (!copy.ok()) return std::make_unique<LostClient>(std::move(copy).error());
  return std::make_unique<Client>(std::move(*copy));
}

}  // namespace netns
