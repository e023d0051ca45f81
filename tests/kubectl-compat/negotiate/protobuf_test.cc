// Bodies in protobuf: each row is a message of a kind, and the JSON that it is or why it is refused.
#include "kubectl-compat/negotiate/protobuf.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace compat {
namespace {

// --- Writing messages ---

std::string varint(uint64_t value) {
  std::string out;
  for (; value > 127; value >>= 7) out += static_cast<char>(value | 128);
  return out + static_cast<char>(value);
}
std::string number(int field, int64_t value) { return varint(field << 3) + varint(static_cast<uint64_t>(value)); }
std::string bytes(int field, const std::string& value) { return varint(field << 3 | 2) + varint(value.size()) + value; }
std::string envelope(const std::string& version, const std::string& kind, const std::string& raw) {
  return std::string("k8s\0", 4) + bytes(1, bytes(1, version) + bytes(2, kind)) + bytes(2, raw) + bytes(3, "") + bytes(4, "");
}
std::string of_hex(std::string_view text) {
  std::string out;
  for (size_t i = 0; i + 1 < text.size(); i += 2) out += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  return out;
}

const store::Type* find(std::string_view version, std::string_view kind) {
  const store::Resource* r = store::builtin_registry().find_kind(version, kind);
  return r ? r->type : nullptr;
}
// The tree, or the message of the error.
json decoded(const std::string& body) {
  auto tree = decode_protobuf(body, find);
  return tree.ok() ? *tree : json(tree.error().message);
}

TEST(Protobuf, AsKubectlSendsIt) {
  // kubectl create ingress simple --rule=foo.com/bar=web:80
  const std::string body = of_hex(
      "6b3873000a1f0a146e6574776f726b696e672e6b38732e696f2f76311207496e6772657373124b0a160a0673696d706c6512001a0022002a0032003800420012"
      "2d1a2b0a07666f6f2e636f6d12200a1e0a1c0a042f626172120d220b0a0377656212040a0010501a0545786163741a020a001a002200");
  EXPECT_EQ(decoded(body), json::parse(R"({"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"simple"},
    "spec":{"rules":[{"host":"foo.com","http":{"paths":[{"path":"/bar","pathType":"Exact","backend":{"service":{"name":"web","port":{"number":80}}}}]}}]}})"));
}

TEST(Protobuf, Values) {
  struct Row {
    const char* name;
    const char *version, *kind;
    std::string raw;
    const char* want;  // Without apiVersion and kind
  };
  const std::string quantity = bytes(1, "500m");
  // Deployment.spec (2) .template (3) .spec (2) .containers (2)
  auto pod_spec = [](const std::string& fields) { return bytes(2, fields); };
  auto container = [](const std::string& fields) { return bytes(2, bytes(2, fields)); };
  // CustomResourceDefinition.spec (2) .versions (7) .schema (4) .openAPIV3Schema (1)
  auto schema = [](const std::string& fields) { return bytes(2, bytes(7, bytes(4, bytes(1, fields)))); };
  const Row rows[] = {
      {"nothing", "v1", "ConfigMap", "", "{}"},
      {"empty metadata says nothing", "v1", "ConfigMap", bytes(1, bytes(1, "") + number(7, 0) + bytes(8, "")), "{}"},
      {"map", "v1", "ConfigMap", bytes(2, bytes(1, "a") + bytes(2, "b")) + bytes(2, bytes(1, "e") + bytes(2, "")) + bytes(2, bytes(1, "n")),
       R"({"data":{"a":"b","e":"","n":""}})"},
      {"map without key", "v1", "ConfigMap", bytes(2, ""), R"({"data":{"":""}})"},
      {"map of lists", "certificates.k8s.io/v1", "CertificateSigningRequest",
       bytes(2, bytes(6, bytes(1, "id") + bytes(2, bytes(1, "a") + bytes(1, "b"))) + bytes(6, bytes(1, "none"))), R"({"spec":{"extra":{"id":["a","b"],"none":[]}}})"},
      {"map of bytes", "v1", "ConfigMap", bytes(3, bytes(1, "a") + bytes(2, std::string("\0\xff\x10", 3))) + bytes(3, bytes(1, "b") + bytes(2, "x")) +
           bytes(3, bytes(1, "c") + bytes(2, "xy")), R"({"binaryData":{"a":"AP8Q","b":"eA==","c":"eHk="}})"},
      {"a pointer's zero", "apps/v1", "Deployment", bytes(2, number(1, 0) + number(5, 0) + number(7, 0)), R"({"spec":{"replicas":0}})"},
      {"schemas", "apiextensions.k8s.io/v1", "CustomResourceDefinition",
       schema(bytes(5, "object") + bytes(29, bytes(1, "a") + bytes(2, bytes(5, "array") + bytes(24, bytes(1, bytes(5, "string"))))) +
              bytes(29, bytes(1, "b") + bytes(2, bytes(30, number(1, 1) + bytes(2, bytes(5, "integer")) + "") + bytes(8, bytes(1, "{}")))) +
              bytes(29, bytes(1, "c") + bytes(2, bytes(30, number(1, 1)) + bytes(20, bytes(1, "\"x\""))))),
       R"({"spec":{"versions":[{"schema":{"openAPIV3Schema":{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"}},
           "b":{"additionalProperties":{"type":"integer"},"default":{}},"c":{"additionalProperties":true,"enum":["x"]}}}}}]}})"},
      {"a pointer's false", "v1", "Pod", pod_spec(number(21, 0) + number(11, 0)), R"({"spec":{"automountServiceAccountToken":false}})"},
      {"a pointer's empty text", "networking.k8s.io/v1", "Ingress", bytes(2, bytes(4, "")), R"({"spec":{"ingressClassName":""}})"},
      {"a pointer to nothing", "v1", "Pod", pod_spec(bytes(1, bytes(1, "v") + bytes(2, bytes(2, "")))), R"({"spec":{"volumes":[{"name":"v","emptyDir":{}}]}})"},
      {"negative", "v1", "Pod", pod_spec(number(25, -1)), R"({"spec":{"priority":-1}})"},
      {"numbers one by one", "v1", "Pod", pod_spec(bytes(14, number(4, 1) + number(4, 300))), R"({"spec":{"securityContext":{"supplementalGroups":[1,300]}}})"},
      {"numbers packed", "v1", "Pod", pod_spec(bytes(14, bytes(4, varint(2) + varint(400)))), R"({"spec":{"securityContext":{"supplementalGroups":[2,400]}}})"},
      {"quantities", "v1", "Pod", container(bytes(8, bytes(1, bytes(1, "cpu") + bytes(2, quantity)) + bytes(2, bytes(1, "memory") + bytes(2, "")))),
       R"({"spec":{"containers":[{"resources":{"limits":{"cpu":"500m"},"requests":{"memory":"0"}}}]}})"},
      {"number or text", "v1", "Service",
       bytes(2, bytes(1, number(3, 80) + bytes(4, number(1, 0) + number(2, 8080) + bytes(3, ""))) + bytes(1, bytes(4, number(1, 1) + number(2, 0) + bytes(3, "http"))) + bytes(1, bytes(4, ""))),
       R"({"spec":{"ports":[{"port":80,"targetPort":8080},{"targetPort":"http"},{"targetPort":0}]}})"},
      {"times", "v1", "Pod", bytes(1, bytes(8, number(1, 1700000000)) + bytes(9, number(1, 0))),
       R"({"metadata":{"creationTimestamp":"2023-11-14T22:13:20Z","deletionTimestamp":"1970-01-01T00:00:00Z"}})"},
      {"time of small parts", "coordination.k8s.io/v1", "Lease", bytes(2, bytes(3, number(1, 1700000000) + number(2, 123456000))),
       R"({"spec":{"acquireTime":"2023-11-14T22:13:20.123456Z"}})"},
      {"JSON within", "v1", "ConfigMap", bytes(1, bytes(17, bytes(1, "me") + bytes(7, bytes(1, R"({"f:data":{}})")))),
       R"({"metadata":{"managedFields":[{"manager":"me","fieldsV1":{"f:data":{}}}]}})"},
      {"fields of a message that JSON has not", "v1", "Pod", container(bytes(7, bytes(1, "A") + bytes(3, bytes(3, bytes(1, bytes(1, "c")) + bytes(2, "k"))))),
       R"({"spec":{"containers":[{"env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"c","key":"k"}}}]}]}})"},
      {"unknown fields are skipped", "v1", "ConfigMap", number(100, 5) + bytes(101, "x") + varint(102 << 3 | 1) + "12345678" + varint(103 << 3 | 5) + "1234" + bytes(2, bytes(1, "a")),
       R"({"data":{"a":""}})"},
      {"other letters", "v1", "ConfigMap", bytes(2, bytes(1, "a") + bytes(2, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")), "{\"data\":{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}}"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    json want = json::parse(row.want);
    want["apiVersion"] = row.version;
    want["kind"] = row.kind;
    EXPECT_EQ(decoded(envelope(row.version, row.kind, row.raw)), want);
  }
}

TEST(Protobuf, Refusals) {
  struct Row {
    const char* name;
    std::string body;
    const char* want;  // After "the body of the request is not valid protobuf: "
  };
  auto map = [](const std::string& raw) { return envelope("v1", "ConfigMap", raw); };
  const Row rows[] = {
      {"JSON", R"({"kind":"ConfigMap"})", "expected prefix [107 56 115 0]"},
      {"half a prefix", "k8s", "expected prefix [107 56 115 0]"},
      {"cut off in an integer", map("\x0a"), "unexpected end"},
      {"longer than it is", map("\x0a\x05""abc"), "unexpected end"},
      {"length of 2^64 - 1", map("\x0a" + varint(UINT64_MAX)), "unexpected end"},
      {"endless integer", map("\x0a" + std::string(11, '\xff')), "integer overflow"},
      {"field 0", map(bytes(0, "a")), "illegal tag"},
      {"group", map(varint(100 << 3 | 3)), "wire type 3"},
      {"cut off in a fixed number", map(varint(100 << 3 | 1) + "1234567"), "unexpected end"},
      {"number for a message", map(number(1, 5)), "wire type 0 where 2 belongs"},
      {"number for a map", map(number(2, 5)), "a map's entry is no message"},
      {"text for a number", envelope("apps/v1", "Deployment", bytes(2, bytes(1, "1"))), "wire type 2 where 0 belongs"},
      {"broken letters", map(bytes(2, bytes(1, "a") + bytes(2, "\xff"))), "a string is not UTF-8"},
      {"letters in too many bytes", map(bytes(2, bytes(1, "\xc0\x80"))), "a string is not UTF-8"},
      {"half a pair", map(bytes(2, bytes(1, "\xed\xa0\x80"))), "a string is not UTF-8"},
      {"letters cut off", map(bytes(2, bytes(1, "\xe2\x82"))), "a string is not UTF-8"},
      {"far future", map(bytes(1, bytes(8, number(1, INT64_MAX)))), "a time out of range"},
      {"negative parts of a second", map(bytes(1, bytes(8, number(1, 5) + number(2, -5)))), "a time out of range"},
      {"no JSON", map(bytes(1, bytes(17, bytes(7, bytes(1, "{"))))), "a field that holds JSON does not"},
      {"deep JSON", map(bytes(1, bytes(17, bytes(7, bytes(1, std::string(5000, '[') + std::string(5000, ']')))))), "a field that holds JSON does not"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(decoded(row.body), "the body of the request is not valid protobuf: " + std::string(row.want));
  }
  EXPECT_EQ(decoded(envelope("v7", "Thing", "")), R"(no kind "Thing" is registered for version "v7")");
}

// A type that holds itself, as one of a client's own could.
TEST(Protobuf, DepthIsBounded) {
  static store::Field fields[1];
  static const store::Type nested{.name = "Nested", .kind = store::TypeKind::kObject, .fields = fields};
  fields[0] = {.name = "inner", .type = &nested, .wire = 1, .pointer = true};
  auto body = [](int depth) {
    std::string raw;
    for (int i = 1; i < depth; ++i) raw = bytes(1, raw);
    return envelope("v1", "Nested", raw);
  };
  auto find_nested = [](std::string_view, std::string_view) { return &nested; };
  EXPECT_TRUE(decode_protobuf(body(100), find_nested).ok());
  auto deeper = decode_protobuf(body(101), find_nested);
  ASSERT_FALSE(deeper.ok());
  EXPECT_EQ(deeper.error().message, "the body of the request is not valid protobuf: too deep");
}

}  // namespace
}  // namespace compat
