// Annotations: paths as the endpoint sees them, and requests that are sent elsewhere.
#include "server/gateway/ingress/setters.h"

namespace server::gateway {
namespace {

using R = RewriteSettings;
constexpr auto kRewrite = &Settings::rewrite;

base::Status set_app_root(const std::string& value, Settings& s) {
  if (!value.starts_with('/')) return malformed();
  const base::Result<TemplatePtr> parsed = Template::parse(value);
  if (!parsed.ok()) return parsed.error();
  s.rewrite.app_root = value;
  return {};
}

base::Status set_rewrite_target(const std::string& value, Settings& s) {
  const base::Result<TemplatePtr> parsed = Template::parse(value);
  if (!parsed.ok()) return parsed.error();
  s.rewrite.target = value;
  return {};
}

// A URL to send clients to: absolute, though its parts may be variables.
base::Status set_url(const std::string& value, TemplatePtr& member) {
  if (!value.starts_with("http://") && !value.starts_with("https://") && !value.starts_with("$scheme://")) return malformed("it is no http or https URL");
  base::Result<TemplatePtr> parsed = Template::parse(value);
  if (!parsed.ok()) return std::move(parsed).error();
  member = *parsed;
  return {};
}
base::Status set_permanent(const std::string& value, Settings& s) { return set_url(value, s.rewrite.permanent); }
base::Status set_temporal(const std::string& value, Settings& s) { return set_url(value, s.rewrite.temporal); }

const AnnotationRow kRewriteRows[] = {
    {"rewrite-target", "the path for the endpoint, with $1 to $9 for groups of the rule's path", &set_rewrite_target},
    {"use-regex", kFlagForm, &set_flag<kRewrite, &R::use_regex>},
    {"app-root", "a path that begins with /", &set_app_root},
    {"ssl-redirect", kFlagForm, &set_flag<kRewrite, &R::ssl_redirect>, Support::kFull, "", false, "ssl-redirect"},
    {"force-ssl-redirect", kFlagForm, &set_flag<kRewrite, &R::force_ssl_redirect>, Support::kFull, "", false, "force-ssl-redirect"},
    {"preserve-trailing-slash", kFlagForm, &set_flag<kRewrite, &R::keep_slash>, Support::kFull, "", false, "preserve-trailing-slash"},
    {"use-port-in-redirects", kFlagForm, &set_flag<kRewrite, &R::port_in_redirects>, Support::kFull, "", false, "use-port-in-redirects"},
    {"x-forwarded-prefix", "a header's value", &set_text<kRewrite, &R::forwarded_prefix>, Support::kFull, "Counts together with rewrite-target only."},
    {"permanent-redirect", "an http or https URL", &set_permanent},
    {"permanent-redirect-code", "a status of 300 to 308", &set_number<kRewrite, &R::permanent_code, 300, 308>},
    {"temporal-redirect", "an http or https URL", &set_temporal},
    {"temporal-redirect-code", "a status of 300 to 308", &set_number<kRewrite, &R::temporal_code, 300, 308>},
    {"relative-redirects", kFlagForm, &set_flag<kRewrite, &R::relative>, Support::kDiffers,
     "The redirect of app-root becomes relative; there are no redirects of nginx's own that it could concern.", false, "relative-redirects"},
    {"from-to-www-redirect", kFlagForm, &set_flag<kRewrite, &R::from_to_www>},
};

}  // namespace

std::span<const AnnotationRow> rewrite_annotations() { return kRewriteRows; }

}  // namespace server::gateway
