#include "store/object/selector.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace store {
namespace {

constexpr char kNameRule[] =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
constexpr char kPrefixRule[] =
    "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr char kValueRule[] =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

using Labels = std::map<std::string, std::string>;

std::string render(const LabelSelector& selector) {
  static constexpr const char* kOps[] = {"in", "notin", "exists", "!exists", ">", "<"};
  std::string out;
  for (const Requirement& r : selector.requirements) {
    out += (out.empty() ? "" : " & ") + r.key + " " + kOps[static_cast<int>(r.op)];
    for (const std::string& value : r.values) out += " '" + value + "'";
  }
  return out;
}

TEST(LabelSelector, Parse) {
  struct Row {
    const char* in;
    std::string want;  // Rendered, or the error after "E ".
  };
  const std::string kRequirement = "E unable to parse requirement: ";
  const Row kRows[] = {
      {"", ""},
      {"   ", ""},
      {"a=b", "a in 'b'"},
      {"a==b", "a in 'b'"},
      {"a!=b", "a notin 'b'"},
      {" a = b , c != d ", "a in 'b' & c notin 'd'"},
      {"a=", "a in ''"},
      {"a=,b", "a in '' & b exists"},
      {"a", "a exists"},
      {"!a", "a !exists"},
      {"! a,b", "a !exists & b exists"},
      {"e in (x,y)", "e in 'x' 'y'"},
      {"e in (y,x,y)", "e in 'x' 'y'"},
      {"e notin (x)", "e notin 'x'"},
      {"e notin(x),f", "e notin 'x' & f exists"},
      {"e in ()", "e in ''"},
      {"e in (,)", "e in ''"},
      {"e in (,a)", "e in '' 'a'"},
      {"e in (a,)", "e in '' 'a'"},
      {"e in (a,,b)", "e in '' 'a' 'b'"},
      {"in in (in,notin)", "in in 'in' 'notin'"},
      {"notin", "notin exists"},
      {"a=in", "a in 'in'"},
      {"n>5", "n > '5'"},
      {"n<-5", kRequirement + "values[0][n]: Invalid value: \"-5\": " + kValueRule},
      {"n>+5", kRequirement + "values[0][n]: Invalid value: \"+5\": " + kValueRule},
      {"a\n\t=\rb", "a in 'b'"},
      {"example.com/a=b", "example.com/a in 'b'"},
      {"app.kubernetes.io/name=web,tier in (fe,be),!legacy", "app.kubernetes.io/name in 'web' & tier in 'be' 'fe' & legacy !exists"},
      // Errors.
      {",", "E found ',', expected: !, identifier, or 'end of string'"},
      {"=a", "E found '=', expected: !, identifier, or 'end of string'"},
      {"(a)", "E found '(', expected: !, identifier, or 'end of string'"},
      {"a,", "E found '', expected: identifier after ','"},
      {"a,,b", "E found ',', expected: identifier after ','"},
      {"a=b c=d", "E found 'c', expected: ',' or 'end of string'"},
      {"!a=b", "E found '=', expected: ',' or 'end of string'"},
      {"a=b)", "E found ')', expected: ',' or 'end of string'"},
      {"!", kRequirement + "found '', expected: identifier"},
      {"!!a", kRequirement + "found '!', expected: identifier"},
      {"a b", kRequirement + "found 'b', expected: in, notin, =, ==, !=, gt, lt"},
      {"env IN (a)", kRequirement + "found 'IN', expected: in, notin, =, ==, !=, gt, lt"},
      {"a!b", kRequirement + "found '!', expected: in, notin, =, ==, !=, gt, lt"},
      {"a===b", kRequirement + "found '=', expected: identifier"},
      {"a=(b)", kRequirement + "found '(', expected: identifier"},
      {"a in b", kRequirement + "found 'b' expected: '('"},
      {"a in", kRequirement + "found '' expected: '('"},
      {"a in (", kRequirement + "found '', expected: ',', ')' or identifier"},
      {"a in (=)", kRequirement + "found '=', expected: ',', ')' or identifier"},
      {"a in (b", kRequirement + "found '', expected: ',' or ')'"},
      {"a in (b c)", kRequirement + "found 'c', expected: ',' or ')'"},
      {"a in (b,", kRequirement + "found '', expected: ',', or identifier"},
      {"a in (b,,)", kRequirement + "found ')', expected: ',', or identifier"},
      {"n>x", kRequirement + "values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"},
      {"n>", kRequirement + "values[0]: Invalid value: \"\": for 'Gt', 'Lt' operators, the value must be an integer"},
      {"_a=b", kRequirement + "<nil>: Invalid value: \"_a\": " + kNameRule},
      {"a\"=b", kRequirement + "<nil>: Invalid value: \"a\\\"\": " + kNameRule},
      {"/a", kRequirement + "<nil>: Invalid value: \"/a\": prefix part must be non-empty"},
      {"x.y/", kRequirement + "<nil>: Invalid value: \"x.y/\": name part must be non-empty; " + kNameRule},
      {"X/a", kRequirement + "<nil>: Invalid value: \"X/a\": " + kPrefixRule},
      {"a.kubernetes_io/name=b", kRequirement + "<nil>: Invalid value: \"a.kubernetes_io/name\": " + kPrefixRule},
      {"a=_b", kRequirement + "values[0][a]: Invalid value: \"_b\": " + kValueRule},
      {"a in (ok,-b,-c)", kRequirement + "[values[0][a]: Invalid value: \"-b\": " + kValueRule +
                              ", values[1][a]: Invalid value: \"-c\": " + kValueRule + "]"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.in);
    auto got = LabelSelector::parse(row.in);
    EXPECT_EQ(got.ok() ? render(*got) : "E " + got.error().message, row.want);
    if (!got.ok()) {
      EXPECT_EQ(got.error().code, base::Code::kBadRequest);
    }
  }
}

TEST(LabelSelector, LengthLimits) {
  std::string ok(63, 'a');
  std::string name(64, 'a');
  std::string prefix(254, 'a');
  EXPECT_TRUE(LabelSelector::parse(ok + "=" + ok).ok());
  EXPECT_EQ(LabelSelector::parse(name).error().message,
            "unable to parse requirement: <nil>: Invalid value: \"" + name + "\": name part must be no more than 63 bytes");
  EXPECT_EQ(LabelSelector::parse("k=" + name).error().message,
            "unable to parse requirement: values[0][k]: Invalid value: \"" + name + "\": must be no more than 63 bytes");
  EXPECT_EQ(LabelSelector::parse(prefix + "/a").error().message,
            "unable to parse requirement: <nil>: Invalid value: \"" + prefix + "/a\": prefix part must be no more than 253 bytes");
  EXPECT_NE(LabelSelector::parse("a/b/c").error().message.find("with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"),
            std::string::npos);
}

TEST(LabelSelector, AnyBytesParseOrFailWithoutCrash) {
  std::string alphabet = "a!=,() in<>/\\\"\0\xff";
  uint32_t seed = 1;
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (uint32_t n = seed % 12; n > 0; --n) {
      seed = seed * 1664525 + 1013904223;
      text += alphabet[(seed >> 16) % alphabet.size()];
    }
    seed = seed * 1664525 + 1013904223;
    base::ignore(LabelSelector::parse(text), "only that it ends");
    base::ignore(FieldSelector::parse(text), "only that it ends");
  }
}

TEST(LabelSelector, Matches) {
  struct Row {
    const char* selector;
    Labels labels;
    bool want;
  };
  const Row kRows[] = {
      {"", {}, true},
      {"", {{"a", "b"}}, true},
      {"a=b", {{"a", "b"}}, true},
      {"a=b", {{"a", "c"}}, false},
      {"a=b", {}, false},
      {"a=", {}, false},
      {"a=", {{"a", ""}}, true},
      {"a!=b", {}, true},
      {"a!=b", {{"a", "b"}}, false},
      {"a!=b", {{"a", "c"}}, true},
      {"a", {{"a", ""}}, true},
      {"a", {}, false},
      {"!a", {}, true},
      {"!a", {{"a", ""}}, false},
      {"a in (b,c)", {{"a", "c"}}, true},
      {"a in (b,c)", {{"a", "d"}}, false},
      {"a notin (b,c)", {{"a", "d"}}, true},
      {"a notin (b,c)", {}, true},
      {"n>5", {{"n", "6"}}, true},
      {"n>5", {{"n", "5"}}, false},
      {"n>5", {{"n", "x"}}, false},
      {"n<5", {{"n", "-1"}}, true},
      {"n<5", {}, false},
      {"a=b,c", {{"a", "b"}}, false},
      {"a=b,c", {{"a", "b"}, {"c", "x"}}, true},
      {"a=b,a!=b", {{"a", "b"}}, false},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.selector);
    LabelSelector selector = LabelSelector::parse(row.selector).value();
    EXPECT_EQ(selector.matches(row.labels), row.want);
    EXPECT_EQ(selector.matches_object({{"metadata", {{"labels", row.labels}}}}), row.want);
  }
}

TEST(LabelSelector, ObjectsWithoutLabels) {
  LabelSelector absent = LabelSelector::parse("!a").value();
  LabelSelector present = LabelSelector::parse("a").value();
  constexpr const char* kObjects[] = {"{}", "null", R"({"metadata":{}})", R"({"metadata":{"labels":null}})",
                                      R"({"metadata":{"labels":{"a":null}}})"};
  for (const char* text : kObjects) {
    SCOPED_TRACE(text);
    EXPECT_TRUE(absent.matches_object(json::parse(text)));
    EXPECT_FALSE(present.matches_object(json::parse(text)));
  }
}

TEST(LabelSelector, FromJson) {
  struct Row {
    const char* in;
    std::string want;
  };
  const Row kRows[] = {
      {"{}", ""},
      {R"({"matchLabels":{"a":"b","c":"d"}})", "a in 'b' & c in 'd'"},
      {R"({"matchExpressions":[{"key":"a","operator":"In","values":["x","y"]},{"key":"b","operator":"Exists"}]})",
       "a in 'x' 'y' & b exists"},
      {R"({"matchLabels":{"a":"b"},
           "matchExpressions":[{"key":"c","operator":"NotIn","values":["x"]},{"key":"d","operator":"DoesNotExist"}]})",
       "a in 'b' & c notin 'x' & d !exists"},
      {R"({"matchExpressions":[{"key":"name","operator":"Seriously"}]})", "E \"Seriously\" is not a valid label selector operator"},
      {R"({"matchExpressions":[{"key":"name","operator":"In","values":[]}]})",
       "E values: Invalid value: []string(nil): for 'in', 'notin' operators, values set can't be empty"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.in);
    auto got = LabelSelector::from_json(json::parse(row.in));
    EXPECT_EQ(got.ok() ? render(*got) : "E " + got.error().message, row.want);
  }
}

TEST(LabelSelector, NullMatchesNothingAndEmptyMatchesAll) {
  LabelSelector nothing = LabelSelector::from_json(json()).value();
  EXPECT_TRUE(nothing.nothing);
  EXPECT_FALSE(nothing.empty());
  EXPECT_FALSE(nothing.matches({{"a", "b"}}));
  EXPECT_FALSE(nothing.matches_object(json::object()));
  LabelSelector all = LabelSelector::from_json(json::object()).value();
  EXPECT_TRUE(all.empty());
  EXPECT_TRUE(all.matches({}));
  EXPECT_TRUE(LabelSelector::from_map({{"a", "b"}}).matches({{"a", "b"}, {"c", "d"}}));
}

TEST(FieldSelector, Parse) {
  struct Row {
    const char* in;
    const char* want;  // "path=value" or "path!=value", joined with "&"; or the error after "E ".
  };
  constexpr Row kRows[] = {
      {"", ""},
      {",,", ""},
      {"metadata.name=x", "metadata.name=x"},
      {"metadata.name==x", "metadata.name=x"},
      {"status.phase!=Running", "status.phase!=Running"},
      {"a=b,c!=d", "a=b&c!=d"},
      {"a=", "a="},
      {"=b", "=b"},
      {R"(a=x\,y\=z\\)", R"(a=x,y=z\)"},
      {"a", "E invalid selector: 'a'; can't understand 'a'"},
      {"a=b,c", "E invalid selector: 'a=b,c'; can't understand 'c'"},
      {"a=b=c", "E invalid field selector: unescaped character in value: 61"},
      {R"(a=\x)", R"(E invalid field selector: invalid escape sequence: \x)"},
      {R"(a=b\)", R"(E invalid field selector: invalid escape sequence: \)"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.in);
    auto got = FieldSelector::parse(row.in);
    std::string text;
    if (!got.ok()) {
      text = "E " + got.error().message;
    } else {
      for (const FieldTerm& t : got->terms) text += (text.empty() ? "" : "&") + t.path + (t.negated ? "!=" : "=") + t.value;
    }
    EXPECT_EQ(text, row.want);
  }
}

TEST(FieldSelector, Matches) {
  json object = json::parse(R"({"metadata":{"name":"x"},"spec":{"hostNetwork":true,"n":3,"list":["a"],"null":null},
                                "status":{"phase":"Running"}})");
  struct Row {
    const char* selector;
    bool want;
  };
  constexpr Row kRows[] = {
      {"", true},
      {"metadata.name=x", true},
      {"metadata.name!=x", false},
      {"metadata.name=x,status.phase=Running", true},
      {"metadata.name=x,status.phase=Pending", false},
      {"metadata.namespace=", true},
      {"spec.nodeName!=n1", true},
      {"spec.hostNetwork=true", true},
      {"spec.unschedulable=false", true},
      {"status.replicas=0", true},
      {"spec.n=3", true},
      {"spec.list=a", false},
      {"spec.null=", true},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.selector);
    EXPECT_EQ(FieldSelector::parse(row.selector)->matches(object), row.want);
  }
}

TEST(FieldSelector, Exact) {
  FieldSelector selector = FieldSelector::parse("metadata.name!=a,metadata.name=b,x=").value();
  EXPECT_EQ(selector.exact("metadata.name"), "b");
  EXPECT_EQ(selector.exact("x"), "");
  EXPECT_EQ(selector.exact("y"), std::nullopt);
}

}  // namespace
}  // namespace store
