#include "server/node_agent/exec_session.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <future>

namespace server {
namespace {

void set_size(const base::Fd& pty, int width, int height) {
  winsize size{};
  size.ws_col = static_cast<unsigned short>(width);
  size.ws_row = static_cast<unsigned short>(height);
  ::ioctl(pty.get(), TIOCSWINSZ, &size);
}

// Set from the spawner's thread; outlives the session when the process does.
struct SessionOutcome {
  std::promise<base::Result<netns::Started>> started;
  std::promise<int> exit;
};

class Exec final : public ExecSession {
 public:
  Exec(netns::Spawner& spawner, std::shared_ptr<SessionOutcome> outcome) : spawner_(spawner), outcome_(std::move(outcome)), exit_(outcome_->exit.get_future()) {}
  ~Exec() override {
    if (!waited_ && process_ != 0) spawner_.signal(process_, SIGKILL);
  }
  int in() const override { return pty_ ? pty_.get() : in_.get(); }
  void close_in() override {
    // A terminal has no half-close: ^D is how its reader learns of the end.
    if (pty_) base::ignore(base::write_all(pty_.get(), "\x04", 1), "the process may have ended");
    else in_.reset();
  }
  int out() const override { return pty_ ? pty_.get() : out_.get(); }
  int err() const override { return err_.get(); }
  void resize(int width, int height) override {
    if (pty_) set_size(pty_, width, height);
  }
  bool has_exit() const override { return true; }
  int wait() override {
    waited_ = true;
    return exit_.get();
  }

  netns::Spawner& spawner_;
  std::shared_ptr<SessionOutcome> outcome_;
  std::future<int> exit_;
  netns::ProcessId process_ = 0;
  bool waited_ = false;
  base::Fd in_, out_, err_, pty_;
};

class Attach final : public ExecSession {
 public:
  int in() const override { return pty_ && wants_in_ ? pty_->get() : std_in_ ? std_in_->get() : -1; }
  void close_in() override { std_in_.reset(); }  // Ends the container's input if it was opened for one session.
  int out() const override { return out_.get(); }
  int err() const override { return err_.get(); }
  void resize(int width, int height) override {
    if (pty_) set_size(*pty_, width, height);
  }
  bool has_exit() const override { return false; }
  int wait() override { return 0; }

  bool wants_in_ = false;
  std::shared_ptr<base::Fd> std_in_, pty_;
  base::Fd out_, err_;
};

}  // namespace

base::Result<std::unique_ptr<ExecSession>> start_exec(netns::Spawner& spawner, netns::ProcessId container, const netns::ContainerSpec& spec, const ExecOptions& options) {
  auto outcome = std::make_shared<SessionOutcome>();
  auto session = std::make_unique<Exec>(spawner, outcome);
  base::Pipe in, out, err;
  netns::Stdio stdio;
  if (!options.tty && options.in) {
    in = TRY(base::make_pipe());
    stdio.in = in.read.get();
  }
  if (!options.tty && options.out) {
    out = TRY(base::make_pipe());
    stdio.out = out.write.get();
  }
  if (!options.tty && options.err) {
    err = TRY(base::make_pipe());
    stdio.err = err.write.get();
  }
  spawner.exec_in(
      container, spec, stdio, [outcome](base::Result<netns::Started> started) { outcome->started.set_value(std::move(started)); },
      [outcome](netns::ExitInfo exit) { outcome->exit.set_value(exit.code); });
  netns::Started started = TRY(outcome->started.get_future().get());
  session->process_ = started.id;
  session->pty_ = std::move(started.pty);
  session->in_ = std::move(in.write);
  session->out_ = std::move(out.read);
  session->err_ = std::move(err.read);
  return std::unique_ptr<ExecSession>(std::move(session));
}

base::Result<std::unique_ptr<ExecSession>> start_attach(ContainerLog& log, const std::shared_ptr<StandardInput>& std_in, const std::shared_ptr<base::Fd>& pty, const ExecOptions& options) {
  auto session = std::make_unique<Attach>();
  if (options.in && std_in != nullptr) session->std_in_ = std_in->open();
  session->wants_in_ = options.in;
  session->pty_ = pty;
  base::Pipe out, err;
  if (options.out) out = TRY(base::make_pipe());
  if (options.err && !options.tty) err = TRY(base::make_pipe());
  log.subscribe(std::move(out.write), std::move(err.write));
  session->out_ = std::move(out.read);
  session->err_ = std::move(err.read);
  return std::unique_ptr<ExecSession>(std::move(session));
}

}  // namespace server
