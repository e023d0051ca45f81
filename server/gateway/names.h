// server/gateway/names.h - addresses of names that Ingresses lead to (ExternalName, auth-url, mirrors), kept while they are wanted and
// asked for again by their time to live, within bounds. While the resolver fails the last known addresses stay.
//
// Control thread only; lives until the loop has stopped.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/informer/control_loop.h"
#include "store/base/ip.h"

namespace server {

struct NameAnswer {
  bool answered = false;        // False: the resolver failed, which says nothing about the name.
  std::vector<base::Ip> ips;    // Empty and `answered`: there are none.
  std::chrono::seconds ttl{0};
};
// `done` on any thread, once; never from within the call.
using LookUp = std::function<void(const std::string& name, std::function<void(NameAnswer)> done)>;

class Names {
 public:
  // `on_change`: addresses changed, or nothing is asked for the first time any more.
  Names(ControlLoop& loop, LookUp look_up, std::function<void()> on_change);
  ~Names();
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  // Asks for those that are new, forgets the others.
  void want(const std::set<std::string>& names);
  // Some name has not been answered once, well or ill.
  bool asking() const { return first_ > 0; }
  const std::map<std::string, std::vector<base::Ip>>& known() const { return known_; }

 private:
  struct Entry {
    uint64_t round = 0;         // An answer to an older question of that name is of no interest.
    bool asked_first = true;
  };
  void ask(const std::string& name);
  void answered(const std::string& name, uint64_t round, const NameAnswer& answer);

  ControlLoop& loop_;
  const LookUp look_up_;
  const std::function<void()> on_change_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::vector<base::Ip>> known_;
  size_t first_ = 0;
  uint64_t last_round_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace server
