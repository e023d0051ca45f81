#include "server/cli/kubeconfig_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "store/base/fd.h"

namespace server {
namespace {

const char kOurs[] =
    "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    server: https://127.0.0.1:1\n  name: kubelan\ncontexts:\n- context:\n    cluster: kubelan\n    user: kubelan\n  name: kubelan\n"
    "current-context: kubelan\nusers:\n- name: kubelan\n  user:\n    client-key-data: a2V5\n";

TEST(Kubeconfig, MergeAndRemove) {
  struct Row {
    const char* name;
    const char* existing;
    const char* after_removal;
  };
  const Row rows[] = {
      {"empty", "", "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\ncurrent-context: \"\"\n"},
      {"other context kept, quoted stays quoted",
       "apiVersion: v1\nkind: Config\nclusters:\n- cluster: {server: \"https://x\"}\n  name: x\ncontexts: []\nusers:\n- name: \"1\"\n  user: {token: \"007\"}\ncurrent-context: x\n",
       "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    server: \"https://x\"\n  name: x\ncontexts: []\nusers:\n- name: \"1\"\n  user:\n    token: \"007\"\ncurrent-context: \"\"\n"},
      {"null lists", "clusters: null\nusers: null\n", "clusters: []\nusers: []\napiVersion: v1\nkind: Config\ncontexts: []\ncurrent-context: \"\"\n"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    auto merged = merged_kubeconfig(row.existing, kOurs);
    ASSERT_TRUE(merged.ok()) << merged.error().message;
    EXPECT_NE(merged->find("current-context: kubelan\n"), std::string::npos);
    EXPECT_NE(merged->find("    server: https://127.0.0.1:1\n"), std::string::npos);
    auto twice = merged_kubeconfig(*merged, kOurs);
    ASSERT_TRUE(twice.ok());
    EXPECT_EQ(*twice, *merged) << "merging twice must not add twice";
    auto removed = without_context(*merged, "kubelan");
    ASSERT_TRUE(removed.ok());
    EXPECT_EQ(*removed, row.after_removal);
  }
}

TEST(Kubeconfig, RefusesWhatIsNone) {
  for (const char* text : {"a: [", "- a\n- b\n", "clusters: 7\n", "just text"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(merged_kubeconfig(text, kOurs).ok());
  }
}

TEST(Kubeconfig, FileIsPrivateAndLocked) {
  char dir[] = "/tmp/kubelan-kubeconfig-XXXXXX";
  ASSERT_NE(::mkdtemp(dir), nullptr);
  std::string path = std::string(dir) + "/sub/config";
  ASSERT_TRUE(merge_kubeconfig(path, kOurs).ok());
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_NE(::access((path + ".lock").c_str(), F_OK), 0) << "the lock file must be gone";
  EXPECT_TRUE(remove_from_kubeconfig(path, "kubelan").ok());
  EXPECT_TRUE(remove_from_kubeconfig(path + "-missing", "kubelan").ok());
  auto text = base::read_file(path);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->find("a2V5"), std::string::npos);
  ::unlink(path.c_str());
  ::rmdir((std::string(dir) + "/sub").c_str());
  ::rmdir(dir);
}

TEST(Kubeconfig, PathFollowsKubectl) {
  ::setenv("HOME", "/nowhere", 1);
  ::unsetenv("KUBECONFIG");
  EXPECT_EQ(*kubeconfig_path("/x"), "/x");
  EXPECT_EQ(*kubeconfig_path(""), "/nowhere/.kube/config");
  ::setenv("KUBECONFIG", "/missing/a:/missing/b", 1);
  EXPECT_EQ(*kubeconfig_path(""), "/missing/b");
  ::setenv("KUBECONFIG", ":/missing/a:/dev/null:/missing/b", 1);
  EXPECT_EQ(*kubeconfig_path(""), "/dev/null");
}

}  // namespace
}  // namespace server
