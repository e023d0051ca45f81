#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "store/schema/hooks.h"
#include "store/schema/schema.h"
#include "store/schema/tables.h"

namespace store {
namespace {

TEST(Registry, FindsByEveryName) {
  struct Row {
    const char *group, *version, *plural, *kind, *api_version, *storage;
  };
  const Row rows[] = {
      {"", "v1", "pods", "Pod", "v1", "pods"},
      {"", "v1", "services", "Service", "v1", "services"},
      {"", "v1", "endpoints", "Endpoints", "v1", "endpoints"},
      {"", "v1", "nodes", "Node", "v1", "nodes"},
      {"", "v1", "namespaces", "Namespace", "v1", "namespaces"},
      {"", "v1", "configmaps", "ConfigMap", "v1", "configmaps"},
      {"", "v1", "secrets", "Secret", "v1", "secrets"},
      {"", "v1", "serviceaccounts", "ServiceAccount", "v1", "serviceaccounts"},
      {"", "v1", "events", "Event", "v1", "events"},
      {"apps", "v1", "deployments", "Deployment", "apps/v1", "deployments.apps"},
      {"apps", "v1", "replicasets", "ReplicaSet", "apps/v1", "replicasets.apps"},
      {"discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "discovery.k8s.io/v1", "endpointslices.discovery.k8s.io"},
      {"coordination.k8s.io", "v1", "leases", "Lease", "coordination.k8s.io/v1", "leases.coordination.k8s.io"},
  };
  const Registry& registry = builtin_registry();
  for (const Row& row : rows) {
    SCOPED_TRACE(row.storage);
    const Resource* resource = registry.find(row.group, row.version, row.plural);
    ASSERT_NE(resource, nullptr);
    EXPECT_EQ(registry.find_kind(row.api_version, row.kind), resource);
    EXPECT_EQ(registry.find_storage(row.storage), resource);
    EXPECT_EQ(resource->api_version(), row.api_version);
    EXPECT_EQ(resource->list_kind, std::string(row.kind) + "List");
  }
  EXPECT_EQ(registry.find("apps", "v1", "pods"), nullptr);
  EXPECT_EQ(registry.find_kind("v1", "Deployment"), nullptr);
  EXPECT_EQ(registry.find_storage("nothing"), nullptr);
}

TEST(Registry, CoreGroupComesFirst) {
  bool other = false;
  for (const Resource* resource : builtin_registry().resources()) {
    EXPECT_FALSE(other && resource->group.empty()) << resource->plural;
    other |= !resource->group.empty();
  }
}

TEST(Registry, EveryNamedHookExists) {
  for (const Resource* resource : builtin_registry().resources()) {
    if (!resource->prepare_hook.empty()) {
      EXPECT_NE(find_prepare_hook(resource->prepare_hook), nullptr) << resource->kind;
    }
    if (!resource->validate_hook.empty()) {
      EXPECT_NE(find_validate_hook(resource->validate_hook), nullptr) << resource->kind;
    }
  }
  EXPECT_EQ(find_prepare_hook(""), nullptr);
  EXPECT_EQ(find_validate_hook("no such hook"), nullptr);
}

TEST(Registry, SubresourcesSayWhatTheySpeak) {
  const Resource* deployment = builtin_registry().find_kind("apps/v1", "Deployment");
  const Subresource* scale = deployment->find_subresource("scale");
  ASSERT_NE(scale, nullptr);
  EXPECT_EQ(scale->group, "autoscaling");
  EXPECT_EQ(scale->kind, "Scale");
  EXPECT_TRUE(deployment->has_status);
  EXPECT_TRUE(deployment->has_generation);
  const Resource* pod = builtin_registry().find_kind("v1", "Pod");
  for (const char* name : {"status", "log", "exec", "attach", "portforward", "binding", "eviction", "ephemeralcontainers", "proxy"})
    EXPECT_NE(pod->find_subresource(name), nullptr) << name;
  EXPECT_EQ(pod->find_subresource("scale"), nullptr);
  EXPECT_FALSE(builtin_registry().find_kind("v1", "ConfigMap")->has_status);
}

// A Go client's body would lose a field without.
TEST(Tables, EveryFieldHasItsNumberInProtobuf) {
  size_t hidden = 0, pointers = 0;
  for (const Type& type : builtin_types()) {
    for (const Field& field : type.fields) {
      const bool of_envelope = field.name == "apiVersion" || field.name == "kind";
      EXPECT_TRUE(field.wire > 0 || of_envelope) << type.name << "." << field.name;
      hidden += field.wire_in > 0;
      pointers += field.pointer;
    }
  }
  EXPECT_GT(hidden, 20u);
  EXPECT_GT(pointers, 200u);
  const Type& rule = *find_type("io.k8s.api.networking.v1.IngressRule");
  EXPECT_EQ(rule.find_field("host")->wire, 1);
  EXPECT_EQ(rule.find_field("http")->wire_in, 2);
  EXPECT_EQ(rule.find_field("http")->wire, 1);
  EXPECT_TRUE(find_type("io.k8s.api.apps.v1.DeploymentSpec")->find_field("replicas")->pointer);
  EXPECT_FALSE(find_type("io.k8s.api.apps.v1.DeploymentSpec")->find_field("minReadySeconds")->pointer);
}

// What the tables promise to their readers.
TEST(Tables, HoldTheirInvariants) {
  std::set<std::string_view> names;
  for (const Type& type : builtin_types()) {
    SCOPED_TRACE(type.name);
    if (!type.name.empty()) {
      EXPECT_TRUE(names.insert(type.name).second);
    }
    EXPECT_EQ(type.element != nullptr, type.kind == TypeKind::kList || type.kind == TypeKind::kMap);
    EXPECT_EQ(type.list_type == ListType::kMap, !type.list_keys.empty());
    for (size_t i = 0; i < type.fields.size(); ++i) {
      const Field& field = type.fields[i];
      SCOPED_TRACE(field.name);
      if (i > 0) {
        EXPECT_LT(type.fields[i - 1].name, field.name);
      }
      EXPECT_FALSE(field.doc.empty());
      EXPECT_NE(field.type, nullptr);
      EXPECT_EQ(type.find_field(field.name), &field);
      if (!field.default_json.empty()) {
        EXPECT_TRUE(json::accept(field.default_json));
      }
    }
    EXPECT_EQ(type.find_field("noSuchField"), nullptr);
  }
  EXPECT_EQ(find_type("io.k8s.api.autoscaling.v1.Scale")->find_field("spec")->type->name, "io.k8s.api.autoscaling.v1.ScaleSpec");
  for (const char* name : {"io.k8s.apimachinery.pkg.apis.meta.v1.Status", "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
                           "io.k8s.api.policy.v1.Eviction", "io.k8s.api.core.v1.Binding"}) {
    EXPECT_NE(find_type(name), nullptr) << name;
  }
  EXPECT_EQ(find_type(""), nullptr);
}

TEST(Tables, EveryColumnHasOneSource) {
  for (const Resource* resource : builtin_registry().resources()) {
    const bool kept = resource->verbs.size() != 1 || resource->verbs[0] != "create";  // Reviews are answered and never listed.
    EXPECT_EQ(resource->columns.empty(), !kept) << resource->kind;
    for (const Column& column : resource->columns)
      EXPECT_NE(column.path.empty(), column.cell.empty()) << resource->kind << " " << column.name;
  }
}

}  // namespace
}  // namespace store
