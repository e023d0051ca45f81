#include "kubectl-compat/negotiate/negotiate.h"

#include <gtest/gtest.h>

namespace compat {
namespace {

const char kAggregatedV2[] = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const char kAggregatedV2Beta1[] = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

TEST(Negotiate, Accept) {
  struct Row {
    const char* name;
    std::string accept;
    As as;
    const char* version;
    const char* content_type;
    bool pretty;
  };
  const Row rows[] = {
      {"absent", "", As::kObject, "", "application/json", false},
      {"blank", "  ", As::kObject, "", "application/json", false},
      {"python, JS, kubectl -o json", "application/json", As::kObject, "", "application/json", false},
      {"curl", "*/*", As::kObject, "", "application/json", false},
      {"kubectl builder", "application/json, */*", As::kObject, "", "application/json", false},
      {"typed client >= 0.32", "application/vnd.kubernetes.protobuf,application/json", As::kObject, "", "application/json", false},
      {"metrics client", "application/vnd.kubernetes.protobuf, */*", As::kObject, "", "application/json", false},
      {"protobuf only", "application/vnd.kubernetes.protobuf", As::kObject, "", "application/json", false},
      {"CBOR preferred", "application/cbor, */*", As::kObject, "", "application/json", false},
      {"CBOR allowed", "application/json;q=0.9,application/cbor;q=1", As::kObject, "", "application/json", false},
      {"CBOR only", "application/cbor", As::kObject, "", "application/json", false},
      {"kubectl get",
       "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
       As::kTable, "v1", "application/json", false},
      {"kubectl get of 1.12", "application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json", As::kTable, "v1beta1",
       "application/json", false},
      {"unknown table version falls through", "application/json;as=Table;v=v9;g=meta.k8s.io,application/json", As::kObject, "",
       "application/json", false},
      {"table of the wrong group falls through", "application/json;as=Table;v=v1;g=apps,application/json", As::kObject, "",
       "application/json", false},
      {"metadata client",
       "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json;as="
       "PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
       As::kPartialMetadata, "v1", "application/json", false},
      {"metadata client, protobuf only", "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
       As::kPartialMetadataList, "v1", "application/json", false},
      {"metadata list", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", As::kPartialMetadataList, "v1",
       "application/json", false},
      {"discovery <= 1.29", std::string(kAggregatedV2Beta1) + ",application/json", As::kAggregatedDiscovery, "v2beta1",
       kAggregatedV2Beta1, false},
      {"discovery >= 1.30", std::string(kAggregatedV2) + "," + kAggregatedV2Beta1 + ",application/json",
       As::kAggregatedDiscovery, "v2", kAggregatedV2, false},
      {"parameter order does not matter", "application/json; as=APIGroupDiscoveryList; v=v2; g=apidiscovery.k8s.io",
       As::kAggregatedDiscovery, "v2", kAggregatedV2, false},
      {"pretty", "application/json;pretty=1", As::kObject, "", "application/json", true},
      {"yaml", "application/yaml", As::kObject, "", "application/yaml", false},
      {"browser", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", As::kObject, "", "application/json", false},
      {"quality orders", "application/yaml;q=0.2,application/json;q=0.8", As::kObject, "", "application/json", false},
      {"quality zero excludes", "application/yaml;q=0,application/json;q=0.1", As::kObject, "", "application/json", false},
      {"broken quality counts as one", "application/yaml;q=x,application/json", As::kObject, "", "application/yaml", false},
      {"charset", "application/json; charset=UTF-8", As::kObject, "", "application/json", false},
      {"quoted values", "application/json;as=\"Table\";v=\"v1\";g=\"meta.k8s.io\"", As::kTable, "v1", "application/json", false},
      {"upper case", "Application/JSON", As::kObject, "", "application/json", false},
      {"watch stream", "application/json;stream=watch", As::kObject, "", "application/json", false},
      {"empty clauses", ",, application/json ,", As::kObject, "", "application/json", false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    auto got = negotiate(row.accept, row.as == As::kAggregatedDiscovery ? Endpoint::kDiscovery : Endpoint::kObjects);
    ASSERT_TRUE(got.ok()) << got.error().message;
    EXPECT_EQ(got->as, row.as);
    EXPECT_EQ(got->version, row.version);
    EXPECT_EQ(got->content_type, row.content_type);
    EXPECT_EQ(got->pretty, row.pretty);
  }
}

TEST(Negotiate, NotAcceptable) {
  for (const char* accept : {"image/png", "text/html", "application/json;q=0", "application/json;as=Nonsense;v=v1;g=meta.k8s.io"}) {
    SCOPED_TRACE(accept);
    auto got = negotiate(accept);
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.error().code, base::Code::kNotAcceptable);
    EXPECT_EQ(got.error().message, "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf");
  }
}

TEST(Negotiate, EndpointsDoNotTurnIntoEverything) {
  const std::string table = "application/json;as=Table;v=v1;g=meta.k8s.io";
  struct Row {
    const char* name;
    std::string accept;
    Endpoint endpoint;
    bool want;
  };
  const Row rows[] = {
      {"a table of objects", table, Endpoint::kObjects, true},
      {"a table of groups", table, Endpoint::kDiscovery, false},
      {"a table of a list of kinds", table, Endpoint::kPlain, false},
      {"groups as one", std::string(kAggregatedV2), Endpoint::kDiscovery, true},
      {"objects as groups", std::string(kAggregatedV2), Endpoint::kObjects, false},
      {"or else plain", std::string(kAggregatedV2) + ",application/json", Endpoint::kPlain, true},
  };
  for (const Row& row : rows) EXPECT_EQ(negotiate(row.accept, row.endpoint).ok(), row.want) << row.name;
}

TEST(Negotiate, Representations) {
  static constexpr std::string_view kBoth[] = {"application/json", "application/yaml"};
  struct Row {
    const char* accept;
    bool want;
  };
  const Row rows[] = {{"", true},          {"application/json", true}, {"application/json;as=Table;v=v1", true}, {"text/html, application/yaml;q=0.1", true},
                      {"image/png, */*", true}, {"application/*", false}, {"APPLICATION/JSON", false},             {"garbage", false}};
  for (const Row& row : rows) {
    base::Status got = check_representations(row.accept, kBoth);
    EXPECT_EQ(got.ok(), row.want) << row.accept;
    if (!got.ok()) EXPECT_EQ(got.error().message, "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml");
  }
}

TEST(Negotiate, OpenApiProtobuf) {
  struct Row {
    const char* accept;
    bool want;
  };
  const Row rows[] = {
      {"application/com.github.proto-openapi.spec.v2@v1.0+protobuf", true},
      {"application/com.github.proto-openapi.spec.v2.v1.0+protobuf", true},
      {"application/com.github.googleapis.gnostic.OpenAPIv2@68f4ded+protobuf", true},
      {"application/com.github.proto-openapi.spec.v2@v1.0+protobuf, application/json", true},
      {"application/json, application/com.github.proto-openapi.spec.v2@v1.0+protobuf", false},
      {"application/json", false},
      {"*/*", false},
      {"", false},
  };
  for (const Row& row : rows) EXPECT_EQ(wants_openapi_protobuf(row.accept), row.want) << row.accept;
}

TEST(Negotiate, BodyType) {
  struct Row {
    const char* content_type;
    BodyType want;
  };
  const Row rows[] = {
      {"", BodyType::kJson},
      {"application/json", BodyType::kJson},
      {"application/json; charset=utf-8", BodyType::kJson},
      {"Application/Json", BodyType::kJson},
      {"application/yaml", BodyType::kYaml},
      {"application/vnd.kubernetes.protobuf", BodyType::kProtobuf},
      {"application/json-patch+json", BodyType::kJsonPatch},
      {"application/merge-patch+json", BodyType::kMergePatch},
      {"application/strategic-merge-patch+json", BodyType::kStrategicPatch},
      {"application/apply-patch+yaml", BodyType::kApplyPatch},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.content_type);
    auto got = parse_body_type(row.content_type);
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(*got, row.want);
    bool patch = row.want >= BodyType::kJsonPatch;
    EXPECT_EQ(parse_patch_type(row.content_type).ok(), patch);
  }
}

TEST(Negotiate, UnsupportedBodies) {
  for (const char* type : {"application/cbor", "text/plain", "application/x-www-form-urlencoded", "application/apply-patch+cbor"}) {
    SCOPED_TRACE(type);
    auto got = parse_body_type(type);
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.error().code, base::Code::kUnsupportedMediaType);
    EXPECT_EQ(got.error().message,
              "the body of the request was in an unknown format - accepted media types include: application/json, "
              "application/yaml, application/vnd.kubernetes.protobuf");
  }
  EXPECT_EQ(parse_patch_type("application/json").error().message,
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, "
            "application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml");
}

}  // namespace
}  // namespace compat
