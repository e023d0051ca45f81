// The built-in nginx as a program: command line, signals, start and end.
#include <dirent.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <memory>

#include "server/images/builtins.h"
#include "server/images/nginx_server.h"

namespace server::images {
namespace {

int fail_nginx(const std::string& text) {
  char now[32];
  time_t seconds = ::time(nullptr);
  struct tm parts {};
  ::localtime_r(&seconds, &parts);
  std::strftime(now, sizeof now, "%Y/%m/%d %H:%M:%S", &parts);
  std::fprintf(stderr, "%s [emerg] 1#1: %s\n", now, text.c_str());
  return 1;
}

// A configuration file that the pod brings. The image starts with none, so whatever is there was mounted.
std::string find_configuration() {
  for (const char* directory : {"/etc/nginx", "/etc/nginx/conf.d", "/etc/nginx/templates"}) {
    std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory), ::closedir);
    if (dir == nullptr) continue;
    while (dirent* entry = ::readdir(dir.get())) {
      std::string name = entry->d_name;
      if (name.find(".conf") != std::string::npos) return std::string(directory) + "/" + name;
    }
  }
  return "";
}

struct NginxOptions {
  bool version = false;
  bool test = false;
  std::string unknown;
};

// Accepts what start commands commonly say: -g 'daemon off;' is what happens anyway.
NginxOptions parse_options(const std::vector<std::string>& argv) {
  NginxOptions options;
  for (size_t i = 1; i < argv.size(); ++i) {
    const std::string& arg = argv[i];
    if (arg == "-v" || arg == "-V") options.version = true;
    else if (arg == "-t") options.test = true;
    else if (arg == "-q" || arg == "nginx" || arg == "nginx-debug") continue;
    else if (arg == "-g" && i + 1 < argv.size() && argv[i + 1].find("daemon off") != std::string::npos) ++i;
    else options.unknown = arg;
  }
  return options;
}

// Where the image's files were not put in place (a host directory that cannot be made writable), the welcome page is
// served from a directory of the container's own.
std::string choose_root() {
  const std::string usual = NginxSite().root;
  if (::access(usual.c_str(), F_OK) == 0) return usual;
  const std::string own = "/run/nginx-html";
  bool made = ::mkdir(own.c_str(), 0755) == 0 && base::write_file_atomic(own + "/index.html", nginx_welcome_page(), 0644).ok() &&
              base::write_file_atomic(own + "/50x.html", nginx_trouble_page(), 0644).ok();
  return made ? own : usual;
}

}  // namespace

int nginx_main(const std::vector<std::string>& argv) {
  NginxOptions options = parse_options(argv);
  if (!options.unknown.empty()) return fail_nginx("the built-in nginx does not know the option \"" + options.unknown + "\"");
  if (options.version) {
    std::fprintf(stderr, "nginx version: nginx/%s\n", kNginxVersion);
    return 0;
  }
  std::string configuration = find_configuration();
  if (!configuration.empty()) {
    return fail_nginx("the built-in nginx serves /usr/share/nginx/html and reads no configuration, but the pod brings " + configuration +
                "; use \"image: host\" with an nginx of this machine");
  }
  if (options.test) return 0;
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);   // Reload: there is nothing to read again.
  ::signal(SIGCHLD, SIG_IGN);  // As pid 1 it inherits orphans; the kernel reaps them.
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGQUIT}) sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  base::Fd stop(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  NginxSite site;
  site.root = choose_root();
  NginxServer server(site);
  base::Status listening = server.listen();
  if (!listening.ok()) return fail_nginx(listening.error().message);
  return server.run(stop);
}

}  // namespace server::images
