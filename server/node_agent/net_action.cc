#include "server/node_agent/net_action.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "server/node_agent/grpc_health.h"
#include "server/node_agent/http_reply.h"
#include "server/node_agent/probe_stream.h"
#include "store/base/socket_address.h"

namespace server {
namespace {

using Result = Outcome::Result;
using std::chrono::milliseconds;

constexpr int kMaxRedirects = 10;
constexpr auto kFirstRetry = milliseconds(5);
constexpr auto kMaxRetry = milliseconds(100);

// One run, kept alive by the callbacks that wait for it. Everything below start() is on the io loop.
class NetRun final : public std::enable_shared_from_this<NetRun> {
 public:
  NetRun(base::Loop& io, SocketMaker make_socket, NetAction what, std::function<void(Outcome)> done)
      : io_(io), make_socket_(std::move(make_socket)), what_(std::move(what)), done_(std::move(done)) {
    url_ = compile_probe_url(what_.action, what_.pod_ip);
  }
  void start();
  void cancel() {
    done_ = nullptr;
    close();
  }

 private:
  enum class Step { kConnecting, kHandshake, kTalking };
  bool http() const { return what_.action.kind == Action::Kind::kHttp; }
  bool grpc() const { return what_.action.kind == Action::Kind::kGrpc; }
  void open();
  void on_socket(base::Result<base::Fd> socket);
  void on_ready();
  void on_connected();
  void on_refused(int error);
  void retry();
  void talk();
  bool send_pending();
  void receive();
  void judge_http();
  bool follow_redirect();
  void on_timeout();
  void wait_for(base::Loop::Interest interest) { io_.change(watch_, interest); }
  void wait_for(ProbeStream::Result want) { wait_for(want == ProbeStream::Result::kWantWrite ? base::Loop::Interest::kWritable : base::Loop::Interest::kReadable); }
  std::string dial_text(const std::string& problem) const { return "dial tcp " + url_.authority() + ": " + problem; }
  std::string talk_text(const std::string& problem) const;
  void fail(const std::string& problem);  // The client's error, with the URL where Go puts it.
  void finish(Result result, std::string text);  // A copy: the text may belong to what is closed.
  void drop_stream();
  void close();

  base::Loop& io_;
  const SocketMaker make_socket_;
  const NetAction what_;
  std::function<void(Outcome)> done_;
  ProbeUrl url_;
  base::Ip ip_;
  bool keep_host_ = true;
  int redirects_ = 0;
  Step step_ = Step::kConnecting;
  milliseconds pause_ = kFirstRetry;
  int refused_ = 0;                // errno of the connection that failed last.
  uint64_t attempt_ = 0;           // Sockets of earlier ones are not ours any more.
  base::Loop::Id timer_ = 0, retry_timer_ = 0, watch_ = 0;
  std::unique_ptr<ProbeStream> stream_;
  std::string out_;
  std::string_view rest_;          // Of out_.
  HttpReply reply_;
  std::optional<GrpcHealthCheck> call_;
};

void NetRun::start() {
  if (!what_.action.port_problem.empty()) return finish(Result::kError, what_.action.port_problem);
  if (what_.timeout.count() > 0) timer_ = io_.timer(what_.timeout, milliseconds(0), [self = shared_from_this()] { self->on_timeout(); });
  open();
}

void NetRun::open() {
  // Names are the cluster's business, and a probe comes from the node: only addresses and localhost are known here.
  base::Result<base::Ip> ip = base::Ip::parse(url_.host == "localhost" ? "127.0.0.1" : url_.host);
  if (!ip.ok()) return fail("dial tcp: lookup " + url_.host + ": no such host");
  ip_ = *ip;
  step_ = Step::kConnecting;
  // The socket may come from a node's worker when this run is over; the loop drops it then.
  make_socket_(ip_.family(), [self = shared_from_this(), attempt = ++attempt_](base::Result<base::Fd> socket) {
    auto shared = std::make_shared<base::Result<base::Fd>>(std::move(socket));
    self->io_.post([self, shared, attempt] {
      if (self->done_ != nullptr && self->attempt_ == attempt) self->on_socket(std::move(*shared));
    });
  });
}

void NetRun::on_socket(base::Result<base::Fd> socket) {
  if (!socket.ok()) return fail("dial tcp " + url_.authority() + ": " + socket.error().message);
  stream_ = std::make_unique<ProbeStream>(std::move(*socket));
  const base::SocketAddress to = base::socket_address(ip_, static_cast<uint16_t>(url_.effective_port()));
  if (::connect(stream_->fd(), to.get(), to.size) != 0 && errno != EINPROGRESS) return on_refused(errno);
  watch_ = io_.watch(stream_->fd(), base::Loop::Interest::kWritable, [self = shared_from_this()](base::Loop::Ready) { self->on_ready(); });
  if (watch_ == 0) fail(dial_text("socket: cannot be watched"));
}

void NetRun::on_ready() {
  auto keep = shared_from_this();
  if (step_ == Step::kConnecting) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(stream_->fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error == 0 ? on_connected() : on_refused(error);
  }
  if (step_ == Step::kHandshake) {
    ProbeStream::Result done = stream_->handshake();
    if (done == ProbeStream::Result::kWantRead || done == ProbeStream::Result::kWantWrite) return wait_for(done);
    if (done != ProbeStream::Result::kOk) return fail(done == ProbeStream::Result::kEnd ? "EOF" : talk_text(stream_->problem()));
    step_ = Step::kTalking;
  }
  talk();
}

// A gRPC client connects again and again until its deadline; so does whoever is patient.
void NetRun::on_refused(int error) {
  refused_ = error;
  drop_stream();
  bool again = grpc() || (what_.patient && error == ECONNREFUSED);
  if (again && what_.timeout.count() > 0) return retry();
  fail(dial_text("connect: " + error_text(error)));
}

void NetRun::retry() {
  retry_timer_ = io_.timer(pause_, milliseconds(0), [self = shared_from_this()] {
    self->retry_timer_ = 0;
    self->open();
  });
  pause_ = std::min(pause_ * 2, kMaxRetry);
}

void NetRun::on_connected() {
  refused_ = 0;
  if (what_.action.kind == Action::Kind::kTcp) return finish(Result::kSuccess, "");
  if (grpc()) {
    call_.emplace(url_.authority(), what_.action.service, what_.timeout);
    out_.clear();
  } else {
    reply_ = HttpReply();
    out_ = render_probe_request(url_, what_.action, what_.hook ? "kube-lifecycle/1.36" : "kube-probe/1.36", keep_host_);
  }
  rest_ = out_;
  if (url_.https && http()) stream_->use_tls(base::Ip::parse(url_.host).ok() ? "" : url_.host);
  step_ = url_.https && http() ? Step::kHandshake : Step::kTalking;
  on_ready();
}

void NetRun::talk() {
  if (!send_pending()) return;
  receive();
}

// False: there is more to send, or it failed.
bool NetRun::send_pending() {
  while (true) {
    if (rest_.empty() && call_.has_value()) {
      out_ = call_->take_output();
      rest_ = out_;
    }
    if (rest_.empty()) return true;
    ProbeStream::Result sent = stream_->write(rest_);
    if (sent == ProbeStream::Result::kOk) continue;
    if (sent == ProbeStream::Result::kWantRead || sent == ProbeStream::Result::kWantWrite) wait_for(sent);
    // An answer that came before all was sent still counts.
    else receive();
    return false;
  }
}

void NetRun::receive() {
  // Bounded: a peer that sends without end gives others their turn.
  for (int round = 0; round < 8; ++round) {
    std::string bytes;
    ProbeStream::Result got = stream_->read(bytes);
    if (got == ProbeStream::Result::kWantRead || got == ProbeStream::Result::kWantWrite) return wait_for(got);
    if (got == ProbeStream::Result::kError) return fail(talk_text(stream_->problem()));
    if (grpc()) {
      if (got == ProbeStream::Result::kEnd) call_->end();
      else call_->feed(bytes);
      if (call_->outcome().has_value()) return finish(call_->outcome()->result, call_->outcome()->text);
      if (!send_pending()) return;
      continue;
    }
    HttpReply::State state = got == ProbeStream::Result::kEnd ? reply_.end() : reply_.feed(bytes);
    if (state == HttpReply::State::kDone || state == HttpReply::State::kBroken) return judge_http();
  }
  wait_for(base::Loop::Interest::kReadable);
}

void NetRun::judge_http() {
  if (reply_.state() == HttpReply::State::kBroken) {
    if (reply_.status() == 0) return fail(reply_.problem());
    return finish(what_.hook ? Result::kSuccess : Result::kError, reply_.problem());  // The body ended early: the kubelet takes no answer from it.
  }
  int status = reply_.status();
  if (status >= 300 && status < 400 && follow_redirect()) return;
  if (what_.hook) return finish(Result::kSuccess, "");
  if (status >= 300 && status < 400) return finish(Result::kWarning, "Probe terminated redirects, Response body: " + reply_.body());
  if (status >= 200 && status < 300) return finish(Result::kSuccess, reply_.body());
  finish(Result::kFailure, "HTTP probe failed with statuscode: " + std::to_string(status));
}

bool NetRun::follow_redirect() {
  int status = reply_.status();
  bool redirect = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  if (!redirect || reply_.location().empty()) return false;
  ProbeUrl next = resolve_location(url_, reply_.location());
  if (next.host != compile_probe_url(what_.action, what_.pod_ip).host) return false;
  keep_host_ = keep_host_ && reply_.location().find("//") == std::string::npos;
  url_ = next;
  if (++redirects_ >= kMaxRedirects) {
    fail("stopped after 10 redirects");
    return true;
  }
  drop_stream();
  open();
  return true;
}

void NetRun::on_timeout() {
  timer_ = 0;
  const std::string deadline = "context deadline exceeded";
  if (grpc()) {
    bool connected = call_.has_value() && call_->connected();
    std::string seconds = std::to_string(what_.timeout.count() / 1000) + "s";
    return finish(Result::kFailure, connected ? "timeout: health rpc did not complete within " + seconds : "timeout: failed to connect service \"" + url_.authority() + "\" within " + seconds + ": " + deadline);
  }
  if (refused_ != 0) return fail(dial_text("connect: " + error_text(refused_)));
  if (!http()) return fail(dial_text("i/o timeout"));
  if (reply_.state() == HttpReply::State::kBody) return finish(Result::kError, deadline + " (Client.Timeout or context cancellation while reading body)");
  fail(deadline + " (Client.Timeout exceeded while awaiting headers)");
}

// "read tcp 10.244.1.1:40312->10.244.1.2:80: read: connection reset by peer"
std::string NetRun::talk_text(const std::string& problem) const {
  size_t colon = problem.find(": ");
  const std::string verb = problem.substr(0, colon);
  if (verb != "read" && verb != "write") return problem;
  const base::SocketAddress local = base::local_address(stream_->fd());
  const base::Ip ip = local.ip();
  const std::string from = (ip.is_v4() ? ip.text() : "[" + ip.text() + "]") + ":" + std::to_string(local.port());
  return verb + " tcp " + from + "->" + url_.authority() + ": " + problem;
}

void NetRun::fail(const std::string& problem) { finish(Result::kFailure, http() ? "Get \"" + url_.text() + "\": " + problem : problem); }

void NetRun::finish(Result result, std::string text) {
  auto done = std::exchange(done_, nullptr);
  close();
  if (done != nullptr) done({result, text});
}

void NetRun::drop_stream() {
  if (watch_ != 0) io_.cancel(std::exchange(watch_, 0));
  stream_.reset();
  call_.reset();
}

void NetRun::close() {
  auto keep = weak_from_this().lock();  // The timers hold the last references.
  drop_stream();
  ++attempt_;
  if (timer_ != 0) io_.cancel(std::exchange(timer_, 0));
  if (retry_timer_ != 0) io_.cancel(std::exchange(retry_timer_, 0));
}

}  // namespace

std::function<void()> run_net_action(base::Loop& io, SocketMaker make_socket, NetAction what, std::function<void(Outcome)> done) {
  auto run = std::make_shared<NetRun>(io, std::move(make_socket), std::move(what), std::move(done));
  io.post([run] { run->start(); });
  return [&io, weak = std::weak_ptr<NetRun>(run)] {
    io.post([weak] {
      if (std::shared_ptr<NetRun> live = weak.lock()) live->cancel();
    });
  };
}

base::Result<base::Fd> make_probe_socket(base::Family family) {
  base::Fd fd(::socket(family == base::Family::kIpv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::os_error("socket");
  return fd;
}

}  // namespace server
