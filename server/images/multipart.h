// server/images/multipart.h - files in forms. Pure; meets the network.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace server::images {

// What the part called `name` of a multipart/form-data body holds; nothing if there is none or it is no such body.
std::optional<std::string> multipart_file(std::string_view content_type, std::string_view body, std::string_view name);

}  // namespace server::images
