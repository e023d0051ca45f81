// server/images/builtins.h - the built-in programs. Each runs as a process of its own, a fork of the spawner: it may
// use nothing of the daemon's, owns the whole process and returns the exit code.
#pragma once

#include <string>
#include <vector>

namespace server::images {

inline constexpr char kNginxVersion[] = "1.27.5";

int nginx_main(const std::vector<std::string>& argv);
int pause_main(const std::vector<std::string>& argv);

const char* nginx_welcome_page();
const char* nginx_trouble_page();

}  // namespace server::images
