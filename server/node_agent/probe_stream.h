// server/node_agent/probe_stream.h - a connected, non-blocking socket, plain or with TLS (no certificate is checked, as
// the kubelet checks none). The only OpenSSL user of this folder. io loop.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "store/base/fd.h"

namespace server {

class ProbeStream {
 public:
  enum class Result { kOk, kWantRead, kWantWrite, kEnd, kError };

  explicit ProbeStream(base::Fd fd);
  ~ProbeStream();
  // Before the first read or write. `name`: for SNI; "" for an address.
  void use_tls(const std::string& name);
  int fd() const { return fd_.get(); }
  Result handshake();                            // kOk at once without TLS.
  Result write(std::string_view& rest);          // Takes off what was sent; kOk: all of it.
  Result read(std::string& to);                  // Appends what there is.
  const std::string& problem() const { return problem_; }  // kError; worded as Go words it.

 private:
  struct Tls;
  Result explain(int code);
  base::Fd fd_;
  std::unique_ptr<Tls> tls_;
  std::string problem_;
};

// "connection refused": errno as Go prints it.
std::string error_text(int error);

}  // namespace server
