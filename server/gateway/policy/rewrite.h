// server/gateway/policy/rewrite.h - paths: the form they are matched in, and the target that the upstream gets. Pure.
#pragma once

#include <string>
#include <string_view>

#include "server/gateway/message/message.h"
#include "server/gateway/policy/template.h"
#include "server/gateway/table/table.h"
#include "store/base/result.h"

namespace server::gateway {

// The path (up to '?' or '#') as nginx matches it: %XX decoded, "//" one "/", "." and ".." resolved, of decoded ones too.
// kBadRequest: it climbs above the root, a '%' without two hex digits, NUL, or no "/" at the beginning. Empty is "/".
base::Result<std::string> normalize_path(std::string_view target);
// True: normalize_path() would give exactly this (and no allocation is needed to find out).
bool is_normal_path(std::string_view path);

// What the upstream is asked for, path and query. `path`: normalised; empty: worked out from the request. Without a match
// of the regex the target stays as it came. Groups of the rewrite's regex are $1 to $9. A target that begins with "http://" or
// "https://" is to be answered by a redirect (302) to it, as nginx does. kInternal: the path would be empty.
base::Result<std::string> rewritten_target(const Rewrite& rewrite, const RequestHead& request, const TemplateContext& context, std::string_view path = {});

}  // namespace server::gateway
