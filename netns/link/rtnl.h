// netns/link/rtnl.h - an rtnetlink socket, bound for life to the network namespace where it was opened.
// One thread at a time. Blocks for as long as the kernel takes (it answers each batch before returning).
#pragma once

#include <vector>

#include "netns/link/batch.h"
#include "store/base/fd.h"
#include "store/base/result.h"

namespace netns {

class Rtnl {
 public:
  static base::Result<Rtnl> open();

  // Sends all messages in as few system calls as the socket buffer allows, with one acknowledgement a call.
  // The kernel carries on past a failed message: the result holds the errno of each (0: done) in order.
  // An error only if the socket itself failed.
  base::Result<std::vector<int>> transact(Batch& batch);
  // As above, but any failure is an error that names the message.
  base::Status apply(Batch& batch);
  // Waits until the kernel has finished bringing these links up. "Up" in a request only starts it: a link whose
  // other end came up last is served by a kernel thread, and until that ran it drops what is sent. Gives up after a tenth
  // of a second: the link works a little later then, which costs a retransmission and nothing else.
  void wait_until_running(const std::vector<int>& indices);
  // Names and indices of the links here.
  struct Link {
    int index = 0;
    std::string name;
    uint32_t group = 0;
  };
  base::Result<std::vector<Link>> list_links();

 private:
  explicit Rtnl(base::Fd fd) : fd_(std::move(fd)) {}
  bool is_running(int index);
  base::Status send_part(Batch& batch, size_t first, size_t last);
  base::Status receive_part(uint32_t first_sequence, size_t first, size_t last, std::vector<int>& results);

  base::Fd fd_;
  uint32_t sequence_ = 1;
  std::string last_message_;  // The kernel's own words on the latest failure, if it gave any.
};

}  // namespace netns
