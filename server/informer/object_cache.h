// server/informer/object_cache.h - the Cache that the control loop fills. Control thread only.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "server/informer/control_loop.h"

namespace server {

class ObjectCache final : public Cache {
 public:
  const store::Object* find(const std::string& ns, const std::string& name) const override;
  std::vector<store::Object> list(const std::string& ns = "") const override;

  // Both return what was there before (empty: nothing).
  store::Object put(const store::Object& object);
  store::Object erase(const std::string& ns, const std::string& name);

 private:
  std::map<std::string, std::map<std::string, store::Object>> by_namespace_;
};

}  // namespace server
