// server/gateway/message/headers.h - the header fields of one message, in order, in one block of memory.
//
// Names keep the spelling they came with; look-ups do not mind case. A value type without thread affinity. Views that a
// method returns are good until the next call that adds or sets (the block may move), and no longer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace server::gateway {

// ASCII only, as HTTP's.
bool equal_names(std::string_view a, std::string_view b);

class Headers {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }
  Field operator[](size_t i) const;

  // The first of that name; nothing when there is none (which is not the same as an empty value).
  std::optional<std::string_view> find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name).has_value(); }
  // All values of that name joined by ", "; nothing when there is none.
  std::optional<std::string> joined(std::string_view name) const;
  size_t count(std::string_view name) const;

  // `name` and `value` may be views into this block.
  void add(std::string_view name, std::string_view value);
  // Replaces the first of that name, removes the others; adds when there was none.
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  template <class Predicate>
  void remove_if(Predicate gone) {
    size_t kept = 0;
    for (size_t i = 0; i < fields_.size(); ++i) {
      if (!gone((*this)[i])) fields_[kept++] = fields_[i];
    }
    fields_.resize(kept);
  }
  // Room for so much more, ahead of a number of add()s.
  void reserve(size_t more_bytes, size_t more_fields) {
    text_.reserve(text_.size() + more_bytes);
    fields_.reserve(fields_.size() + more_fields);
  }
  void clear() {
    text_.clear();
    fields_.clear();
  }

  // For parsers: the block of a whole head is taken once, and fields are named by where they are in it.
  void take_block(std::string_view block) { text_.assign(block); }
  void add_in_block(uint32_t name_at, uint32_t name_size, uint32_t value_at, uint32_t value_size) {
    fields_.push_back({name_at, name_size, value_at, value_size});
  }
  std::string_view block() const { return text_; }

 private:
  struct Place {
    uint32_t name_at, name_size, value_at, value_size;
  };
  uint32_t append(std::string_view text);

  std::string text_;
  std::vector<Place> fields_;
};

}  // namespace server::gateway
