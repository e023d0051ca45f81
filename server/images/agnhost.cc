// The built-in agnhost: which subcommands there are.
#include "server/images/agnhost.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "server/images/builtins.h"
#include "server/images/go_text.h"

namespace server::images {
namespace {

constexpr const char* kVersion = "2.57";

int pause_command(const std::vector<std::string>&) {
  std::printf("Paused\n");
  std::fflush(stdout);
  return pause_main({"pause"});
}

// Words of /etc/resolv.conf that follow `keyword`, those of the last such line or of all.
std::vector<std::string> resolver_words(const std::string& keyword) {
  std::vector<std::string> out;
  base::Result<std::string> text = base::read_file("/etc/resolv.conf");
  for (size_t at = 0; text.ok() && at < text->size();) {
    size_t end = std::min(text->find('\n', at), text->size());
    std::string line = text->substr(at, end - at);
    at = end + 1;
    std::replace(line.begin(), line.end(), '\t', ' ');
    if (line.compare(0, keyword.size() + 1, keyword + " ") != 0) continue;
    if (keyword == "search") out.clear();
    for (size_t word = keyword.size() + 1; word < line.size();) {
      size_t stop = std::min(line.find(' ', word), line.size());
      if (stop > word) out.push_back(line.substr(word, stop - word));
      word = stop + 1;
    }
  }
  return out;
}

int print_joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
  std::printf("%s\n", out.c_str());
  return 0;
}

int dns_suffix(const std::vector<std::string>&) { return print_joined(resolver_words("search")); }
int dns_server_list(const std::vector<std::string>&) { return print_joined(resolver_words("nameserver")); }

int etc_hosts(const std::vector<std::string>&) {
  base::Result<std::string> text = base::read_file("/etc/hosts");
  if (!text.ok()) return 1;
  std::printf("%s", text->c_str());
  return 0;
}

// Says what it was started as.
int entrypoint_tester(const std::vector<std::string>& args) {
  std::string out = "[/agnhost entrypoint-tester";
  for (const std::string& arg : args) out += " " + arg;
  std::printf("%s]\n", out.c_str());
  return 0;
}

struct CommandRow {
  const char* name;
  AgnhostMain run;
};
constexpr CommandRow kCommands[] = {
    {"connect", agnhost_connect},
    {"dns-server-list", dns_server_list},
    {"dns-suffix", dns_suffix},
    {"entrypoint-tester", entrypoint_tester},
    {"etc-hosts", etc_hosts},
    {"liveness", agnhost_liveness},
    {"netexec", agnhost_netexec},
    {"pause", pause_command},
    {"porter", agnhost_porter},
    {"serve-hostname", agnhost_serve_hostname},
    {"test-webserver", agnhost_test_webserver},
};

// Subcommands that the image has and this does not: told apart from a mistyped one.
constexpr const char* kMissing[] = {"audit-proxy", "crd-conversion-webhook", "fake-gitserver", "fake-registry-server", "grpc-health-checking", "guestbook",
                                    "inclusterclient", "logs-generator", "mounttest", "mtlsclient", "mtlsserver", "net", "nettest", "no-snat-test",
                                    "no-snat-test-proxy", "openidmetadata", "port-forward-tester", "resource-consumer-controller",
                                    "stress", "tcp-reset", "test-service-account-issuer-discovery", "vishhstress", "watch-list-client", "webhook"};

std::string usage() {
  std::string out = "Usage:\n  app [command]\n\nAvailable Commands:\n";
  for (const CommandRow& row : kCommands) out += std::string("  ") + row.name + "\n";
  return out;
}

// Flags of the logging library may come before or after the subcommand.
bool is_log_flag(const std::string& arg, bool& takes_next) {
  constexpr const char* kSwitches[] = {"logtostderr", "alsologtostderr", "add_dir_header", "one_output", "skip_headers", "skip_log_headers"};
  constexpr const char* kValues[] = {"v", "vmodule", "stderrthreshold", "log_backtrace_at", "log_dir", "log_file", "log_file_max_size"};
  takes_next = false;
  if (arg.size() < 2 || arg[0] != '-') return false;
  size_t start = arg.find_first_not_of('-');
  if (start == std::string::npos) return false;
  std::string name = arg.substr(start, std::min(arg.find('='), arg.size()) - start);
  std::replace(name.begin(), name.end(), '-', '_');
  auto named = [&](const char* each) { return name == each; };
  if (std::any_of(std::begin(kSwitches), std::end(kSwitches), named)) return true;
  takes_next = arg.find('=') == std::string::npos;
  return std::any_of(std::begin(kValues), std::end(kValues), named);
}

}  // namespace

int agnhost_usage_error(const std::string& subcommand, const std::string& flags, const std::string& message) {
  std::fprintf(stderr, "Error: %s\nUsage:\n  app %s [flags]\n\nFlags:\n%s  -h, --help   help for %s\n\n", message.c_str(), subcommand.c_str(), flags.c_str(),
               subcommand.c_str());
  return 1;
}

int agnhost_main(const std::vector<std::string>& argv) {
  std::vector<std::string> words;
  bool takes_next = false;
  for (size_t i = 1; i < argv.size(); ++i) {
    if (is_log_flag(argv[i], takes_next)) i += takes_next ? 1 : 0;
    else words.push_back(argv[i]);
  }
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    std::printf("%s", usage().c_str());
    return 0;
  }
  if (words[0] == "--version") {
    std::printf("app version %s\n", kVersion);
    return 0;
  }
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  for (const CommandRow& row : kCommands) {
    if (words[0] == row.name) return row.run(rest);
  }
  for (const char* missing : kMissing) {
    if (words[0] != missing) continue;
    std::fprintf(stderr, "Error: the built-in agnhost has no \"%s\"; with \"image: host\" a program of this machine can take its place\n", missing);
    return 1;
  }
  if (words[0][0] == '-') std::fprintf(stderr, "Error: unknown flag: %s\n%s\n", words[0].c_str(), usage().c_str());
  else std::fprintf(stderr, "Error: unknown command %s for \"app\"\nRun 'app --help' for usage.\n", go_quoted(words[0]).c_str());
  return 1;
}

}  // namespace server::images
