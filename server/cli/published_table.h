// server/cli/published_table.h - published ports as the daemon describes them (server/publish), for people. Pure but
// for print_published_table().
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace server {

using json = nlohmann::json;

std::string published_host(const json& port);  // "127.0.0.1:8080", "[::1]:53/udp"
std::string published_line(const json& port);  // "127.0.0.1:8080 -> svc/default/web:80 (waiting: no service default/web)"
void print_published_table(const json& ports);
// "http://127.0.0.1:80 https://127.0.0.1:443" of a status; empty without ingress controller.
std::string ingress_line(const json& status);
bool is_ingress_port(const json& port);  // Among published ports: one that ingress_line() names.

}  // namespace server
