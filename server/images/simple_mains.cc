// http-echo, whoami and hello-app as programs: command line, environment, start and end.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "server/images/builtins.h"
#include "server/images/go_flags.h"
#include "server/images/go_text.h"
#include "server/images/simple_apps.h"

namespace server::images {
namespace {

constexpr auto kDrainTime = std::chrono::seconds(5);

std::string environment(const char* name, const char* fallback = "") {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? fallback : value;
}

std::map<std::string, std::string> whole_environment() {
  std::map<std::string, std::string> out;
  for (char** each = ::environ; each != nullptr && *each != nullptr; ++each) {
    std::string pair = *each;
    size_t equals = pair.find('=');
    if (equals != std::string::npos) out[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return out;
}

std::vector<std::string> words_after(const std::vector<std::string>& argv) { return {argv.begin() + (argv.empty() ? 0 : 1), argv.end()}; }

int fail(const std::string& text, int code) {
  std::fprintf(stderr, "%s\n", text.c_str());
  return code;
}

// Serves until a signal comes, then ends the requests under way.
int serve(const ListenAddress& address, const AppHandler& handler, std::shared_ptr<AppTls> tls = nullptr) {
  ::signal(SIGCHLD, SIG_IGN);  // As pid 1 it inherits orphans; the kernel reaps them.
  base::Fd stop = stop_signals();
  AppServer server;
  base::Result<uint16_t> port = server.listen_http(address, handler, std::move(tls));
  if (!port.ok()) {
    go_log(port.error().message);
    return 1;
  }
  server.run(stop);
  server.finish(kDrainTime);
  std::fflush(nullptr);
  ::_exit(0);  // Not by way of the server's end, which waits for handlers without a limit.
}

}  // namespace

int http_echo_main(const std::vector<std::string>& argv) {
  HttpEchoOptions options;
  std::string listen = ":5678";
  bool version = false;
  const std::vector<GoFlag> flags = {{"listen", &listen, "address and port to listen (default \":5678\")"},
                                     {"status-code", &options.status, "http response code, e.g.: 200 (default 200)"},
                                     {"text", &options.text, "text to put on the webpage"},
                                     {"version", &version, "display version information"}};
  base::Result<std::vector<std::string>> rest = parse_go_flags(FlagStyle::kStandard, flags, words_after(argv));
  if (!rest.ok()) return fail(rest.error().message + "\nUsage of /http-echo:\n" + render_go_flags(FlagStyle::kStandard, flags), 2);
  if (version) return fail(std::string("http-echo v") + kHttpEchoVersion, 0);
  if (options.text.empty()) options.text = environment("ECHO_TEXT");
  if (options.text.empty()) return fail("Missing -text option OR ECHO_TEXT env var!", 127);
  if (!rest->empty()) return fail("Too many arguments!", 127);
  base::Result<ListenAddress> address = parse_listen_address(listen);
  if (!address.ok()) {
    go_log("[ERR] server exited with: " + address.error().message);
    return 1;
  }
  go_log("[INFO] server is listening on " + listen);
  return serve(*address, http_echo_handler(options));
}

int whoami_main(const std::vector<std::string>& argv) {
  WhoamiOptions options;
  std::string port = environment("WHOAMI_PORT_NUMBER", "80"), cert, key, ca;
  options.name = environment("WHOAMI_NAME");
  options.allowed_origins = environment("WHOAMI_ALLOWED_ORIGINS", "*");
  const std::vector<GoFlag> flags = {{"allowed-origins", &options.allowed_origins, "give me a list of allowed clients (default \"*\")"},
                                     {"cacert", &ca, "give me a CA chain, enforces mutual TLS"},
                                     {"cert", &cert, "give me a certificate"},
                                     {"key", &key, "give me a key"},
                                     {"name", &options.name, "give me a name"},
                                     {"port", &port, "give me a port number (default \"80\")"},
                                     {"verbose", &options.verbose, "Enable verbose logging"}};
  base::Result<std::vector<std::string>> rest = parse_go_flags(FlagStyle::kStandard, flags, words_after(argv));
  if (!rest.ok()) return fail(rest.error().message + "\nUsage of /whoami:\n" + render_go_flags(FlagStyle::kStandard, flags), 2);
  if (!ca.empty()) return fail("the built-in whoami does not check clients' certificates (-cacert); use \"image: host\" with a whoami of this machine", 1);
  options.hostname = host_name();
  options.addresses = own_addresses();
  options.environment = whole_environment();
  base::Result<ListenAddress> address = parse_listen_address(":" + port);
  std::shared_ptr<AppTls> tls;
  if (address.ok() && !cert.empty() && !key.empty()) {
    base::Result<std::shared_ptr<AppTls>> loaded = AppTls::load(cert, key);
    if (!loaded.ok()) address = std::move(loaded).error();
    else tls = *loaded;
  }
  if (!address.ok()) {
    go_log(address.error().message);
    return 1;
  }
  go_log(std::string(tls == nullptr ? "Starting up on port " : "Starting up with TLS on port ") + port);
  return serve(*address, whoami_handler(options), tls);
}

namespace {
int hello(const char* version) {
  HelloOptions options{version, host_name()};
  const std::string port = environment("PORT", "8080");
  base::Result<ListenAddress> address = parse_listen_address(":" + port);
  if (!address.ok()) {
    go_log(address.error().message);
    return 1;
  }
  go_log("Server listening on port " + port);
  return serve(*address, hello_handler(options));
}
}  // namespace

int hello_main(const std::vector<std::string>&) { return hello("1.0.0"); }
int hello2_main(const std::vector<std::string>&) { return hello("2.0.0"); }

}  // namespace server::images
