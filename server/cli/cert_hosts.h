// server/cli/cert_hosts.h - what `kubelan cert` makes of the words it is given. Pure.
#pragma once

#include <string>
#include <vector>

#include "store/base/result.h"

namespace server {

// A host name or wildcard in lower case and without a dot at the end, or an address in its usual form. kInvalid, saying what is
// wrong with it.
base::Result<std::string> parse_cert_host(const std::string& word);

// For files: "web.test", "_wildcard.test" for "*.test".
std::string cert_file_stem(const std::string& host);
// For an object of Kubernetes: "web-test-tls", "wildcard-test-tls".
std::string cert_secret_name(const std::string& host);

// kInvalid unless `name` is one of an object (a DNS subdomain); `what` begins the message.
base::Status check_object_name(const std::string& what, const std::string& name);

}  // namespace server
