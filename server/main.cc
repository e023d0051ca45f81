#include <cstdio>
#include <string>
#include <vector>

#include "server/cli/verb.h"
#include "server/images/images.h"

int main(int argc, char** argv) {
  // In containers the binary also stands under the name of a program it plays.
  if (netns::BuiltinMain builtin = argc > 0 ? server::builtin_by_file(argv[0]) : nullptr) {
    int code = builtin(std::vector<std::string>(argv, argv + argc));
    std::fflush(nullptr);
    return code;
  }
  return server::run_cli(argc, argv);
}
