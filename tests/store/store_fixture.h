// What the store's tests share.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "store/store.h"

namespace store {

using std::chrono::milliseconds;
constexpr milliseconds kNow(0);
constexpr milliseconds kDeadline(20000);

// A directory of the test's own, gone afterwards.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kubelan-store-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name = "state.db") const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline json tree(const std::string& ns, const std::string& name, int value = 0) {
  json out = {{"kind", "Thing"}, {"metadata", {{"name", name}}}, {"spec", {{"value", value}}}};
  if (!ns.empty()) out["metadata"]["namespace"] = ns;
  return out;
}

inline std::unique_ptr<Store> open_store(Store::Options options) {
  auto opened = Store::open(options);
  if (!opened.ok()) {
    ADD_FAILURE() << opened.error().message;
    return nullptr;
  }
  return std::move(opened).value();
}

inline Object create(Store& store, const Key& key, int value = 0) {
  auto made = store.create(key, tree(key.ns, key.name, value));
  if (!made.ok()) {
    ADD_FAILURE() << made.error().message;
    return {};
  }
  return *made;
}

// "+a/x@1 ~a/x@2 -a/x@3": added, modified, deleted.
inline std::string render(const std::vector<Event>& events) {
  std::string out;
  for (const Event& event : events) {
    static constexpr char kSigns[] = {'+', '~', '-'};
    if (!out.empty()) out += ' ';
    out += kSigns[static_cast<int>(event.type)] + event.object.ns() + "/" + event.object.name() + "@" + std::to_string(event.revision);
  }
  return out;
}

inline std::string render(const std::vector<Object>& objects) {
  std::string out;
  for (const Object& object : objects) {
    if (!out.empty()) out += ' ';
    out += object.ns() + "/" + object.name() + "@" + std::to_string(object.revision());
  }
  return out;
}

// What watch(query).next() gives, rendered, or "E " and the error.
inline std::string watched(Store& store, const WatchQuery& query) {
  auto watch = store.watch(query);
  if (!watch.ok()) return "E " + watch.error().message;
  auto events = (*watch)->next(kNow);
  return events.ok() ? render(*events) : "E " + events.error().message;
}

inline std::string listed(const Store& store, const ListQuery& query) {
  auto page = store.list(query);
  return page.ok() ? render(page->items) : "E " + page.error().message;
}

}  // namespace store
