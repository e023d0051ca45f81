// server/gateway/engine/deadlines.h - many deadlines on one loop, cheaply: a wheel of slots and one timer, which sleeps until
// the first slot in use. Arming again for later, as each request does, costs no system call.
//
// Precision is kSlot; a deadline is never early. Loop thread only; outlives its Deadline objects.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>

#include "store/base/loop.h"

namespace server::gateway {

class Deadlines;

// A member of whatever has a deadline. Disarmed by destruction.
class Deadline {
 public:
  explicit Deadline(std::function<void()> fn) : fn_(std::move(fn)) {}
  ~Deadline() { disarm(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  bool armed() const { return owner_ != nullptr; }
  void disarm();

 private:
  friend class Deadlines;
  std::function<void()> fn_;
  Deadlines* owner_ = nullptr;
  Deadline* before_ = nullptr;
  Deadline* after_ = nullptr;
  uint64_t at_ = 0;  // In slots since the wheel began.
};

class Deadlines {
 public:
  static constexpr std::chrono::milliseconds kSlot{10};

  explicit Deadlines(base::Loop& loop);
  ~Deadlines();
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

  // Moves an armed one.
  void arm(Deadline& deadline, std::chrono::milliseconds from_now);
  // The clock as of the last call that read it; good to about a slot while callbacks are short.
  std::chrono::steady_clock::time_point now() const;

 private:
  friend class Deadline;
  static constexpr size_t kSlots = 4096;  // 41 s; later ones go round.
  uint64_t slot_now() const;
  void unlink(Deadline& deadline);
  void schedule(uint64_t slot);
  void tick();

  base::Loop& loop_;
  const std::chrono::steady_clock::time_point begin_;
  std::array<Deadline*, kSlots> slots_{};
  uint64_t done_ = 0;        // All slots up to here have been served.
  uint64_t scheduled_ = 0;   // The slot that the timer waits for; 0: none.
  size_t armed_ = 0;
  base::Loop::Id timer_ = 0;
};

}  // namespace server::gateway
