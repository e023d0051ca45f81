// server/api/ownership.h - whose fields are those of a new object. Upstream notes the owners of what was sent and its defaults;
// what strategies and admission add then belongs to nobody. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "store/schema/schema.h"

namespace server {

// Are there such fields of this kind?
bool gives_fields(const store::Resource& r);
// `completed` without what the server has added to `sent`.
nlohmann::json owned_part(const store::Resource& r, const nlohmann::json& sent, const nlohmann::json& completed);

}  // namespace server
