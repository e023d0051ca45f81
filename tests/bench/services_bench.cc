// services_bench MODE ARGUMENTS...: the parts of scripts/bench services and of tests/bench/churn.sh.
#include "tests/bench/services_bench.h"

#include <cstdio>
#include <exception>
#include <map>

int main(int argc, char** argv) {
  const std::map<std::string, int (*)(const bench::Arguments&)> modes = {
      {"probe", bench::run_probe},     {"answer", bench::run_answer},   {"serve", bench::run_serve},   {"flows", bench::run_flows},
      {"count", bench::run_count},     {"objects", bench::run_objects}, {"fill", bench::run_fill},
      {"latency", bench::run_latency}, {"changes", bench::run_count_changes}, {"churn", bench::run_churn},
      {"verify", bench::run_verify}};
  const auto mode = modes.find(argc > 1 ? argv[1] : "");
  if (mode == modes.end()) {
    std::fprintf(stderr, "services_bench: no such mode; it is run by scripts/bench services\n");
    return 2;
  }
  try {
    return mode->second(bench::Arguments(argv + 2, argv + argc));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "services_bench %s: %s\n", argv[1], e.what());
    return 1;
  }
}
