// tests/server/proxy/golden.h - compares text with a file under tests/golden/proxy; KUBELAN_UPDATE_GOLDEN=1 rewrites it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace proxy_test {

inline void expect_golden(const std::string& name, const std::string& got) {
  const std::string path = std::string(KUBELAN_SOURCE_DIR) + "/tests/golden/proxy/" + name;
  if (std::getenv("KUBELAN_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << got;
    return;
  }
  std::ifstream in(path);
  std::stringstream want;
  want << in.rdbuf();
  EXPECT_EQ(got, want.str()) << path;
}

}  // namespace proxy_test
