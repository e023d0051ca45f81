// server/auth/role_rows.h - the rows that the default roles are made of. Private to server/auth.
#pragma once

#include <span>

namespace auth {

// Lists are words with spaces between; "core" is the group "". Rows of one role follow each other.
struct RuleRow {
  const char* role;
  const char* verbs;
  const char* groups;
  const char* resources;
  const char* names = "";
};

// A rule of a Role in a namespace of the system.
struct NamespacedRow {
  const char* ns;
  RuleRow rule;
};

std::span<const RuleRow> cluster_rule_rows();
// Roles named system:controller:ROLE, each bound to the service account kube-system/ROLE.
std::span<const RuleRow> controller_rule_rows();
std::span<const NamespacedRow> namespaced_rule_rows();

}  // namespace auth

// Sets of verbs that most rows are made of.
#define READ "get list watch"
#define WRITE "create delete deletecollection patch update"
#define RW READ " " WRITE
#define EVENTS "create patch update", "core events.k8s.io", "events"
