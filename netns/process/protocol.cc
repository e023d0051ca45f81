#include "netns/process/protocol.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace netns {
namespace {

constexpr size_t kMaxInline = 32 * 1024;
constexpr uint64_t kInMemoryFile = 1u << 6;  // Beside one bit for each of the six descriptors.

base::Error closed() { return base::Error(base::Code::kNotFound, "the other end closed"); }
base::Error malformed() { return base::Error(base::Code::kInternal, "malformed message between daemon and spawner"); }

void write_spec(Writer& out, const ContainerSpec& spec) {
  out.list(spec.argv);
  out.text(spec.builtin);
  out.list(spec.env);
  out.text(spec.cwd);
  out.u64(spec.mounts.size());
  for (const Mount& mount : spec.mounts) {
    out.u64(static_cast<uint64_t>(mount.kind));
    out.text(mount.source);
    out.text(mount.target);
    out.u64(mount.read_only ? 1 : 0);
    out.u64(mount.size_limit);
  }
  out.u64(spec.tty ? 1 : 0);
  out.list(spec.capabilities);
}

ContainerSpec read_spec(Reader& in) {
  ContainerSpec spec;
  spec.argv = in.list();
  spec.builtin = in.text();
  spec.env = in.list();
  spec.cwd = in.text();
  uint64_t mounts = in.u64();
  for (uint64_t i = 0; i < mounts; ++i) {
    Mount mount;
    mount.kind = static_cast<Mount::Kind>(in.u64());
    mount.source = in.text();
    mount.target = in.text();
    mount.read_only = in.u64() != 0;
    mount.size_limit = in.u64();
    if (mount.target.empty()) break;  // Past the end; ok() says so.
    spec.mounts.push_back(std::move(mount));
  }
  spec.tty = in.u64() != 0;
  spec.capabilities = in.list();
  return spec;
}

base::Result<base::Fd> make_memory_file(const std::string& content) {
  base::Fd file(::memfd_create("spec", MFD_CLOEXEC));
  if (!file) return base::os_error("create a memory file");
  TRY_STATUS(base::write_all(file.get(), content.data(), content.size()));
  return file;
}

base::Result<std::string> read_memory_file(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return base::os_error("size of a memory file");
  std::string content(static_cast<size_t>(info.st_size), '\0');
  size_t at = 0;
  while (at < content.size()) {
    ssize_t n = ::pread(fd, content.data() + at, content.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return base::os_error("read a memory file");
    at += static_cast<size_t>(n);
  }
  return content;
}

}  // namespace

uint64_t Reader::u64() {
  uint64_t value = 0;
  if (!ok_ || in_.size() - at_ < sizeof value) {
    ok_ = false;
    return 0;
  }
  std::memcpy(&value, in_.data() + at_, sizeof value);
  at_ += sizeof value;
  return value;
}

std::string Reader::text() {
  uint64_t size = u64();
  if (!ok_ || in_.size() - at_ < size) {
    ok_ = false;
    return "";
  }
  std::string value = in_.substr(at_, size);
  at_ += size;
  return value;
}

std::vector<std::string> Reader::list() {
  std::vector<std::string> values;
  uint64_t count = u64();
  for (uint64_t i = 0; i < count && ok_; ++i) values.push_back(text());
  return values;
}

base::Status send_request(int socket, const Request& request) {
  Writer spec_out;
  write_spec(spec_out, request.spec);
  std::string spec = spec_out.take();
  uint64_t present = 0;
  std::vector<int> fds;
  const int all[] = {request.net, request.uts, request.ipc, request.in, request.out, request.err};
  for (size_t i = 0; i < 6; ++i) {
    if (all[i] < 0) continue;
    present |= 1u << i;
    fds.push_back(all[i]);
  }
  base::Fd file;
  if (spec.size() > kMaxInline) {
    file = TRY(make_memory_file(spec));
    fds.push_back(file.get());
    present |= kInMemoryFile;
    spec.clear();
  }
  Writer out;
  out.u64(static_cast<uint64_t>(request.op));
  out.u64(request.id);
  out.u64(request.container);
  out.u64(static_cast<uint64_t>(request.signal));
  out.text(request.which);
  out.u64(present);
  out.text(spec);
  return base::send_with_fds(socket, out.take(), fds);
}

base::Result<Request> receive_request(int socket) {
  base::Received received = TRY(base::receive_with_fds(socket));
  if (received.data.empty()) return closed();
  Reader in(received.data);
  Request request;
  request.op = static_cast<Request::Op>(in.u64());
  request.id = in.u64();
  request.container = in.u64();
  request.signal = static_cast<int>(in.u64());
  request.which = in.text();
  uint64_t present = in.u64();
  std::string spec = in.text();
  request.owned = std::move(received.fds);
  if (!in.ok()) return malformed();
  int* all[] = {&request.net, &request.uts, &request.ipc, &request.in, &request.out, &request.err};
  size_t next = 0;
  for (size_t i = 0; i < 6; ++i) {
    if ((present & (1u << i)) == 0) continue;
    if (next >= request.owned.size()) return malformed();
    *all[i] = request.owned[next++].get();
  }
  if ((present & kInMemoryFile) != 0) {
    if (next >= request.owned.size()) return malformed();
    spec = TRY(read_memory_file(request.owned[next].get()));
  }
  Reader spec_in(spec);
  request.spec = read_spec(spec_in);
  if (!spec_in.ok()) return malformed();
  return request;
}

base::Status send_reply(int socket, const Reply& reply) {
  Writer out;
  out.u64(static_cast<uint64_t>(reply.kind));
  out.u64(reply.id);
  out.u64(static_cast<uint64_t>(reply.pid));
  out.u64(static_cast<uint64_t>(reply.exit.code));
  out.u64(static_cast<uint64_t>(reply.exit.signal));
  out.text(reply.text.substr(0, kMaxInline));
  std::vector<int> fds;
  if (reply.fd.valid()) fds.push_back(reply.fd.get());
  return base::send_with_fds(socket, out.take(), fds);
}

base::Result<Reply> receive_reply(int socket) {
  base::Received received = TRY(base::receive_with_fds(socket));
  if (received.data.empty()) return closed();
  Reader in(received.data);
  Reply reply;
  reply.kind = static_cast<Reply::Kind>(in.u64());
  reply.id = in.u64();
  reply.pid = static_cast<int64_t>(in.u64());
  reply.exit.code = static_cast<int>(in.u64());
  reply.exit.signal = static_cast<int>(in.u64());
  reply.text = in.text();
  if (!received.fds.empty()) reply.fd = std::move(received.fds[0]);
  if (!in.ok()) return malformed();
  return reply;
}

}  // namespace netns
