// tests/server/support/certificate_request.h - a request for a certificate, as `openssl req` makes one.
#pragma once

namespace server {

// openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /O=devs/CN=jane
inline constexpr const char* kCertificateRequest = R"(-----BEGIN CERTIFICATE REQUEST-----
MIHaMIGAAgEAMB4xDTALBgNVBAoMBGRldnMxDTALBgNVBAMMBGphbmUwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAATvnNm/bW0s19bhbOZxhYtu7ejXMTn3w3SiNjd5
tZoEocYlxf5WWU34Ny9vZs+Whi3qrPSJB1+6AI+MplILP/8UoAAwCgYIKoZIzj0E
AwIDSQAwRgIhAIJtZa+EwsZ6Y8GOBQQl3yQdm8mLi6sx29365bSbA5SaAiEAgZgc
v1Uq1GgMDFuF2CurnyfnnuC0kNJlWcEY9wNu7s8=
-----END CERTIFICATE REQUEST-----
)";

}  // namespace server
