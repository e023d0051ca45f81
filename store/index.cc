#include "store/index.h"

namespace store {
namespace {

// Where a page starts and ends in a map ordered by namespace and name.
template <class Map>
std::pair<typename Map::const_iterator, typename Map::const_iterator> range(const Map& map, const ListQuery& query) {
  bool continued = !query.after_ns.empty() || !query.after_name.empty();
  auto begin = continued ? map.upper_bound({query.after_ns, query.after_name}) : map.begin();
  if (query.ns.empty()) return {begin, map.end()};
  auto first = map.lower_bound({query.ns, ""});
  // '\0' is in no namespace, so this is the first key behind all names of query.ns.
  auto last = map.lower_bound({query.ns + '\0', ""});
  if (continued && query.after_ns > query.ns) begin = last;
  return {continued && query.after_ns >= query.ns ? begin : first, last};
}

}  // namespace

const Object* Index::find(const Key& key) const {
  auto table = tables_.find(key.resource);
  if (table == tables_.end()) return nullptr;
  auto it = table->second.find({key.ns, key.name});
  return it == table->second.end() ? nullptr : &it->second;
}

void Index::put(const Object& object) { tables_[object.key().resource].insert_or_assign({object.ns(), object.name()}, object); }

void Index::erase(const Key& key) {
  auto table = tables_.find(key.resource);
  if (table == tables_.end()) return;
  table->second.erase({key.ns, key.name});
  if (table->second.empty()) tables_.erase(table);
}

ListPage Index::list(const ListQuery& query, const Overlay& overlay) const {
  static const Table kEmpty;
  auto table = tables_.find(query.resource);
  auto [live, live_end] = range(table == tables_.end() ? kEmpty : table->second, query);
  auto [over, over_end] = range(overlay, query);
  ListPage page;
  auto take = [&](const Object& object) {
    if (!object) return;
    if (query.limit == 0 || page.items.size() < query.limit) page.items.push_back(object);
    else ++page.remaining;
  };
  while (live != live_end || over != over_end) {
    if (over == over_end || (live != live_end && live->first < over->first)) {
      take((live++)->second);
    } else {
      if (live != live_end && live->first == over->first) ++live;
      take((over++)->second);
    }
  }
  page.more = page.remaining > 0;
  return page;
}

}  // namespace store
