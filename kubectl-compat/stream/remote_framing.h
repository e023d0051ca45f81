// kubectl-compat/stream/remote_framing.h - inner parts of remote_command: the two framings.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kubectl-compat/stream/remote_command.h"

namespace compat {

// {"Width":80,"Height":24} texts one after another, cut anywhere. What is no size is dropped.
class ResizeParser {
 public:
  void feed(std::string_view bytes, std::vector<RemoteEvent>& out);

 private:
  std::string text_;
};

std::unique_ptr<RemoteCommand> make_websocket_remote_command(RemoteStreams streams, bool v5);
std::unique_ptr<RemoteCommand> make_spdy_remote_command(RemoteStreams streams);

}  // namespace compat
