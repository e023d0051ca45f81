// server/node_agent/container_log.h - a container's output in the CRI log format, bounded in size, with readers
// that may follow it and attach sessions that see it live.
//
// Thread rule: write(), end() and the pump run on the io loop; print(), reading and subscribing from any thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/pod_runtime.h"
#include "store/base/fd.h"
#include "store/base/loop.h"

namespace server {

class ContainerLog {
 public:
  static constexpr size_t kMaxFile = 10u << 20;  // Then the file becomes PATH.1 (one is kept), as the kubelet rotates.

  explicit ContainerLog(std::string path) : path_(std::move(path)) {}
  ~ContainerLog();  // Removes the file: the last who could read it is gone.
  ContainerLog(const ContainerLog&) = delete;
  ContainerLog& operator=(const ContainerLog&) = delete;

  // Output of "stdout" or "stderr"; split into lines, the last one kept back until it ends.
  void write(const char* stream, std::string_view bytes);
  // Whole lines on stdout, beside what the container itself writes. Nothing after the end.
  void print(std::string_view lines);
  void end();
  bool ended();  // All of the output is in it.

  // Sends lines to `sink` as LogOptions asks; with follow until end() was called. False from sink stops it.
  void read(const LogOptions& options, base::WallTime now, const std::function<bool(std::string_view)>& sink);
  // The last `lines` lines without time stamps, at most `bytes` (terminationMessagePolicy FallbackToLogsOnError).
  std::string tail(size_t lines, size_t bytes);

  // Live copies of what is written from now on, each stream to its own pipe (invalid: not wanted), closed at the end.
  // A subscriber that does not read is dropped.
  void subscribe(base::Fd out, base::Fd err);

 private:
  struct Stream {
    const char* name;
    std::string partial;
  };
  struct Subscriber {
    base::Fd out, err;
  };
  // All with mutex_ held.
  void tell_subscribers(bool err, std::string_view bytes);
  void write_line(const char* stream, std::string_view line, bool complete);
  void write_whole_line(const char* stream, std::string_view line);
  void rotate();
  // How far a reader has come: `offset` bytes into the file that was the current one at `generation`.
  struct Position {
    size_t generation = 0;
    size_t offset = 0;
  };
  std::string snapshot(Position* position);
  std::optional<std::string> wait_for_more(Position* position);

  const std::string path_;
  std::mutex mutex_;
  std::condition_variable grown_;
  base::Fd file_;
  size_t size_ = 0;
  size_t generation_ = 0;  // Of rotations.
  bool ended_ = false;
  Stream streams_[2] = {{"stdout", ""}, {"stderr", ""}};
  std::vector<Subscriber> subscribers_;
};

// Reads a container's pipes on the io loop into its log; ends the log when both are at their end.
void pump(base::Loop& io, std::shared_ptr<ContainerLog> log, base::Fd out, base::Fd err);

}  // namespace server
