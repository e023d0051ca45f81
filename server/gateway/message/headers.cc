#include "server/gateway/message/headers.h"

#include "store/base/text.h"

namespace server::gateway {
namespace {

}  // namespace

bool equal_names(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && base::lower(a[i]) != base::lower(b[i])) return false;
  }
  return true;
}

Headers::Field Headers::operator[](size_t i) const {
  const Place& p = fields_[i];
  std::string_view text(text_);
  return {text.substr(p.name_at, p.name_size), text.substr(p.value_at, p.value_size)};
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (size_t i = 0; i < fields_.size(); ++i) {
    if (fields_[i].name_size == name.size() && equal_names((*this)[i].name, name)) return (*this)[i].value;
  }
  return std::nullopt;
}

std::optional<std::string> Headers::joined(std::string_view name) const {
  std::optional<std::string> out;
  for (size_t i = 0; i < fields_.size(); ++i) {
    Field field = (*this)[i];
    if (!equal_names(field.name, name)) continue;
    if (out) *out += ", ";
    else out.emplace();
    *out += field.value;
  }
  return out;
}

size_t Headers::count(std::string_view name) const {
  size_t n = 0;
  for (size_t i = 0; i < fields_.size(); ++i) n += equal_names((*this)[i].name, name) ? 1 : 0;
  return n;
}

uint32_t Headers::append(std::string_view text) {
  auto at = static_cast<uint32_t>(text_.size());
  // std::string copes with appending a part of itself.
  text_.append(text.data(), text.size());
  return at;
}

void Headers::add(std::string_view name, std::string_view value) {
  // Both may lie in the block, which the first append may move.
  bool inside = value.data() >= text_.data() && value.data() < text_.data() + text_.size();
  size_t offset = inside ? static_cast<size_t>(value.data() - text_.data()) : 0;
  uint32_t name_at = append(name);
  uint32_t value_at = append(inside ? std::string_view(text_).substr(offset, value.size()) : value);
  fields_.push_back({name_at, static_cast<uint32_t>(name.size()), value_at, static_cast<uint32_t>(value.size())});
}

void Headers::set(std::string_view name, std::string_view value) {
  size_t at = 0;
  while (at < fields_.size() && !equal_names((*this)[at].name, name)) ++at;
  if (at == fields_.size()) return add(name, value);
  // Later ones of the name go, before `value` is copied: it may be one of them.
  std::string kept_name((*this)[at].name);
  std::string kept_value(value);
  size_t kept = at + 1;
  for (size_t i = at + 1; i < fields_.size(); ++i) {
    if (!equal_names((*this)[i].name, kept_name)) fields_[kept++] = fields_[i];
  }
  fields_.resize(kept);
  fields_[at].value_at = append(kept_value);
  fields_[at].value_size = static_cast<uint32_t>(kept_value.size());
}

void Headers::remove(std::string_view name) {
  remove_if([name](Field field) { return equal_names(field.name, name); });
}

}  // namespace server::gateway
