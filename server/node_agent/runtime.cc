#include "server/node_agent/runtime.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <future>

#include "netns/ns/worker.h"
#include "server/node_agent/exec_session.h"

namespace server {
namespace {

base::Error bad_request(const std::string& message) { return base::Error(base::Code::kBadRequest, message); }

ContainerHandle make_handle(const ContainerRun& c) {
  ContainerHandle out;
  out.name = c.plan->name;
  out.state = c.state;
  out.waiting_reason = c.waiting_reason;
  out.process = c.process;
  out.cwd = c.plan->working_dir.empty() ? "/" : c.plan->working_dir;
  out.env = c.env;
  out.capabilities = c.plan->capabilities;
  out.log = c.log;
  out.previous_log = c.previous_log;
  out.std_in = c.std_in;
  out.pty = c.pty;
  return out;
}

std::string join_names(const PodHandle& pod, size_t begin, size_t end) {
  std::string out;
  for (size_t i = begin; i < end; ++i) out += (out.empty() ? "" : " ") + pod.containers[i].name;
  return out;
}

// As the kubelet words it for those who ask for logs.
std::string describe_waiting(const std::string& reason) {
  if (reason == "ErrImagePull") return "image can't be pulled";
  if (reason == "ImagePullBackOff") return "trying and failing to pull image";
  return reason;
}

// Connects inside the pod's network; the socket may be used from anywhere afterwards.
base::Result<base::Fd> connect_loopback(uint16_t port) {
  base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::os_error("create a socket in the pod");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string what = "failed to connect to localhost:" + std::to_string(port) + " inside the pod";
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) return base::os_error(what);
  pollfd wait{fd.get(), POLLOUT, 0};
  if (::poll(&wait, 1, 5000) != 1) return base::Error(base::Code::kTimeout, what + ": timed out");
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return base::os_error(what, error);
  int flags = ::fcntl(fd.get(), F_GETFL);
  ::fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK);
  return fd;
}

}  // namespace

void RuntimeDirectory::publish(const PodRun& run) {
  auto handle = std::make_shared<PodHandle>();
  handle->ns = run.key.ns;
  handle->name = run.key.name;
  handle->sandbox = run.sandbox;
  for (const ContainerRun& c : run.main) handle->containers.push_back(make_handle(c));
  handle->regular = handle->containers.size();
  for (const ContainerRun& c : run.init) handle->containers.push_back(make_handle(c));
  std::lock_guard lock(mutex_);
  pods_[{run.key.ns, run.key.name}] = std::move(handle);
}

void RuntimeDirectory::forget(const store::Key& key) {
  std::lock_guard lock(mutex_);
  pods_.erase({key.ns, key.name});
}

base::Result<std::shared_ptr<const PodHandle>> RuntimeDirectory::find(const std::string& ns, const std::string& pod) const {
  std::lock_guard lock(mutex_);
  auto found = pods_.find({ns, pod});
  if (found != pods_.end()) return found->second;
  base::Error error(base::Code::kNotFound, "pods \"" + pod + "\" not found");
  error.name = pod;
  error.kind = "pods";
  return error;
}

base::Result<ContainerHandle> RuntimeDirectory::find_container(const std::string& ns, const std::string& pod, const std::string& container) const {
  std::shared_ptr<const PodHandle> handle = TRY(find(ns, pod));
  if (container.empty()) {
    if (handle->regular == 1) return handle->containers.front();
    std::string text = "a container name must be specified for pod " + pod + ", choose one of: [" + join_names(*handle, 0, handle->regular) + "]";
    std::string inits = join_names(*handle, handle->regular, handle->containers.size());
    return bad_request(inits.empty() ? text : text + " or one of the init containers: [" + inits + "]");
  }
  for (const ContainerHandle& c : handle->containers) {
    if (c.name == container) return c;
  }
  return bad_request("container " + container + " is not valid for pod " + pod);
}

base::Result<ContainerHandle> RuntimeDirectory::find_running(const std::string& ns, const std::string& pod, const std::string& container) const {
  ContainerHandle found = TRY(find_container(ns, pod, container));
  if (found.state != ContainerState::kRunning) return base::Error(base::Code::kInternal, "unable to upgrade connection: container not found (\"" + found.name + "\")");
  return found;
}

base::Status RuntimeDirectory::logs(const std::string& ns, const std::string& pod, const LogOptions& options, const std::function<bool(std::string_view)>& sink) {
  ContainerHandle c = TRY(find_container(ns, pod, options.container));
  // While a container waits to be started again, the run that ended last is the previous one and all there is.
  bool between = c.state == ContainerState::kWaiting && c.log != nullptr;
  std::shared_ptr<ContainerLog> log = options.previous && !between ? c.previous_log : c.log;
  const std::string who = "container \"" + c.name + "\" in pod \"" + pod + "\"";
  if (log == nullptr && options.previous) return bad_request("previous terminated " + who + " not found");
  if (log == nullptr && c.state != ContainerState::kWaiting) return bad_request("the output of " + who + " is gone: it ended before kubelan was started last");
  if (log == nullptr) return bad_request(who + " is waiting to start: " + describe_waiting(c.waiting_reason));
  log->read(options, clock_.wall(), sink);
  return {};
}

base::Result<std::unique_ptr<ExecSession>> RuntimeDirectory::exec(const std::string& ns, const std::string& pod, const ExecOptions& options) {
  if (options.command.empty()) return bad_request("you must specify at least one command for the container");
  ContainerHandle c = TRY(find_running(ns, pod, options.container));
  netns::ContainerSpec spec;
  spec.argv = options.command;
  spec.env = c.env;
  spec.cwd = c.cwd;
  spec.tty = options.tty;
  spec.capabilities = c.capabilities;
  return start_exec(spawner_, c.process, spec, options);
}

base::Result<std::unique_ptr<ExecSession>> RuntimeDirectory::attach(const std::string& ns, const std::string& pod, const ExecOptions& options) {
  ContainerHandle c = TRY(find_running(ns, pod, options.container));
  return start_attach(*c.log, c.std_in, c.pty, options);
}

base::Result<base::Fd> RuntimeDirectory::dial(const std::string& ns, const std::string& pod, uint16_t port) {
  std::shared_ptr<const PodHandle> handle = TRY(find(ns, pod));
  if (handle->sandbox == nullptr) return base::Error(base::Code::kUnavailable, "pod " + pod + " is not running");
  std::unique_ptr<netns::Worker> worker = TRY(netns::Worker::start("dial", handle->sandbox->net));
  return worker->call([port] { return connect_loopback(port); });
}

base::Result<netns::Place> RuntimeDirectory::place(const std::string& ns, const std::string& pod) {
  std::shared_ptr<const PodHandle> handle = TRY(find(ns, pod));
  const ContainerHandle* running = nullptr;
  for (const ContainerHandle& c : handle->containers) {
    if (running == nullptr && c.state == ContainerState::kRunning) running = &c;
  }
  if (running == nullptr || handle->sandbox == nullptr) return base::Error(base::Code::kUnavailable, "no container of pod " + ns + "/" + pod + " is running");
  netns::Place place;
  place.user = TRY(netns::open_own_namespace("user"));
  place.mnt = TRY(spawner_.open_namespace(running->process, "mnt"));
  place.pid = TRY(spawner_.open_namespace(running->process, "pid"));
  place.net = TRY(handle->sandbox->net.duplicate());
  place.uts = TRY(handle->sandbox->uts.duplicate());
  place.ipc = TRY(handle->sandbox->ipc.duplicate());
  return place;
}

base::Result<ContainerStandIn> RuntimeDirectory::stand_in(const std::string& ns, const std::string& pod, const std::string& container) {
  std::shared_ptr<const PodHandle> handle = TRY(find(ns, pod));
  ContainerHandle c = TRY(find_container(ns, pod, container));
  if (c.state != ContainerState::kRunning || handle->sandbox == nullptr || c.log == nullptr) return base::Error(base::Code::kUnavailable, "pod " + ns + "/" + pod + " is not running");
  ContainerStandIn out;
  out.net = TRY(handle->sandbox->net.duplicate());
  out.print = [log = c.log](std::string_view lines) { log->print(lines); };
  return out;
}

}  // namespace server
