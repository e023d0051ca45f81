// netns/ns/sysctl.h - kernel settings of the calling thread's network namespace, by /proc/sys (which shows the
// namespace of whoever opens it). Use on that namespace's Worker.
#pragma once

#include <string>
#include <vector>

#include "store/base/result.h"

namespace netns {

struct Sysctl {
  const char* path;   // Below /proc/sys: "net/ipv4/ip_forward".
  const char* value;
  bool required;      // Otherwise absence (module not loaded) and refusal are passed over.
};
// In order. Stops at the first required one that fails.
base::Status write_sysctls(const std::vector<Sysctl>& settings);

}  // namespace netns
