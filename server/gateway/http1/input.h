// server/gateway/http1/input.h - what was read of a connection and could not be used yet. Loop thread only.
#pragma once

#include <string>
#include <string_view>

namespace server::gateway::http1 {

// Gives what is held, with `data` behind it, to `process`, which says how many bytes of it it used; the rest is held. Most often
// nothing is held, and nothing copied.
template <class Process>
void feed(std::string* held, std::string_view data, Process process) {
  std::string joined;
  if (!held->empty()) {
    joined = std::move(*held);
    held->clear();
    data = joined.append(data);
  }
  size_t used = process(data);
  if (used < data.size()) held->insert(0, data.substr(used));
}

}  // namespace server::gateway::http1
