// server/auth/user.h - who makes a request, and what it asks for, as the authorizer sees them. Plain values.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace auth {

inline constexpr const char* kMasters = "system:masters";  // May do everything, whatever the roles say.
inline constexpr const char* kAnonymous = "system:anonymous";
inline constexpr const char* kAuthenticated = "system:authenticated";
inline constexpr const char* kUnauthenticated = "system:unauthenticated";
inline constexpr const char* kAccountPrefix = "system:serviceaccount:";
inline constexpr const char* kAccountsGroup = "system:serviceaccounts";

struct User {
  std::string name;
  std::string uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;

  bool in_group(const std::string& group) const { return std::find(groups.begin(), groups.end(), group) != groups.end(); }
};

// A verb on a resource, or (is_resource false) on a path.
struct Attributes {
  bool is_resource = true;
  std::string verb;
  std::string group, version, resource, subresource, ns, name;
  std::string path;
};

}  // namespace auth
