#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "server/app/pki_store.h"
#include "server/cli/cert_hosts.h"
#include "server/cli/control_client.h"
#include "server/cli/verb.h"
#include "store/base/clock.h"
#include "store/base/fd.h"

namespace server {
namespace {

// As long as clients take a certificate at all, Apple's being the strictest.
constexpr int kDays = 825;
constexpr int kMaxDays = 3650;

struct Cert {
  std::string name;
  std::string state_dir;
  int days = kDays;
  std::string out;
  std::string secret;
  std::string ns;
  bool ca = false;
  bool force = false;
  std::vector<std::string> hosts;
};

constexpr char kCertHelp[] =
    R"(Signs a certificate for the HOSTs, with the CA that the cluster made for itself. HOST is a name, a wildcard as in '*.web.test', or an address.

  kubelan cert HOST...                  writes HOST.crt and HOST.key, named by the first HOST
  kubelan cert HOST... --secret NAME    prints a Secret of type kubernetes.io/tls, for 'kubectl apply -f -'
  kubelan cert --ca                     prints the CA's certificate, for clients to trust

The cluster need not be up, only have been once.
)";

base::Error invalid(std::string message) { return base::Error(base::Code::kInvalid, std::move(message)); }

base::Status check(const Cert& c) {
  bool makes = !c.hosts.empty();
  if (c.ca && (makes || !c.secret.empty() || !c.out.empty())) return invalid("cert --ca prints the CA's certificate and takes neither hosts nor --secret nor --out");
  if (c.ca) return {};
  if (!makes) return invalid("cert: say for which host, as in 'kubelan cert web.test'");
  if (c.days < 1 || c.days > kMaxDays) return invalid("--days " + std::to_string(c.days) + ": use 1 to " + std::to_string(kMaxDays));
  if (!c.secret.empty() && !c.out.empty()) return invalid("cert: --secret prints and --out writes files: give one of them");
  if (c.secret.empty() && !c.ns.empty()) return invalid("cert: -n is the namespace of the Secret and needs --secret");
  if (!c.secret.empty()) TRY_STATUS(check_object_name("--secret", c.secret));
  if (!c.ns.empty()) TRY_STATUS(check_object_name("-n", c.ns));
  return {};
}

base::Status write_new(const std::string& path, const std::string& text, unsigned mode, bool force) {
  if (force) return base::write_file_atomic(path, text, mode);
  base::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file && errno == EEXIST) return base::Error(base::Code::kAlreadyExists, path + " exists already: give --force to replace it, or --out DIR for another folder");
  if (!file) return base::os_error("write " + path);
  base::Status written = base::write_all(file.get(), text.data(), text.size());
  if (!written.ok()) ::unlink(path.c_str());
  return written;
}

base::Result<int> write_files(const Cert& c, const ClusterChoice& cluster, const KeyPair& pair, const std::vector<std::string>& hosts) {
  const std::string stem = (c.out.empty() ? "" : c.out + "/") + cert_file_stem(hosts.front());
  TRY_STATUS(write_new(stem + ".key", pair.key_pem, 0600, c.force));
  base::Status written = write_new(stem + ".crt", pair.cert_pem, 0644, c.force);
  if (!written.ok()) {
    if (!c.force) ::unlink((stem + ".key").c_str());
    return std::move(written).error();
  }
  std::string names;
  for (const std::string& host : hosts) names += (names.empty() ? "" : ", ") + host;
  const std::string until = base::render_rfc3339(base::SystemClock().wall() + std::chrono::hours(24 * c.days)).substr(0, 10);
  std::printf("%s.crt and %s.key: for %s, until %s\n", stem.c_str(), stem.c_str(), names.c_str(), until.c_str());
  std::printf("As a Secret: kubectl create secret tls %s --cert='%s.crt' --key='%s.key'\n", cert_secret_name(hosts.front()).c_str(), stem.c_str(), stem.c_str());
  std::printf("The CA that clients must trust: %s/pki/ca.crt\n", cluster.state_dir.c_str());
  return 0;
}

base::Result<int> run_cert(Cert& c) {
  TRY_STATUS(check(c));
  std::vector<std::string> hosts;
  for (const std::string& word : c.hosts) hosts.push_back(TRY(parse_cert_host(word)));
  const ClusterChoice cluster = TRY(choose_cluster(c.name, c.state_dir));
  base::Result<KeyPair> ca = load_ca(cluster.state_dir);
  if (!ca.ok()) return std::move(ca).error().context("cluster \"" + cluster.name + "\"");
  if (c.ca) {
    std::fputs(ca->cert_pem.c_str(), stdout);
    return 0;
  }
  const KeyPair pair = TRY(sign_for_hosts(*ca, hosts, c.days));
  if (c.secret.empty()) return write_files(c, cluster, pair, hosts);
  std::fputs(render_tls_secret(pair, c.secret, c.ns).c_str(), stdout);
  return 0;
}

}  // namespace

Verb cert_verb() {
  auto c = std::make_shared<Cert>();
  Verb verb;
  verb.name = "cert";
  verb.summary = "Sign a certificate for hosts with the cluster's CA";
  verb.details = kCertHelp;
  verb.example = "kubelan cert web.test '*.web.test' --secret web-tls | kubectl apply -f -";
  verb.flags = {
      {"--name", "NAME", "Name of the cluster (default \"default\")", &c->name},
      {"--state-dir", "DIR", "Its state folder, if it was started with one", &c->state_dir},
      {"--days", "DAYS", "How long it is valid (default 825)", &c->days},
      {"--out", "DIR", "Write the files there (default: the current folder)", &c->out},
      {"--secret", "NAME", "Print a Secret of that name instead of writing files", &c->secret},
      {"-n,--namespace", "NAMESPACE", "The Secret's namespace (default: kubectl's)", &c->ns},
      {"--ca", "", "Print the CA's certificate", &c->ca},
      {"--force", "", "Replace files that exist", &c->force},
  };
  verb.words = "Names, wildcards and addresses that the certificate is for";
  verb.words_name = "HOST";
  verb.words_target = &c->hosts;
  verb.run = [c](const std::vector<std::string>&) { return run_cert(*c); };
  verb.storage = c;
  return verb;
}

}  // namespace server
