// server/images/builtins.h - the built-in programs. Each runs as a process of its own, a fork of the spawner or the
// binary under the program's name: it may use nothing of the daemon's, owns the whole process and returns the exit code.
#pragma once

#include <signal.h>

#include <string>
#include <vector>

namespace server::images {

inline constexpr char kNginxVersion[] = "1.27.5";

int nginx_main(const std::vector<std::string>& argv);
// For programs that do nothing meanwhile: returns when told to end, with the signals that say so, which stay blocked.
sigset_t wait_to_be_ended();
int pause_main(const std::vector<std::string>& argv);
int ingress_controller_main(const std::vector<std::string>& argv);
int agnhost_main(const std::vector<std::string>& argv);
int http_echo_main(const std::vector<std::string>& argv);
int whoami_main(const std::vector<std::string>& argv);
int hello_main(const std::vector<std::string>& argv);   // google-samples/hello-app:1.0
int hello2_main(const std::vector<std::string>& argv);  // and :2.0

const char* nginx_welcome_page();
const char* nginx_trouble_page();

}  // namespace server::images
