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
#include <cstring>
#include <future>

#include "netns/ns/worker.h"
#include "server/node_agent/exec_session.h"
#include "store/base/socket_address.h"

namespace server {
namespace {

constexpr std::chrono::milliseconds kDialLimit{5000};

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

// From the network of the calling thread; the socket may be used from anywhere afterwards. 0, or errno.
int connect_within(int fd, const base::Ip& ip, uint16_t port, std::chrono::milliseconds limit) {
  const base::SocketAddress address = base::socket_address(ip, port);
  if (::connect(fd, address.get(), address.size) != 0 && errno != EINPROGRESS) return errno;
  pollfd wait{fd, POLLOUT, 0};
  if (::poll(&wait, 1, static_cast<int>(limit.count())) != 1) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  return error;
}

base::Fd make_socket(const base::Ip& ip) { return base::Fd(::socket(ip.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

base::Result<base::Fd> connect_loopback(uint16_t port) {
  const base::Ip loopback = base::Ip::v4(127, 0, 0, 1);
  base::Fd fd = make_socket(loopback);
  if (!fd) return base::os_error("create a socket in the pod");
  const std::string what = "failed to connect to localhost:" + std::to_string(port) + " inside the pod";
  const int error = connect_within(fd.get(), loopback, port, kDialLimit);
  if (error == ETIMEDOUT) return base::Error(base::Code::kTimeout, what + ": timed out");
  if (error != 0) return base::os_error(what, error);
  return fd;
}

// As Go prints it: lower case.
std::string explain_dial(int error) {
  if (error == ETIMEDOUT) return "i/o timeout";
  std::string text = strerror(error);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return "connect: " + text;
}

}  // namespace

RuntimeDirectory::RuntimeDirectory(netns::Spawner& spawner, const base::Clock& clock, netns::Fabric& fabric) : spawner_(spawner), clock_(clock) {
  const std::vector<netns::Node*> nodes = fabric.nodes();
  if (nodes.empty()) return;
  base::Result<base::Fd> copy = nodes.front()->net().duplicate();
  if (copy.ok()) node_net_ = std::move(*copy);
}

void RuntimeDirectory::publish(const PodRun& run) {
  auto handle = std::make_shared<PodHandle>();
  handle->ns = run.key.ns;
  handle->name = run.key.name;
  handle->sandbox = run.sandbox;
  for (const ContainerRun& c : run.main) handle->containers.push_back(make_handle(c));
  handle->regular = handle->containers.size();
  handle->init = run.init.size();
  for (const ContainerRun& c : run.init) handle->containers.push_back(make_handle(c));
  for (const ContainerRun& c : run.guests) handle->containers.push_back(make_handle(c));
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
    const size_t guests = handle->regular + handle->init;
    if (handle->init > 0) text += " or one of the init containers: [" + join_names(*handle, handle->regular, guests) + "]";
    if (guests < handle->containers.size()) text += " or one of the ephemeral containers: [" + join_names(*handle, guests, handle->containers.size()) + "]";
    return bad_request(text);
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

base::Result<base::Fd> RuntimeDirectory::dial_address(const base::Ip& ip, uint16_t port) {
  if (!node_net_) return base::Error(base::Code::kUnavailable, "there is no node");
  const std::string what = "dial tcp " + (ip.is_v4() ? ip.text() : "[" + ip.text() + "]") + ":" + std::to_string(port) + ": ";
  std::unique_ptr<netns::Worker> worker = TRY(netns::Worker::start("dial", node_net_));
  base::Fd fd;
  const int error = worker->call([&] {
    fd = make_socket(ip);
    return fd ? connect_within(fd.get(), ip, port, kDialLimit) : errno;
  });
  if (error != 0) return base::Error(base::Code::kUnavailable, what + explain_dial(error));
  return fd;
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
