// server/model/meta.h - object metadata as typed values. Pure; any thread.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "store/base/clock.h"
#include "store/object/object.h"

namespace server {

using json = nlohmann::json;

struct OwnerRef {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
  bool controller = false;
  bool block_deletion = false;
};

struct Meta {
  std::string ns;
  std::string name;
  std::string uid;
  int64_t generation = 0;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::vector<OwnerRef> owners;
  std::vector<std::string> finalizers;
  base::WallTime created{};
  bool deleting = false;
  base::WallTime deletion_time{};
  int64_t deletion_grace_seconds = -1;  // -1: none.
};

Meta project_meta(const json& tree);
const OwnerRef* controller_of(const Meta& meta);  // nullptr if none.
std::vector<OwnerRef> project_owners(const json& tree);
// An entry of metadata.ownerReferences that makes `owner` the controller.
json render_controller_ref(const store::Object& owner);
// Absent or unreadable: the epoch.
base::WallTime project_time(const json& tree, std::string_view path);

}  // namespace server
