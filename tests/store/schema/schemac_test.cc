// schemac as the build runs it: a mistake in the data ends it with exit code 1 and "file:line: message".
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace {

namespace fs = std::filesystem;

class Schemac : public testing::Test {
 protected:
  void SetUp() override {
    program_ = fs::read_symlink("/proc/self/exe").parent_path() / "schemac";
    if (!fs::exists(program_)) GTEST_SKIP() << "schemac is not beside the test program";
    std::string pattern = (fs::temp_directory_path() / "kubelan-schemac-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override {
    if (!dir_.empty()) fs::remove_all(dir_);
  }

  // Exit code of schemac with `arguments` after the output file.
  int run_with(const std::string& arguments) {
    const std::string command = program_.string() + " " + (dir_ / "out.cc").string() + " " + arguments + " 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    if (!pipe) return -1;
    output_.clear();
    char buffer[256];
    while (std::fgets(buffer, sizeof buffer, pipe)) output_ += buffer;
    const int status = pclose(pipe);
    const std::string prefix = dir_.string() + "/";
    if (output_.rfind(prefix, 0) == 0) output_.erase(0, prefix.size());
    return WEXITSTATUS(status);
  }

  // Exit code; what it printed goes to `output_`, with the folder's name taken out.
  int run(const std::string& yaml) {
    std::ofstream(dir_ / "a.yaml") << yaml;
    return run_with((dir_ / "a.yaml").string());
  }

  std::string generated() const {
    std::stringstream text;
    text << std::ifstream(dir_ / "out.cc").rdbuf();
    return text.str();
  }

  fs::path program_, dir_;
  std::string output_;
};

std::string in_type(const std::string& fields) {
  return "package: p.v1\ntypes:\n  Other:\n    doc: \"x\"\n    fields:\n      id: {type: string, doc: \"x\"}\n  T:\n    doc: \"x\"\n    "
         "fields:\n" +
         fields;
}

TEST_F(Schemac, NamesFileLineAndMistake) {
  struct Row {
    const char* name;
    std::string yaml;
    const char* want;
  };
  const Row rows[] = {
      {"not YAML", "package: [", "a.yaml:1: "},
      {"no package", "types: {}\n", "a.yaml:1: no package"},
      {"unknown top-level key", "package: p\nstuff: 1\n", "a.yaml:2: unknown key \"stuff\" in the file"},
      {"unknown attribute", in_type("      a: {type: string, dok: \"x\"}\n"), "a.yaml:10: unknown key \"dok\" in field a"},
      {"no type", in_type("      a: {doc: \"x\"}\n"), "a.yaml:10: field a has no type"},
      {"no doc", in_type("      a: {type: string}\n"), "a.yaml:10: field a has no doc"},
      {"unknown type", in_type("      a: {type: Nope, doc: \"x\"}\n"), "a.yaml:10: field a: unknown type \"Nope\""},
      {"unknown alias", in_type("      a: {type: list of meta.Nope, doc: \"x\"}\n"), "a.yaml:10: field a: unknown type \"meta.Nope\""},
      {"duplicate field", in_type("      a: {type: string, doc: \"x\"}\n      a: {type: string, doc: \"x\"}\n"),
       "a.yaml:11: duplicate field \"a\""},
      {"duplicate type", "package: p\ntypes:\n  T: {doc: x, fields: {}}\n  T: {doc: x, fields: {}}\n", "a.yaml:4: duplicate type \"T\""},
      {"default of another type", in_type("      a: {type: int32, default: many, doc: \"x\"}\n"),
       "a.yaml:10: default \"many\" does not fit type int32"},
      {"default outside enum", in_type("      a: {type: string, default: c, enum: [a, b], doc: \"x\"}\n"),
       "a.yaml:10: default c is not in enum"},
      {"enum of integers", in_type("      a: {type: int32, enum: [\"1\"], doc: \"x\"}\n"), ""},
      {"min above max", in_type("      a: {type: int32, min: 2, max: 1, doc: \"x\"}\n"), "a.yaml:10: min is above max"},
      {"limits on an object", in_type("      a: {type: Other, min: 2, doc: \"x\"}\n"), "a.yaml:10: enum, min and max do not fit an object"},
      {"map list without keys", in_type("      a: {type: list of Other, list: map, doc: \"x\"}\n"),
       "a.yaml:10: list: map and keys go together"},
      {"key that elements lack", in_type("      a: {type: list of Other, list: map, keys: [name], doc: \"x\"}\n"),
       "a.yaml:10: field a: its elements have no field \"name\""},
      {"merge key that elements lack", in_type("      a: {type: list of Other, patch: [merge], mergeKey: name, doc: \"x\"}\n"),
       "a.yaml:10: field a: its elements have no field \"name\""},
      {"merge key without merge", in_type("      a: {type: list of Other, mergeKey: id, doc: \"x\"}\n"),
       "a.yaml:10: mergeKey needs patch: [merge]"},
      {"list type on a scalar", in_type("      a: {type: string, list: set, doc: \"x\"}\n"), "a.yaml:10: list: is for lists"},
      {"unknown support", in_type("      a: {type: string, support: maybe, doc: \"x\"}\n"), "a.yaml:10: support: stored, or leave it out"},
      {"field number", in_type("      a: {type: string, pb: 1.2.3.4, doc: \"x\"}\n"), "a.yaml:10: pb: a field number such as 3, 2.1 or 3*, not \"1.2.3.4\""},
      {"field number 0", in_type("      a: {type: string, pb: 0, doc: \"x\"}\n"), "a.yaml:10: pb: a field number such as 3, 2.1 or 3*, not \"0\""},
      {"zero", in_type("      a: {type: string, pb: 1, zero: kept, doc: \"x\"}\n"), "a.yaml:10: zero: shown or hidden"},
      {"zero that is so anyway", in_type("      a: {type: string, pb: 1, zero: hidden, doc: \"x\"}\n"), "a.yaml:10: zero: says what the type says already"},
      {"zero of a time", in_type("      a: {type: time, pb: 1, zero: shown, doc: \"x\"}\n"), "a.yaml:10: zero: says what the type says already"},
      {"field number of another", in_type("      a: {type: string, pb: 2.1, doc: \"x\"}\n      b: {type: string, pb: 2.1*, doc: \"x\"}\n"),
       "a.yaml:11: field b: a has its pb number"},
      {"required neither", in_type("      a: {type: string, required: yes, doc: \"x\"}\n"),
       "a.yaml:10: required: true (enforced) or doc (said in OpenAPI only)"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(run(row.yaml), 1);
    EXPECT_EQ(output_.rfind(row.want, 0), 0u) << output_;
    EXPECT_FALSE(fs::exists(dir_ / "out.cc"));
  }
}

const char kMeta[] =
    "package: io.k8s.apimachinery.pkg.apis.meta.v1\ngroup: g\nversion: v1\ntypes:\n  ObjectMeta: {doc: x, fields: {}}\nkinds:\n";

TEST_F(Schemac, ChecksKinds) {
  struct Row {
    const char* name;
    const char* kind;
    const char* want;
  };
  const Row rows[] = {
      {"no plural", "  K: {doc: x, fields: {}}\n", "a.yaml:7: kind K has no plural"},
      {"unknown attribute", "  K: {doc: x, plural: ks, nice: true}\n", "a.yaml:7: unknown key \"nice\" in kind K"},
      {"unknown verb", "  K: {doc: x, plural: ks, verbs: [fetch]}\n", "a.yaml:7: unknown verb \"fetch\""},
      {"scope", "  K: {doc: x, plural: ks, scope: Global}\n", "a.yaml:7: scope: Namespaced or Cluster"},
      {"name rule", "  K: {doc: x, plural: ks, nameRule: any}\n", "a.yaml:7: nameRule: subdomain, label, label1035 or path"},
      {"column path", "  K: {doc: x, plural: ks, columns: {A: {path: spec.x, doc: x}}}\n", "a.yaml:7: column spec.x: no field \"spec\""},
      {"column with path and cell", "  K: {doc: x, plural: ks, columns: {A: {path: kind, cell: c, doc: x}}}\n",
       "a.yaml:7: column A needs either path or cell"},
      {"field label", "  K: {doc: x, plural: ks, fieldLabels: [status.phase]}\n", "a.yaml:7: fieldLabel status.phase: no field \"status\""},
      {"own metadata", "  K: {doc: x, plural: ks, fields: {metadata: {type: string, doc: x}}}\n",
       "a.yaml:7: duplicate field \"metadata\": every object has it"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(run(std::string(kMeta) + row.kind), 1);
    EXPECT_EQ(output_.rfind(row.want, 0), 0u) << output_;
  }
}

TEST_F(Schemac, TypesMayBeRecursive) {
  EXPECT_EQ(run("package: p\ntypes:\n  Node:\n    doc: x\n    fields:\n      children: {type: list of Node, doc: x}\n      byName: {type: "
                "map of Node, doc: x}\n"),
            0)
      << output_;
  EXPECT_NE(generated().find("constinit const Type kTypes[3]"), std::string::npos);
  EXPECT_NE(generated().find(".element = &kTypes[0]"), std::string::npos);
}

TEST_F(Schemac, TheDocumentedExampleCompiles) {
  const fs::path source = KUBELAN_SOURCE_DIR;
  std::stringstream page;
  page << std::ifstream(source / "docs/adding-a-kind.md").rdbuf();
  const std::string fence = "```yaml\n";
  const size_t begin = page.str().find(fence), end = page.str().find("```\n", begin + fence.size());
  ASSERT_NE(begin, std::string::npos);
  std::ofstream(dir_ / "example.yaml") << page.str().substr(begin + fence.size(), end - begin - fence.size());
  EXPECT_EQ(run_with((dir_ / "example.yaml").string() + " " + (source / "store/schema/data/meta.yaml").string()), 0) << output_;
  EXPECT_NE(generated().find(".plural = \"widgets\", .singular = \"widget\""), std::string::npos);
}

TEST_F(Schemac, UsageIsExitCodeTwo) {
  const int status = std::system((program_.string() + " 2>/dev/null").c_str());
  EXPECT_EQ(WEXITSTATUS(status), 2);
}

}  // namespace
