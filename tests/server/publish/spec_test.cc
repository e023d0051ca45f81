// What users write for a published port, as tables.
#include "server/publish/spec.h"

#include <gtest/gtest.h>

namespace server::publish {
namespace {

TEST(PublishSpec, Reads) {
  const struct {
    const char* in;
    const char* want;  // The long form.
  } rows[] = {
      {"8080:30080", "127.0.0.1:8080::30080"},
      {"8080::30080", "127.0.0.1:8080::30080"},
      {"8080:node-1:30080", "127.0.0.1:8080:node-1:30080"},
      {"0:svc/web:80", "127.0.0.1:0:svc/default/web:80"},
      {"8080:svc/shop/web:http", "127.0.0.1:8080:svc/shop/web:http"},
      {"8080:shop/web:80", "127.0.0.1:8080:svc/shop/web:80"},
      {"8080:web:80", "127.0.0.1:8080:web:80"},
      {"8080:web:http", "127.0.0.1:8080:svc/default/web:http"},
      {"8080:lb/web:80", "127.0.0.1:8080:lb/default/web:80"},
      {"8080:172.30.255.1:80", "127.0.0.1:8080:172.30.255.1:80"},
      {"8080:[fd00::7]:80", "127.0.0.1:8080:[fd00::7]:80"},
      {"127.0.0.9:8080:svc/web:80", "127.0.0.9:8080:svc/default/web:80"},
      {"localhost:8080:30080", "127.0.0.1:8080::30080"},
      {"[::1]:8080:svc/web:80", "[::1]:8080:svc/default/web:80"},
      {"[::1]:53:[fd00::7]:53/udp", "[::1]:53:[fd00::7]:53/udp"},
      {"5353:svc/kube-system/kube-dns:53/udp", "127.0.0.1:5353:svc/kube-system/kube-dns:53/udp"},
      {"5353:svc/kube-system/kube-dns:dns/tcp", "127.0.0.1:5353:svc/kube-system/kube-dns:dns"},
      {"5353:30053/udp", "127.0.0.1:5353::30053/udp"},
      {"65535:svc/a.b:65535", "127.0.0.1:65535:svc/default/a.b:65535"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.in);
    base::Result<Spec> spec = parse_spec(row.in);
    ASSERT_TRUE(spec.ok()) << spec.error().message;
    EXPECT_EQ(render_spec(*spec), row.want);
    base::Result<Spec> again = parse_spec(render_spec(*spec));
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(*again, *spec);
  }
}

TEST(PublishSpec, Refuses) {
  const struct {
    const char* in;
    const char* want;  // Part of the message.
  } rows[] = {
      {"", "the form is"},
      {"8080", "no target"},
      {"8080:", "no target"},
      {"web", "host port \"web\""},
      {"web:80", "host port \"web\""},
      {"127.0.0.1:8080", "no target"},
      {"10.0.0.1:8080:svc/web:80", "not a loopback address"},
      {"0.0.0.0:8080:svc/web:80", "not a loopback address"},
      {"[::]:8080:svc/web:80", "not a loopback address"},
      {"[::ffff:127.0.0.1]:8080:svc/web:80", "not a loopback address"},
      {"[127.0.0.1]:8080:svc/web:80", "not an IPv6 address"},
      {"[::1:8080:svc/web:80", "no ]"},
      {"[::1]8080:svc/web:80", "the form is"},
      {"65536:svc/web:80", "host port \"65536\""},
      {"-1:svc/web:80", "host port \"-1\""},
      {"080:svc/web:80", "host port \"080\""},
      {"8080:svc/web", "which port"},
      {"8080:lb/web", "which port"},
      {"8080:svc/web:0", "port \"0\""},
      {"8080:svc/web:", "neither the number nor the name"},
      {"8080:svc/:80", "not the name of a Service"},
      {"8080:svc/a/b/c:80", "not the name of a Service"},
      {"8080:svc//web:80", "not the name of a namespace"},
      {"8080:svc/Web:80", "not the name of a Service"},
      {"8080:web", "which port"},
      {"8080:70000", "port \"70000\""},
      {"8080:fd00::7:80", "in brackets"},
      {"8080:svc/web:80/sctp", "use tcp or udp"},
      {"8080:svc/web:80/", "use tcp or udp"},
      {"8080:svc/we\nb:80", "svc/we?b:80"},
      {"80\n80:svc/web:80", "host port \"80?80\""},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.in);
    base::Result<Spec> spec = parse_spec(row.in);
    ASSERT_FALSE(spec.ok()) << render_spec(*spec);
    EXPECT_EQ(spec.error().code, base::Code::kInvalid);
    EXPECT_NE(spec.error().message.find(row.want), std::string::npos) << spec.error().message;
  }
}

TEST(PublishSpec, HostPorts) {
  const struct {
    const char* in;
    const char* want;  // Empty: refused.
  } rows[] = {{"8080", "127.0.0.1:8080"}, {"8080/udp", "127.0.0.1:8080/udp"}, {"127.0.0.3:1/tcp", "127.0.0.3:1"}, {"[::1]:53/udp", "[::1]:53/udp"},
              {"", ""},                   {"8080:svc/web:80", ""},            {"8080/sctp", ""},                  {"192.168.0.1:80", ""}};
  for (const auto& row : rows) {
    base::Result<HostPort> host = parse_host_port(row.in);
    EXPECT_EQ(host.ok() ? host->text() : "", row.want) << row.in;
  }
}

}  // namespace
}  // namespace server::publish
