// server/api/custom_kinds.h - CustomResourceDefinitions become served kinds: the registry is published anew after each
// change, before the request that made it is answered.
//
// Thread-safe. Compiled kinds live as long as this object, since requests under way and watches hold on to their rows; a
// definition that comes again unchanged is not compiled again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "store/base/clock.h"
#include "store/custom/custom_kind.h"
#include "store/schema/schema.h"
#include "store/store.h"

namespace server {

using json = nlohmann::json;

class CustomKinds {
 public:
  // `registry` holds what is compiled in; what follows from definitions is added to it. `published` is called after each
  // change, with the group that it was in, by the thread that made it.
  CustomKinds(const store::Store& store, store::Registry& registry, const base::Clock& clock, std::function<void(const std::string& group)> published);

  base::Status load();  // Those in the store, once.
  // Status of a definition that is about to be written; other kinds are left alone.
  void complete(const store::Resource& r, json& tree) const;
  void changed(const store::Key& key);  // After each write, before it is answered.
  // kMethodNotAllowed while `r`'s definition is being deleted.
  base::Status check_create(const store::Resource& r) const;

 private:
  struct Known {
    std::string spec;  // As text
    std::shared_ptr<const store::CustomKind> kind;
    bool served = false;
  };
  void take(const std::string& name, const json& definition);
  void publish();

  const store::Store& store_;
  store::Registry& registry_;
  const base::Clock& clock_;
  const std::vector<const store::Resource*> builtin_;
  const std::function<void(const std::string& group)> published_;
  std::mutex mutex_;  // One change at a time.
  std::map<std::string, Known> known_;
  std::vector<std::shared_ptr<const store::CustomKind>> all_;
};

}  // namespace server
