// store/base/fd.h - an owned file descriptor. Move-only; closes on destruction. No thread affinity.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "store/base/result.h"

namespace base {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  explicit operator bool() const { return valid(); }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);
  Result<Fd> duplicate() const;  // O_CLOEXEC set on the copy.

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read;
  Fd write;
};
Result<Pipe> make_pipe();  // Both ends O_CLOEXEC, blocking.

struct SocketPair {
  Fd first;
  Fd second;
};
Result<SocketPair> make_socket_pair(int type);  // AF_UNIX, type is SOCK_STREAM or SOCK_SEQPACKET; O_CLOEXEC.

Status set_nonblocking(int fd);
// Loops over short writes and EINTR. Blocks.
Status write_all(int fd, const void* data, size_t size);
Result<std::string> read_file(const std::string& path);
// Atomic: temp file beside, mode set before content, rename over. Durable content is flushed first.
Status write_file_atomic(const std::string& path, const std::string& content, unsigned mode);

// One message with descriptors over an AF_UNIX socket. Blocks. At most 16 descriptors a message; the
// message is at most 64 KiB on SOCK_SEQPACKET.
Status send_with_fds(int socket, const std::string& data, const std::vector<int>& fds);
struct Received {
  std::string data;  // Empty with no fds: the peer closed.
  std::vector<Fd> fds;
};
Result<Received> receive_with_fds(int socket, size_t max_size = 65536);

}  // namespace base
