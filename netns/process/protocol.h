// netns/process/protocol.h - messages between the daemon and the spawner process: one binary from one build on
// both ends, so plain fields in order. Readers never run past the end; a bad message is kInternal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "netns/process/spawner.h"

namespace netns {

class Writer {
 public:
  void u64(uint64_t value) { out_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void text(const std::string& value) {
    u64(value.size());
    out_ += value;
  }
  void list(const std::vector<std::string>& values) {
    u64(values.size());
    for (const std::string& value : values) text(value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class Reader {
 public:
  explicit Reader(const std::string& in) : in_(in) {}
  uint64_t u64();
  std::string text();
  std::vector<std::string> list();
  bool ok() const { return ok_ && at_ == in_.size(); }  // All read, nothing missing.

 private:
  const std::string& in_;
  size_t at_ = 0;
  bool ok_ = true;
};

struct Request {
  enum class Op : uint64_t { kStart, kExec, kSignal, kOpenNamespace };
  Op op = Op::kStart;
  ProcessId id = 0;
  ProcessId container = 0;     // kExec
  int signal = 0;              // kSignal
  std::string which;           // kOpenNamespace
  ContainerSpec spec;          // kStart, kExec
  std::vector<base::Fd> owned; // Received descriptors; the ints below point into it.
  int net = -1, uts = -1, ipc = -1, in = -1, out = -1, err = -1;
};
// Descriptors stay the caller's. A long spec travels in a memory file, so there is no size limit.
base::Status send_request(int socket, const Request& request);
// kNotFound: the other end closed.
base::Result<Request> receive_request(int socket);

struct Reply {
  enum class Kind : uint64_t { kStarted, kFailed, kExited, kNamespace };
  Kind kind = Kind::kStarted;
  ProcessId id = 0;
  int64_t pid = 0;
  ExitInfo exit;
  std::string text;            // kFailed; kNamespace: the error, empty if none.
  base::Fd fd;                 // kStarted: pty; kNamespace.
};
base::Status send_reply(int socket, const Reply& reply);
base::Result<Reply> receive_reply(int socket);

}  // namespace netns
