// store/index.h - private to store/: every live object, by resource and then by namespace and name.
// Not thread-safe; EventLog's state lock guards it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "store/object/object.h"
#include "store/store.h"

namespace store {

using NsName = std::pair<std::string, std::string>;
using Table = std::map<NsName, Object>;
// What differed at an older revision: an empty Object means that there was none.
using Overlay = std::map<NsName, Object>;

class Index {
 public:
  const Object* find(const Key& key) const;
  void put(const Object& object);
  void erase(const Key& key);
  // One page of `query` (whose `at` is not looked at), with `overlay` laid over the live objects. `revision` of the
  // page is left to the caller.
  ListPage list(const ListQuery& query, const Overlay& overlay) const;

 private:
  std::unordered_map<std::string, Table> tables_;
};

}  // namespace store
