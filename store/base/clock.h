// store/base/clock.h - time as an injected dependency, so that tests can own it. Thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "store/base/result.h"

namespace base {

using WallTime = std::chrono::system_clock::time_point;
using MonoTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual MonoTime mono() const = 0;
};

// The machine's clocks. Stateless; any number may exist.
class SystemClock final : public Clock {
 public:
  WallTime wall() const override { return std::chrono::system_clock::now(); }
  MonoTime mono() const override { return std::chrono::steady_clock::now(); }
};

std::string render_rfc3339(WallTime t);        // 2026-01-02T03:04:05Z (metav1.Time)
std::string render_rfc3339_micro(WallTime t);  // 2026-01-02T03:04:05.000006Z (metav1.MicroTime)
std::string render_rfc3339_nano(WallTime t);   // 2026-01-02T03:04:05.000000007Z (log lines)
std::string render_http_date(WallTime t);      // Sun, 06 Nov 1994 08:49:37 GMT (RFC 9110)
Result<WallTime> parse_rfc3339(std::string_view text);

// RFC 4122 version 4, from the kernel's random source.
std::string make_uid();
// n characters of the alphabet that Kubernetes' generateName uses (no vowels, no look-alikes).
std::string make_name_suffix(int n);

}  // namespace base
