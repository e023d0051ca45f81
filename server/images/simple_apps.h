// server/images/simple_apps.h - what the small HTTP programs answer: http-echo, whoami, hello-app. No sockets here.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/images/app_server.h"

namespace server::images {

inline constexpr char kHttpEchoVersion[] = "1.0.0";

struct HttpEchoOptions {
  std::string text;
  int status = 200;
  bool log = true;   // A line a request on standard output.
};
AppHandler http_echo_handler(const HttpEchoOptions& options);

struct WhoamiOptions {
  std::string name;
  std::string hostname;
  std::vector<std::string> addresses;
  std::string allowed_origins = "*";
  std::map<std::string, std::string> environment;  // Shown to those who ask for it.
  bool verbose = false;
};
AppHandler whoami_handler(const WhoamiOptions& options);

struct HelloOptions {
  std::string version;
  std::string hostname;
};
AppHandler hello_handler(const HelloOptions& options);

// "host:port", ":port"; an error as Go's listen gives it.
base::Result<ListenAddress> parse_listen_address(const std::string& text);
std::vector<std::string> own_addresses();  // Of every interface of this namespace, lo first.

}  // namespace server::images
