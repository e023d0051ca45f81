#include "server/node_agent/exec_action.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

namespace server {
namespace {

class ExecRun final : public std::enable_shared_from_this<ExecRun> {
 public:
  ExecRun(netns::Spawner& spawner, base::Loop& io, std::function<void(ExecResult)> done) : spawner_(spawner), io_(io), done_(std::move(done)) {}

  void start(netns::ProcessId container, const netns::ContainerSpec& spec);
  void cancel();

 private:
  void on_started(base::Result<netns::Started> started);
  void on_exit(netns::ExitInfo exit);
  void watch();
  void drain();
  void finish(ExecResult result);

  netns::Spawner& spawner_;
  base::Loop& io_;
  std::mutex mutex_;                        // Guards down to cancelled_: the spawner's thread and others meet here.
  std::function<void(ExecResult)> done_;
  netns::ProcessId process_ = 0;
  bool cancelled_ = false;
  base::Fd out_;                            // io loop, once start() is over.
  std::string output_;
  base::Loop::Id watch_ = 0;
};

void ExecRun::start(netns::ProcessId container, const netns::ContainerSpec& spec) {
  base::Result<base::Pipe> pipe = base::make_pipe();
  if (!pipe.ok()) return finish({false, pipe.error().message, 0, ""});
  out_ = std::move(pipe->read);
  base::ignore(base::set_nonblocking(out_.get()), "the loop's watch does it again");
  netns::Stdio stdio{-1, pipe->write.get(), pipe->write.get()};
  auto self = shared_from_this();
  io_.post([self] { self->watch(); });
  spawner_.exec_in(
      container, spec, stdio, [self](base::Result<netns::Started> started) { self->on_started(std::move(started)); }, [self](netns::ExitInfo exit) { self->on_exit(exit); });
}

// The pipe is emptied as it fills, so that no command waits for its reader.
void ExecRun::watch() {
  watch_ = io_.watch(out_.get(), base::Loop::Interest::kReadable, [self = shared_from_this()](base::Loop::Ready) { self->drain(); });
}

void ExecRun::drain() {
  char buffer[4096];
  // Bounded: whoever writes without end must not hold the loop.
  for (int round = 0; round < 64; ++round) {
    ssize_t n = ::read(out_.get(), buffer, sizeof buffer);
    if (n > 0) {
      output_.append(buffer, std::min(static_cast<size_t>(n), kMaxExecOutput - output_.size()));
      continue;
    }
    if (n == 0 && watch_ != 0) {
      auto keep = shared_from_this();
      io_.cancel(std::exchange(watch_, 0));
    }
    return;
  }
}

void ExecRun::on_started(base::Result<netns::Started> started) {
  if (!started.ok()) return finish({false, started.error().message, 0, ""});
  std::lock_guard lock(mutex_);
  process_ = started->id;
  if (cancelled_) spawner_.signal(process_, SIGKILL);
}

// What it wrote is in the pipe by now; a child of its own that holds the pipe open is not waited for.
void ExecRun::on_exit(netns::ExitInfo exit) {
  io_.post([self = shared_from_this(), exit] {
    self->drain();
    self->finish({true, "", exit.code, self->output_});
  });
}

void ExecRun::cancel() {
  std::lock_guard lock(mutex_);
  if (std::exchange(cancelled_, true)) return;
  done_ = nullptr;
  if (process_ != 0) spawner_.signal(process_, SIGKILL);
}

void ExecRun::finish(ExecResult result) {
  std::function<void(ExecResult)> done;
  {
    std::lock_guard lock(mutex_);
    done = std::exchange(done_, nullptr);
    process_ = 0;
  }
  io_.post([self = shared_from_this()] {
    if (self->watch_ != 0) self->io_.cancel(std::exchange(self->watch_, 0));
    self->out_.reset();
  });
  if (done != nullptr) done(std::move(result));
}

}  // namespace

std::function<void()> run_exec_action(netns::Spawner& spawner, base::Loop& io, netns::ProcessId container, const netns::ContainerSpec& spec, std::function<void(ExecResult)> done) {
  auto run = std::make_shared<ExecRun>(spawner, io, std::move(done));
  run->start(container, spec);
  return [weak = std::weak_ptr<ExecRun>(run)] {
    if (std::shared_ptr<ExecRun> live = weak.lock()) live->cancel();
  };
}

}  // namespace server
