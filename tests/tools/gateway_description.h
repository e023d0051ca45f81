// tests/tools/gateway_description.h - a route table written down as JSON, for the programs that measure and compare the engine
// without a cluster around it. Not a format for users: it has what nginx.conf of the same test has, and no more.
//
//   {"upstreams": {"echo": {"endpoints": ["127.0.0.1:9000"], "protocol": "http1" | "http2"}},
//    "listeners": [{"name": "http", "port": 0, "protocol": "http" | "https" | "tcp", "certificate": FILE, "key": FILE, "hosts": [
//      {"name": "a.example", "order": "specific" | "listed", "aliases": [], "certificate": FILE, "key": FILE, "routes": [
//        {"path": "/x", "kind": "exact" | "prefix" | "text" | "regex" (no case),  one of  "to" | "redirect" | "reply",  "before": REDIRECT, "policy": {...},
//         and with "to": "rewrite", "request_headers", "response_headers", "timeouts", "upstream_host", "buffer_request", "tries"}]}]}]}
//
// An unknown key is an error, so that a misspelt one does not compare nothing with nothing. Pure but for certificate files.
#pragma once

#include <string>

#include "server/gateway/table/table.h"
#include "store/base/result.h"

namespace gateway_test {

// kInvalid: names the place and what is wrong. kInternal: a file that cannot be read.
base::Result<server::gateway::TablePtr> parse_description(const std::string& text);

}  // namespace gateway_test
