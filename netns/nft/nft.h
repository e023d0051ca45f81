// netns/nft/nft.h - one nftables context, bound to the network namespace where it was opened. The only user
// of libnftables. Open and use on that namespace's Worker. Each run() is one transaction: it applies whole or
// not at all.
#pragma once

#include <memory>
#include <string>

#include "store/base/result.h"

namespace netns {

class Nft {
 public:
  static base::Result<std::unique_ptr<Nft>> open();
  virtual ~Nft() = default;
  // nft syntax, any number of commands, applied atomically. An unprivileged socket takes about 100 KiB of
  // text at a time: split larger loads. kInternal with nft's own message.
  virtual base::Status run(const std::string& commands) = 0;
  // Output of a list command ("list table ip kubelan"), JSON when asked.
  virtual base::Result<std::string> query(const std::string& command, bool as_json) = 0;
};

}  // namespace netns
