// netns/process/spawner_client.h - the daemon's end of the spawner. Internal to netns/process.
#pragma once

#include <memory>

#include "netns/process/spawner.h"

namespace netns {

// Starts the reader thread. The client works on a copy of `socket`.
std::unique_ptr<Spawner> make_spawner_client(const base::Fd& socket);

}  // namespace netns
