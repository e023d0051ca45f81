#include "server/gateway/engine/deadlines.h"

#include <algorithm>

#include "server/gateway/engine/socket.h"

namespace server::gateway {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

void Deadline::disarm() {
  if (owner_ != nullptr) owner_->unlink(*this);
}

Deadlines::Deadlines(base::Loop& loop) : loop_(loop), begin_(steady_clock::now()) {}

Deadlines::~Deadlines() {
  if (timer_ != 0) loop_.cancel(timer_);
}

steady_clock::time_point Deadlines::now() const { return steady_clock::now(); }

uint64_t Deadlines::slot_now() const { return static_cast<uint64_t>((steady_clock::now() - begin_) / kSlot); }

void Deadlines::arm(Deadline& deadline, milliseconds from_now) {
  if (deadline.owner_ != nullptr) unlink(deadline);
  // One more: the present slot has begun already.
  uint64_t at = slot_now() + 1 + static_cast<uint64_t>((std::max(from_now, milliseconds(0)) + kSlot - milliseconds(1)) / kSlot);
  deadline.at_ = at;
  deadline.owner_ = this;
  Deadline*& head = slots_[at % kSlots];
  deadline.before_ = nullptr;
  deadline.after_ = head;
  if (head != nullptr) head->before_ = &deadline;
  head = &deadline;
  ++armed_;
  uint64_t due = std::min(at, done_ + kSlots - 1);
  if (scheduled_ == 0 || due < scheduled_) schedule(due);
}

void Deadlines::unlink(Deadline& deadline) {
  if (deadline.before_ != nullptr) deadline.before_->after_ = deadline.after_;
  else slots_[deadline.at_ % kSlots] = deadline.after_;
  if (deadline.after_ != nullptr) deadline.after_->before_ = deadline.before_;
  deadline.owner_ = nullptr;
  --armed_;
}

void Deadlines::schedule(uint64_t slot) {
  if (timer_ != 0) loop_.cancel(timer_);
  scheduled_ = slot;
  auto due = begin_ + slot * kSlot - steady_clock::now();
  auto wait = std::chrono::ceil<milliseconds>(due);
  timer_ = loop_.timer(std::max(wait, milliseconds(0)), milliseconds(0), [this] {
    timer_ = 0;
    scheduled_ = 0;
    tick();
  });
}

void Deadlines::tick() {
  Socket::Turn turn;
  uint64_t now = slot_now();
  // Slots that were left out while nothing was armed hold nothing; no more than once round.
  uint64_t slot = std::max(done_ + 1, now >= kSlots ? now - kSlots + 1 : 0);
  for (; slot <= now; ++slot) {
    // A callback may arm and disarm any of them, so begin at the head after each.
    bool again = true;
    while (again) {
      again = false;
      for (Deadline* d = slots_[slot % kSlots]; d != nullptr; d = d->after_) {
        if (d->at_ > now) continue;
        unlink(*d);
        d->fn_();
        again = true;
        break;
      }
    }
  }
  done_ = std::max(done_, now);
  if (armed_ == 0 || scheduled_ != 0) return;
  uint64_t next = done_ + 1;
  while (next < done_ + kSlots - 1 && slots_[next % kSlots] == nullptr) ++next;
  schedule(next);
}

}  // namespace server::gateway
