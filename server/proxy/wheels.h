// server/proxy/wheels.h - chains that take turns, made ahead and lent to targets. Adding a rule or a verdict makes the kernel
// check every chain of the table (2 ms with 10,000 of them), a data element does not: so a target that needs a wheel takes one
// that is there already, by a data element. Pure state; one owner.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "server/proxy/elements.h"

namespace server::proxy {

using WheelId = uint32_t;  // Never 0.

class WheelPool {
 public:
  // One that turns over so many slots (2 or more). When none is free, a batch is made: it goes into `script` before all else.
  WheelId take(size_t slots, Spread spread, Script& script);
  void give_back(WheelId id);

  // Much more free than in use: the difference is given up, first what leads to the chains, the next time the chains (before
  // Linux 6.2 a chain counts as used for a moment after its last element went).
  bool has_surplus() const { return !leaving_.empty() || surplus_; }
  void give_up_surplus(Script& script);

  std::vector<std::pair<WheelId, std::string>> all() const;  // In the kernel: wheel and its chain.
  const std::vector<std::string>& leaving() const { return leaving_; }  // Chains that nothing leads to any more.

 private:
  struct Kind {
    std::set<WheelId> free;
    size_t used = 0;
  };
  struct Wheel {
    size_t slots = 0;
    Spread spread = Spread::kRoundRobin;
  };
  static std::string chain_name(WheelId id, const Wheel& wheel);
  static size_t spare(const Kind& kind) { return 32 + kind.used / 4; }
  WheelId make(size_t slots, Spread spread, Script& script);

  std::map<WheelId, Wheel> wheels_;
  std::map<size_t, Kind> kinds_;           // By slots; round robin only.
  std::map<size_t, WheelId> random_;       // Shared, by slots; never given up.
  std::vector<std::string> leaving_;
  bool surplus_ = false;
  WheelId next_ = 1;
};

}  // namespace server::proxy
