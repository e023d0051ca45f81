#include "store/object/object.h"

#include <charconv>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "store/object/access.h"

namespace store {
namespace {

Revision parse_revision(const std::string& text) {
  Revision revision = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), revision);
  return ec == std::errc() && end == text.data() + text.size() ? revision : 0;
}

const json& empty_tree() {
  static const json kEmpty = json::object();
  return kEmpty;
}

}  // namespace

// One of tree and bytes is there from the start; the other is made by whichever thread asks first.
struct Object::Rep {
  Key key;
  Revision revision = 0;

  mutable std::once_flag tree_once;
  mutable json tree;
  mutable std::once_flag bytes_once;
  mutable std::shared_ptr<const std::string> bytes;
  bool from_bytes = false;
};

Object::Object(std::string resource, json tree) {
  auto rep = std::make_shared<Rep>();
  rep->key.resource = std::move(resource);
  const json& metadata = get_object(tree, "metadata");
  rep->key.ns = get_string(metadata, "namespace");
  rep->key.name = get_string(metadata, "name");
  rep->revision = parse_revision(get_string(metadata, "resourceVersion"));
  rep->tree = std::move(tree);
  rep_ = std::move(rep);
}

Object::Object(Key key, Revision revision, std::shared_ptr<const std::string> bytes) {
  auto rep = std::make_shared<Rep>();
  rep->key = std::move(key);
  rep->revision = revision;
  rep->bytes = std::move(bytes);
  rep->from_bytes = true;
  rep_ = std::move(rep);
}

const Key& Object::key() const {
  static const Key kNoKey;
  return rep_ ? rep_->key : kNoKey;
}

std::string Object::uid() const { return get_string(tree(), "metadata.uid"); }

Revision Object::revision() const { return rep_ ? rep_->revision : 0; }

const json& Object::tree() const {
  if (!rep_) return empty_tree();
  if (rep_->from_bytes) {
    std::call_once(rep_->tree_once, [this] {
      rep_->tree = json::parse(*rep_->bytes, nullptr, /*allow_exceptions=*/false);
      if (rep_->tree.is_discarded()) rep_->tree = json::object();
    });
  }
  return rep_->tree;
}

const std::string& Object::bytes() const {
  static const std::string kNoBytes = "{}";
  if (!rep_) return kNoBytes;
  if (!rep_->from_bytes) {
    std::call_once(rep_->bytes_once, [this] {
      // dump() throws on a string that is not UTF-8; what such a string means is lost either way.
      rep_->bytes = std::make_shared<const std::string>(rep_->tree.dump(-1, ' ', false, json::error_handler_t::replace));
    });
  }
  return *rep_->bytes;
}

Object Object::without_tree() const {
  if (!rep_) return *this;
  bytes();
  return Object(rep_->key, rep_->revision, rep_->bytes);
}

}  // namespace store
