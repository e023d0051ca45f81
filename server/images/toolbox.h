// server/images/toolbox.h - programs that toolbox images (busybox, netshoot, curl, agnhost) are expected to have and the
// host may lack. Each gets a file in a directory at the end of PATH, so that what the host has always wins.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "netns/process/spawner.h"

namespace server::images {

inline constexpr char kToolDirectory[] = "/run/kubelan/bin";

// Mounts for what the host lacks: its busybox where there is one that has the program, else `binary`, which plays it
// (nc) or says how to install it. `has` tells what the host has, by name; `busybox` is its path or empty.
std::vector<netns::Mount> toolbox_mounts(const std::string& binary, const std::string& busybox, const std::function<bool(const std::string&)>& has);
// Path of a program of the host, by the default PATH; empty if it has none.
std::string host_program(const std::string& name);
// "PATH=...": the default one and the directory.
std::string toolbox_path();

// True for a name that toolbox_mounts can put a file for.
bool is_tool(const std::string& name);
// nc, or the advice for anything else.
int tool_main(const std::vector<std::string>& argv);
int nc_main(const std::vector<std::string>& argv);

}  // namespace server::images
