// server/auth/rbac_index.h - all roles and bindings, compiled for the question "may this user do that". Immutable, so
// that any number of threads asks it at once; a change makes a new one. A question costs a hash look-up a group.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/auth/rules.h"
#include "server/auth/user.h"
#include "store/object/object.h"

namespace auth {

struct Decision {
  bool allowed = false;
  std::string reason;  // Why it is; when it is not, what could not be resolved, or nothing.
};

// Rules of the roles by key, so that a new index parses only those that changed.
class RoleCache {
 public:
  std::shared_ptr<const Rules> rules_of(const store::Object& role);
  void forget_unused();  // Those not asked for since the last call.

 private:
  struct Entry {
    std::string uid;
    store::Revision revision = 0;
    std::shared_ptr<const Rules> rules;
    bool used = false;
  };
  std::unordered_map<std::string, Entry> entries_;  // "NS/NAME"; cluster roles "/NAME".
};

class RbacIndex {
 public:
  struct Objects {
    std::span<const store::Object> roles, cluster_roles, role_bindings, cluster_role_bindings;
  };
  static std::shared_ptr<const RbacIndex> compile(const Objects& objects, RoleCache& cache);

  Decision authorize(const User& user, const Attributes& what) const;
  // Everything the user may do in `ns` ("": what is bound for the whole cluster), in the order of the bindings' names.
  // *missing, when not null, gets what could not be resolved.
  Rules rules_for(const User& user, const std::string& ns, std::vector<std::string>* missing = nullptr) const;
  // Of a role that a binding in `ns` names; nullptr: there is none.
  const Rules* find_role(const std::string& kind, const std::string& ns, const std::string& name) const;

 private:
  struct Grant {
    std::shared_ptr<const Rules> rules;  // nullptr: the role is not there.
    std::string reason;                  // "ClusterRoleBinding \"x\" of ClusterRole \"y\" to User \"z\"", or what is missing.
  };
  using BySubject = std::unordered_map<std::string, std::vector<Grant>>;  // "u:NAME", "g:NAME"

  void add_binding(const store::Object& binding, BySubject& to);
  // Calls fn for each grant of the user that counts in `ns`, those for the whole cluster first, until it returns true.
  template <class Fn>
  void each_grant(const User& user, const std::string& ns, Fn fn) const;

  std::unordered_map<std::string, std::shared_ptr<const Rules>> roles_;  // As in RoleCache.
  BySubject everywhere_;
  std::unordered_map<std::string, BySubject> by_namespace_;
};

}  // namespace auth
