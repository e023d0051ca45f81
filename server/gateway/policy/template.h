// server/gateway/policy/template.h - text with nginx's variables: "/$2", "https://$host$request_uri", "${arg_user}-x".
//
// Immutable; any thread. Variables that have no value are empty text, as in nginx. `$1` to `$9` are one digit each.
// Known: $scheme $https $host $http_host $uri $document_uri $request_uri $request $args $query_string $is_args $arg_NAME
// $http_NAME $cookie_NAME $hostname $remote_addr $binary_remote_addr $remote_port $remote_user $server_name
// $server_port $server_protocol $request_method $request_id $req_id $content_type $content_length $msec $time_iso8601
// $ssl_protocol $ssl_cipher $ssl_server_name $ssl_client_verify $ssl_client_s_dn $ssl_client_i_dn $ssl_client_cert
// $ssl_client_raw_cert $ssl_client_escaped_cert
// of ingress-nginx: $namespace $ingress_name $service_name $service_port $location_path $proxy_upstream_name $best_http_host
// $pass_access_scheme $pass_server_port $pass_port $escaped_request_uri $the_real_ip $realip_remote_addr $proxy_add_x_forwarded_for $full_x_forwarded_for
// and ours: $request_uri_without_slash, the request URI less one "/" at its end (ssl-redirect, from-to-www-redirect);
// $redirect_host, $best_http_host less the port.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/gateway/message/message.h"
#include "server/gateway/table/table.h"
#include "store/base/result.h"

namespace server::gateway {

struct RequestOrigin;  // request_origin.h

// Where values come from. Any pointer may be nullptr; what hangs on it is empty then. Lives as long as the call.
struct TemplateContext {
  const RequestHead* request = nullptr;   // As the client sent it.
  const ClientInfo* client = nullptr;
  const VirtualHost* host = nullptr;
  const Route* route = nullptr;
  const Upstream* upstream = nullptr;
  std::string_view request_id;
  const std::vector<std::string_view>* captures = nullptr;
  std::string_view path;                  // Normalised, for $uri; empty: worked out from `request`.
  const RequestOrigin* origin = nullptr;  // By the word of proxies in front; nullptr: as `client` is connected.
};

class Template {
 public:
  // kInvalid: an unknown variable, or a '$' with no name after it.
  static base::Result<TemplatePtr> parse(std::string_view nginx_text);
  // Nothing in it is a variable.
  static TemplatePtr literal(std::string_view text);

  std::string render(const TemplateContext& context) const;
  void render_to(const TemplateContext& context, std::string* out) const;  // Appends.
  // A replacement of nginx's `rewrite`: what comes before the first '?' of its own text is the path, what comes after goes
  // to `query`, where captures are escaped with `quote_captures`. True: there was such a '?'.
  bool render_rewrite(const TemplateContext& context, bool quote_captures, std::string* path, std::string* query) const;

  const std::string& text() const { return text_; }
  bool constant() const { return constant_; }

 private:
  friend struct TemplateParser;
  struct Piece {
    uint8_t variable;   // Of the .cc's enumeration.
    uint8_t group = 0;  // $1 to $9
    std::string text;   // A literal, or the NAME of $http_NAME (with '-'), $arg_NAME, $cookie_NAME.
  };
  static void append_value(const Piece& piece, const TemplateContext& context, std::string* out);
  Template() = default;

  std::string text_;
  std::vector<Piece> pieces_;
  bool constant_ = true;
};

}  // namespace server::gateway
