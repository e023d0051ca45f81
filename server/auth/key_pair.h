// server/auth/key_pair.h - whether a certificate and a key, both PEM, belong together. Pure; any thread.
#pragma once

#include <string>

namespace auth {

// "" when they do; else why not, as Go's crypto/tls says it.
std::string key_pair_problem(const std::string& certificate_pem, const std::string& key_pem);

}  // namespace auth
