// store/schema/path.h - where a tree walk is, as a chain on the stack; text is made only when something is wrong.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace store {

struct Path {
  enum class Step { kRoot, kField, kIndex, kKey };

  const Path* parent = nullptr;
  Step step = Step::kRoot;
  std::string_view name;  // kField, kKey: must outlive this.
  size_t index = 0;       // kIndex

  // A step holds on to this one, so a temporary may not be extended.
  Path field(std::string_view) const&& = delete;
  Path at(size_t) const&& = delete;
  Path key(std::string_view) const&& = delete;
  Path field(std::string_view field_name) const& { return {this, Step::kField, field_name, 0}; }
  Path at(size_t i) const& { return {this, Step::kIndex, {}, i}; }
  Path key(std::string_view map_key) const& { return {this, Step::kKey, map_key, 0}; }

  // As validation names fields: "spec.containers[0].resources.limits[cpu]".
  std::string text() const { return render(true, true, true); }
  // As strict decoding names them: "spec.containers[0].resources.limits.cpu".
  std::string strict_text() const { return render(true, true, false); }
  // As Go's decoder names them: "spec.containers.resources.limits".
  std::string go_text() const { return render(false, false, false); }

 private:
  std::string render(bool indices, bool keys, bool brackets) const {
    if (step == Step::kRoot) return {};
    std::string out = parent->render(indices, keys, brackets);
    if (step == Step::kIndex) {
      if (indices) out += '[' + std::to_string(index) + ']';
    } else if (step == Step::kKey && brackets) {
      out.append("[").append(name).append("]");
    } else if (step == Step::kField || keys) {
      if (!out.empty()) out += '.';
      out += name;
    }
    return out;
  }
};

}  // namespace store
