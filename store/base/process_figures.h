// store/base/process_figures.h - what this process has used, as Prometheus' clients report it. Reads /proc; any thread.
#pragma once

#include <cstdint>

#include "store/base/clock.h"

namespace base {

class Exposition;

struct ProcessFigures {
  double cpu_seconds = 0;
  double start_seconds = 0;        // Since the epoch.
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;
};

ProcessFigures read_process_figures(WallTime started);
void add_process(Exposition& out, const ProcessFigures& figures);  // process_*

}  // namespace base
