// server/gateway/policy/substitute.h - parts of an endpoint's answer that name where it thinks it is: Location and Refresh
// (proxy-redirect-from, -to), Set-Cookie's Domain and Path (proxy-cookie-domain, -path). Pure. Without rules nothing is touched,
// as ingress-nginx does not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/gateway/message/message.h"
#include "server/gateway/policy/template.h"
#include "server/gateway/table/table.h"

namespace server::gateway {

// The first rule that fits counts. A prefix is replaced; a regex (from begins with '~') replaces the whole, with $1 to $9 in `to`.
// `context`: for other variables in `to`; nullptr: they are empty.
void substitute_redirects(const std::vector<Substitution>& rules, Headers& response, const TemplateContext* context = nullptr);
// Domains: the whole is compared, without case; a leading dot does not count and stays. Paths: a prefix. `from` "off": no rule.
void substitute_cookies(const std::vector<Substitution>& domains, const std::vector<Substitution>& paths, Headers& response, const TemplateContext* context = nullptr);

}  // namespace server::gateway
