#include "kubectl-compat/table/table.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace compat {
namespace {

const store::Column kColumns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "The name.", .path = "metadata.name"},
    {.name = "Status", .type = "string", .cell = "pod_status"},
    {.name = "IP", .type = "string", .priority = 1, .cell = "pod_ip"},
};
const store::Resource kPods = {
    .version = "v1", .kind = "Pod", .plural = "pods", .columns = kColumns, .storage_name = "pods"};
const store::Resource kThings = {.group = "x.io", .version = "v1", .kind = "Thing", .plural = "things", .storage_name = "things.x.io"};

store::Object make_pod(const char* phase) {
  return store::Object("pods", {{"apiVersion", "v1"},
                                {"kind", "Pod"},
                                {"metadata",
                                 {{"name", "web-0"}, {"namespace", "default"}, {"creationTimestamp", "2026-01-02T00:00:00Z"},
                                  {"labels", {{"app", "web"}}}}},
                                {"status", {{"phase", phase}}}});
}

TableOptions options_at(const char* now) {
  TableOptions options;
  options.now = base::parse_rfc3339(now).value();
  return options;
}

TEST(Table, Full) {
  store::Object items[] = {make_pod("Running")};
  json got = render_table(kPods, items, {{"resourceVersion", "42"}}, options_at("2026-01-02T00:10:00Z"));
  json want = json::parse(R"({
    "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "42"},
    "columnDefinitions": [
      {"name": "Name", "type": "string", "format": "name", "description": "The name.", "priority": 0},
      {"name": "Status", "type": "string", "format": "", "description": "", "priority": 0},
      {"name": "IP", "type": "string", "format": "", "description": "", "priority": 1}],
    "rows": [{"cells": ["web-0", "Running", "<none>"], "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
      "metadata": {"name": "web-0", "namespace": "default", "creationTimestamp": "2026-01-02T00:00:00Z", "labels": {"app": "web"}}}}]})");
  EXPECT_EQ(got, want) << got.dump(2);
}

TEST(Table, Options) {
  store::Object items[] = {make_pod("Succeeded")};
  TableOptions options = options_at("2026-01-02T00:10:00Z");
  options.headers = false;
  options.version = "v1beta1";
  options.include = IncludeObject::kNone;
  json got = render_table(kPods, items, nullptr, options);
  EXPECT_EQ(got["apiVersion"], "meta.k8s.io/v1beta1");
  EXPECT_EQ(got["metadata"], json::object());
  EXPECT_TRUE(got["columnDefinitions"].is_null());
  EXPECT_TRUE(got["rows"][0]["object"].is_null());
  EXPECT_EQ(got["rows"][0]["conditions"][0]["reason"], "Succeeded");
  options.include = IncludeObject::kObject;
  EXPECT_EQ(render_table(kPods, items, nullptr, options)["rows"][0]["object"], items[0].tree());
}

TEST(Table, WithoutColumnsAndItems) {
  json got = render_table(kThings, {}, json::object(), options_at("2026-01-02T00:10:00Z"));
  EXPECT_EQ(got["rows"], json::array());
  ASSERT_EQ(got["columnDefinitions"].size(), 2u);
  EXPECT_EQ(got["columnDefinitions"][1]["name"], "Age");
  store::Object items[] = {make_pod("Running")};
  got = render_table(kThings, items, json::object(), options_at("2026-01-02T00:10:00Z"));
  EXPECT_EQ(got["rows"][0]["cells"], json({"web-0", "10m"}));
}

// Text and tree say the same, whatever strings hold.
TEST(Table, AsText) {
  store::Object odd("pods", {{"apiVersion", "v1"},
                             {"kind", "Pod"},
                             {"data", {{"metadata", {{"name", "not this one"}}}, {"x", json::array({"}", "\"metadata\":{"})}}},
                             {"metadata", {{"name", "o\"d{d"}, {"annotations", {{"a\\", "}]\""}}}}},
                             {"status", {{"phase", "Failed"}}}});
  store::Object bare("pods", json::object());
  store::Object items[] = {make_pod("Running"), make_pod("Succeeded"), odd, bare};
  for (IncludeObject include : {IncludeObject::kMetadata, IncludeObject::kObject, IncludeObject::kNone}) {
    TableOptions options = options_at("2026-01-02T00:10:00Z");
    options.include = include;
    const json list_meta = {{"resourceVersion", "42"}};
    const TableText text(kPods, options);
    std::string got = text.head(list_meta);
    for (const store::Object& item : items) got += (&item == items ? "" : ",") + text.row(item);
    EXPECT_EQ(json::parse(got + "]}", nullptr, false), render_table(kPods, items, list_meta, options)) << got;
  }
  for (const store::Object& item : items) EXPECT_EQ(json::parse(partial_metadata_text(item, "v1"), nullptr, false), partial_metadata(item, "v1"));
}

TEST(Table, MembersOfText) {
  const std::string text = R"({"a":1,"b":"x,\"}","c":[{"d":2},[]],"d":{"a":{}},"e":null})";
  const std::pair<const char*, const char*> rows[] = {{"a", "1"}, {"b", R"("x,\"}")"}, {"c", R"([{"d":2},[]])"}, {"d", R"({"a":{}})"}, {"e", "null"}, {"f", ""}};
  for (const auto& [name, want] : rows) EXPECT_EQ(member_text(text, name), want);
  for (const char* broken : {"", "{", "{}", "{\"a", "{\"a\"", "{\"a\":", "[1]"}) EXPECT_EQ(member_text(broken, "a"), "") << broken;
}

TEST(Table, CellNames) {
  std::string missing;
  const store::Column bad[] = {{.name = "X", .cell = "nonsense"}};
  store::Resource broken = {.kind = "X", .columns = bad};
  EXPECT_FALSE(check_cells(store::Registry({&kPods, &broken}), &missing));
  EXPECT_EQ(missing, "nonsense");
  missing.clear();
  EXPECT_TRUE(check_cells(store::builtin_registry(), &missing)) << missing;
}

}  // namespace
}  // namespace compat
