// All controllers against the real API in memory.
#pragma once

#include <memory>
#include <vector>

#include "server/controllers/controllers.h"
#include "tests/server/support/world.h"

namespace server {

struct ControllersTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    controllers = make_controllers(*loop, {"CA"});
    idle();
  }
  void TearDown() override {
    controllers.clear();
    WorldTest::TearDown();
  }
  std::vector<std::unique_ptr<Controller>> controllers;
};

}  // namespace server
