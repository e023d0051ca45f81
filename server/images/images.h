// server/images/images.h - image references and the built-in images. Pure look-ups.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "netns/process/spawner.h"

namespace server {

// How to run a container of an image.
struct ResolvedImage {
  std::string builtin;                      // Set: run this built-in program unless the pod gives a command.
  std::vector<std::string> entrypoint;      // Defaults when the pod gives none. Host programs otherwise.
  std::vector<std::string> cmd;
  std::vector<std::string> env;
  std::string working_dir = "/";
  std::vector<netns::Mount> mounts;         // What the image itself brings: put before the pod's volumes.
  std::string image_id;                     // For containerStatuses.imageID
  int stop_signal = 15;                     // What asks it to end: SIGTERM, or the image's STOPSIGNAL.
};
// Nothing: not resolvable here; the caller reports ErrImagePull with explain_unresolved().
std::optional<ResolvedImage> resolve_image(const std::string& reference);
std::string explain_unresolved(const std::string& reference);
// The built-in to run for a command the pod gives: the image's own program under its usual names ("nginx",
// "/usr/sbin/nginx", "/docker-entrypoint.sh nginx"), else nothing: the command is a program of the host. An empty
// command is the image's default.
std::string builtin_for_command(const ResolvedImage& image, const std::vector<std::string>& command);
// Name -> program, for the spawner.
std::map<std::string, netns::BuiltinMain> builtin_programs();
// The built-in that this binary is when it is called by that name (argv[0]), as it stands in containers of images whose
// program others call too; nullptr for any other name.
netns::BuiltinMain builtin_by_file(const std::string& path);

}  // namespace server
