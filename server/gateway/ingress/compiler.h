// server/gateway/ingress/compiler.h - what the parts of one compilation share. For this folder. One thread; lives as long as the call.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "server/gateway/ingress/compile_ingress.h"
#include "server/gateway/ingress/config_map.h"
#include "server/gateway/ingress/settings.h"
#include "store/base/result.h"

namespace server::gateway {

struct CompileCache::Rep {
  std::unordered_map<std::string, base::Result<RegexPtr>> regexes;   // By flags and pattern.
  std::unordered_map<std::string, base::Status> identities;          // By host and digest: check_identity()'s word.
  std::unordered_map<std::string, IdentityPtr> certificates;         // By Secret and digest.
};

struct Prepared;  // routes.h

// An Ingress of ours with what its annotations say.
struct Chosen {
  const Ingress* ingress = nullptr;
  Settings settings;
  std::shared_ptr<const Prepared> prepared;
};

class Compilation {
 public:
  Compilation(const IngressInput& in, const IngressOptions& o, CompileCache::Rep& c) : input(in), options(o), cache(c) {}

  const IngressInput& input;
  const IngressOptions& options;
  CompileCache::Rep& cache;
  ControllerConfig config;
  IngressResult result;

  void tell(Origin origin, std::string reason, std::string message);
  void tell(const Ingress& ingress, std::string field, std::string reason, std::string message);
  // `name` without the prefix.
  void tell_annotation(const Ingress& ingress, std::string_view name, std::string reason, std::string message);

  base::Result<RegexPtr> regex(const std::string& pattern, bool ignore_case, bool anchored);
  const Secret* find_secret(const ObjectKey& key);
  const ConfigMap* find_config_map(const ObjectKey& key);
  // What "name" or "ns/name" in an annotation means for an Ingress; kForbidden: another namespace, which the ConfigMap must allow.
  base::Result<ObjectKey> resolve(const Ingress& ingress, const std::string& text) const;
  std::string key_of(std::string_view annotation) const { return options.annotation_prefix + std::string(annotation); }

 private:
  std::unordered_set<std::string> told_;
};

Origin origin_of(const Ingress& ingress, std::string field = {});

}  // namespace server::gateway
