// server/api/list_text.h - a list as text, item by item: short ones whole, long ones as the client reads them, so that
// a client that does not read costs no copy of what it asked for.
#pragma once

#include <vector>

#include "server/api/respond.h"

namespace server {

HttpResponse list_response(const Call& call, const Form& form, std::vector<store::Object> items, const ListMeta& meta);

}  // namespace server
