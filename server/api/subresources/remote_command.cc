// pods/exec and pods/attach: a process's streams over WebSocket or SPDY.
#include "kubectl-compat/stream/remote_command.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <thread>

#include "server/api/status.h"
#include "server/api/subresources/handlers.h"
#include "server/api/subresources/stream_common.h"

namespace server {
namespace {

constexpr std::chrono::seconds kCloseWait{2};  // For the client to close after the status was sent.
constexpr size_t kChunk = 32 * 1024;
constexpr std::chrono::milliseconds kStreamsMade{10};  // makes_streams_late(): those of such a client are there by then.

// One session. The connection's thread reads from the client; one thread an output stream writes to it.
class RemoteSession {
 public:
  RemoteSession(Connection& connection, std::unique_ptr<compat::RemoteCommand> protocol, std::shared_ptr<ExecSession> process)
      : connection_(connection), protocol_(std::move(protocol)), process_(std::move(process)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  // However run() ended: a thread that still runs may not be dropped.
  ~RemoteSession() {
    stop();
    if (output_.joinable()) output_.join();
  }

  void run(bool late) {
    pollfd ended{wake_.get(), POLLIN, 0};
    if (late) ::poll(&ended, 1, static_cast<int>(kStreamsMade.count()));
    {
      std::lock_guard lock(mutex_);
      if (!handle(protocol_->start())) return;
    }
    read_client();
  }

 private:
  // With mutex_ held: bytes reach the wire in the order they were made.
  bool handle(const compat::RemoteFeed& feed) {
    if (!feed.bytes.empty() && !connection_.write(feed.bytes).ok()) return false;
    for (const compat::RemoteEvent& event : feed.events) {
      switch (event.kind) {
        case compat::RemoteEvent::Kind::kReady: output_ = std::thread([this] { output_loop(); }); break;
        case compat::RemoteEvent::Kind::kStdin: stdin_ += event.data; break;
        case compat::RemoteEvent::Kind::kStdinClosed: stdin_closed_ = true; break;
        case compat::RemoteEvent::Kind::kResize: process_->resize(event.width, event.height); break;
        case compat::RemoteEvent::Kind::kClosed: return false;
      }
    }
    return true;
  }

  void read_client() {
    std::string buffer(kChunk, '\0');
    for (;;) {
      auto n = connection_.read(buffer.data(), buffer.size());
      if (!n.ok() || *n == 0) return;
      bool open;
      {
        std::lock_guard lock(mutex_);
        auto feed = protocol_->feed(std::string_view(buffer.data(), *n));
        if (!feed.ok()) {
          base::ignore(connection_.write(protocol_->failure_bytes()), "the connection is given up");
          return;
        }
        open = handle(*feed);
      }
      feed_stdin();  // Outside the lock: a process that does not read must not stop its own output.
      if (!open) return;
    }
  }

  void feed_stdin() {
    if (!stdin_.empty() && process_->in() >= 0) {
      base::ignore(write_input(stdin_), "a process that closed its input just does not get it");
    }
    stdin_.clear();
    if (std::exchange(stdin_closed_, false)) process_->close_in();
  }

  // Waits for room, but not beyond the session's end.
  base::Status write_input(std::string_view data) {
    while (!data.empty()) {
      pollfd p[2] = {{process_->in(), POLLOUT, 0}, {wake_.get(), POLLIN, 0}};
      if (poll(p, 2, -1) < 0 && errno != EINTR) return base::os_error("poll");
      if (p[1].revents) return base::Error(base::Code::kUnavailable, "the session ended");
      if (!p[0].revents) continue;
      // A pipe that polls writable takes PIPE_BUF bytes without blocking.
      ssize_t n = ::write(process_->in(), data.data(), std::min<size_t>(data.size(), 4096));
      if (n < 0 && errno != EINTR && errno != EAGAIN) return base::os_error("write");
      if (n > 0) data.remove_prefix(static_cast<size_t>(n));
    }
    return {};
  }

  // False: end of the stream, or the session is over.
  bool pump(int fd, bool is_error) {
    std::string buffer(kChunk, '\0');
    while (fd >= 0) {
      pollfd p[2] = {{fd, POLLIN, 0}, {wake_.get(), POLLIN, 0}};
      if (poll(p, 2, -1) < 0 && errno != EINTR) return false;
      if (p[1].revents) return false;
      if (!p[0].revents) continue;
      ssize_t n = ::read(fd, buffer.data(), buffer.size());
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n <= 0) return true;  // A pty whose other end closed reads EIO.
      std::lock_guard lock(mutex_);
      std::string_view data(buffer.data(), static_cast<size_t>(n));
      if (!connection_.write(is_error ? protocol_->stderr_data(data) : protocol_->stdout_data(data)).ok()) return false;
    }
    return true;
  }

  void output_loop() {
    std::thread errors([this] { pump(process_->err(), true); });
    const bool ended = pump(process_->out(), false);
    errors.join();
    if (!ended || stopped()) return;
    const int code = process_->has_exit() ? process_->wait() : 0;
    {
      std::lock_guard lock(mutex_);
      base::ignore(connection_.write(protocol_->finish(compat::exit_status_json(code))), "a client that left does not need it");
    }
    // The client closes now; closing first could destroy what it has not read yet.
    std::unique_lock lock(stop_mutex_);
    if (!stop_changed_.wait_for(lock, kCloseWait, [this] { return stopped_; })) connection_.close();
  }

  void stop() {
    {
      std::lock_guard lock(stop_mutex_);
      stopped_ = true;
    }
    stop_changed_.notify_all();
    eventfd_write(wake_.get(), 1);
    connection_.close();
  }
  bool stopped() {
    std::lock_guard lock(stop_mutex_);
    return stopped_;
  }

  Connection& connection_;
  std::unique_ptr<compat::RemoteCommand> protocol_;
  std::shared_ptr<ExecSession> process_;
  base::Fd wake_;
  std::mutex mutex_;  // Guards protocol_ together with writes to the connection.
  std::string stdin_;
  bool stdin_closed_ = false;
  std::thread output_;
  std::mutex stop_mutex_;
  std::condition_variable stop_changed_;
  bool stopped_ = false;
};

using StartProcess = base::Result<std::unique_ptr<ExecSession>> (PodRuntime::*)(const std::string&, const std::string&, const ExecOptions&);

HttpResponse serve_remote(const Call& call, StartProcess start) {
  if (call.info.verb != Verb::kGet && call.info.verb != Verb::kCreate) {
    return error_response(base::Error(base::Code::kMethodNotAllowed, "the server does not allow this method on the requested resource"));
  }
  ExecOptions options;
  options.container = call.request.param("container").value_or("");
  options.in = query_flag(call.request, "stdin");
  options.out = query_flag(call.request, "stdout");
  options.err = query_flag(call.request, "stderr");
  options.tty = query_flag(call.request, "tty");
  for (const auto& [name, value] : call.request.query) {
    if (name == "command") options.command.push_back(value);
  }
  auto runtime = find_runtime(call);
  if (!runtime.ok()) return error_response(runtime.error());
  if (!options.in && !options.out && !options.err) return error_response(bad_request("you must specify at least 1 of stdin, stdout, stderr"));
  if (start == &PodRuntime::exec && options.command.empty()) return error_response(bad_request("you must specify at least one command for the container"));
  const UpgradeKind kind = upgrade_kind(call.request);
  if (kind == UpgradeKind::kNone) return error_response(bad_request("Upgrade request required"));
  auto choice = kind == UpgradeKind::kWebSocket ? compat::choose_websocket_protocol(header_values(call.request, "sec-websocket-protocol"))
                                                : compat::choose_spdy_protocol(header_values(call.request, "x-stream-protocol-version"));
  if (!choice.ok()) return error_response(choice.error());
  // Before the 101, so that "container not found" is an ordinary answer.
  auto started = ((*runtime)->*start)(call.info.ns, call.info.name, options);
  if (!started.ok()) return error_response(started.error());
  std::shared_ptr<ExecSession> process = std::move(*started);
  compat::RemoteStreams streams{options.in, options.out, options.err && !options.tty, options.tty};
  HttpResponse response;
  response.headers = kind == UpgradeKind::kWebSocket ? websocket_headers(call.request, choice->name) : spdy_headers(choice->name);
  const bool late = kind == UpgradeKind::kWebSocket && makes_streams_late(call.request.header("user-agent"));
  response.upgrade = [process, streams, protocol = choice->protocol, late](Connection& connection) {
    RemoteSession(connection, compat::RemoteCommand::make(protocol, streams), process).run(late);
  };
  return response;
}

}  // namespace

HttpResponse serve_exec(const Call& call) { return serve_remote(call, &PodRuntime::exec); }
HttpResponse serve_attach(const Call& call) { return serve_remote(call, &PodRuntime::attach); }

}  // namespace server
