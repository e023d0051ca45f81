// server/gateway/message/thread_buffer.h - 64 KiB to read into, one for each thread that ever does. On the heap: what is
// thread_local itself is part of every thread of the process, and of the small stacks that some have.
//
// `Tag` keeps users apart whose calls are nested. Good until the same user's next read on the same thread.
#pragma once

#include <cstddef>
#include <memory>

namespace server::gateway {

template <class Tag>
struct ThreadBuffer {
  static constexpr size_t size() { return 64 * 1024; }
  static char* data() {
    thread_local std::unique_ptr<char[]> memory;
    if (memory == nullptr) memory.reset(new char[size()]);
    return memory.get();
  }
};

}  // namespace server::gateway
