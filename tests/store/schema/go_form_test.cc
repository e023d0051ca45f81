// Values as upstream's own types hold them, and the differences of two of them.
#include "store/schema/go_form.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>  // Lint: tests read trees.

#include "store/base/line_diff.h"

namespace store {
namespace {

TEST(GoForm, Structs) {
  struct Row {
    const char *type, *in, *want;
  };
  const Row rows[] = {
      {"io.k8s.api.core.v1.Taint", R"({"key":"k","effect":"NoSchedule"})", R"({"Key":"k","Value":"","Effect":"NoSchedule","TimeAdded":null})"},
      {"io.k8s.api.rbac.v1.RoleRef", R"({"name":"r"})", R"({"APIGroup":"","Kind":"","Name":"r"})"},
      {"io.k8s.api.policy.v1.PodDisruptionBudgetSpec", R"({"minAvailable":1,"maxUnavailable":"50%","selector":{"matchLabels":{"a":"b"}}})",
       R"({"MinAvailable":1,"Selector":{"matchLabels":{"a":"b"}},"MaxUnavailable":"50%","UnhealthyPodEvictionPolicy":null})"},
      {"io.k8s.api.core.v1.ScopeSelector", R"({"matchExpressions":[{"scopeName":"Terminating"}]})",
       R"({"MatchExpressions":[{"ScopeName":"Terminating","Operator":"","Values":null}]})"},
      {"io.k8s.api.core.v1.PersistentVolumeClaimSpec", R"({"dataSource":{"kind":"K","name":"n"},"resources":{"requests":{"storage":"1Gi"}}})",
       R"({"AccessModes":null,"Selector":null,"Resources":{"Limits":null,"Requests":{"storage":"1Gi"}},"VolumeName":"","StorageClassName":null,"VolumeMode":null,)"
       R"("DataSource":{"APIGroup":null,"Kind":"K","Name":"n"},"DataSourceRef":null,"VolumeAttributesClassName":null})"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.type);
    const Type* type = find_type(row.type);
    ASSERT_NE(type, nullptr);
    EXPECT_EQ(go_form(json::parse(row.in), *type), row.want);
  }
}

TEST(TextDiff, Hunks) {
  struct Row {
    const char *name, *before, *after, *want;
  };
  const Row rows[] = {
      {"the same", "a\nb", "a\nb", ""},
      {"a line in the middle", "1\n2\n3\n4\n5\n6\n7\n8\n9", "1\n2\n3\n4\nfive\n6\n7\n8\n9", "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"},
      {"the first", "a\nb", "x\nb", "@@ -1,2 +1,2 @@\n-a\n+x\n b\n"},
      {"one of one", "a", "b", "@@ -1 +1 @@\n-a\n+b\n"},
      {"added", "a\nb", "a\nx\nb", "@@ -1,2 +1,3 @@\n a\n+x\n b\n"},
      {"two far apart", "a\n1\n2\n3\n4\n5\n6\n7\nb", "A\n1\n2\n3\n4\n5\n6\n7\nB", "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n"},
      {"two close together", "a\n1\n2\n3\nb", "A\n1\n2\n3\nB", "@@ -1,5 +1,5 @@\n-a\n+A\n 1\n 2\n 3\n-b\n+B\n"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(base::line_diff(row.before, row.after), row.want);
  }
}

}  // namespace
}  // namespace store
