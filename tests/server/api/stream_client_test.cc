#include <gtest/gtest.h>

#include "server/api/subresources/stream_common.h"

namespace server {
namespace {

TEST(MakesStreamsLate, ByUserAgent) {
  struct Row {
    const char* agent;
    bool want;
  };
  const Row rows[] = {
      {"kubectl/v1.32.0 (linux/amd64) kubernetes/70d3cc9", true},
      {"kubectl/v1.29.1 (linux/amd64) kubernetes/bc401b9", true},
      {"kubectl/v1.33.0 (linux/amd64) kubernetes/60a317e", false},
      {"kubectl/v1.36.3 (linux/amd64) kubernetes/abc", false},
      {"my-operator/v0.0.0 (linux/amd64) kubernetes/$Format", true},
      {"OpenAPI-Generator/31.0.0/python", false},
      {"", false},
  };
  for (const Row& row : rows) EXPECT_EQ(makes_streams_late(row.agent), row.want) << row.agent;
}

}  // namespace
}  // namespace server
