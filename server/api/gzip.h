// server/api/gzip.h - bodies compressed as they are written. One thread.
#pragma once

#include <zlib.h>

#include <functional>
#include <string_view>

namespace server {

using Write = std::function<bool(std::string_view)>;  // False: the client went away.

// Compresses what goes through it. `write` must outlive it. add() and finish() are false when `write` is, or for want of memory.
class Gzip {
 public:
  explicit Gzip(const Write& write);
  ~Gzip();
  Gzip(const Gzip&) = delete;
  bool add(std::string_view bytes) { return run(bytes, Z_NO_FLUSH); }
  bool finish() { return run({}, Z_FINISH); }

 private:
  bool run(std::string_view bytes, int flush);
  const Write& write_;
  z_stream z_{};
  bool ready_ = false;
};

}  // namespace server
