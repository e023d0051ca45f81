#include <cstdio>
#include <nlohmann/json.hpp>

#include "server/cli/control_client.h"
#include "server/cli/explanation.h"
#include "server/cli/verb.h"
#include "store/object/access.h"

namespace server {
namespace {

struct Explain {
  std::string name;
  std::string state_dir;
  std::string output;
  std::string subject;
  std::vector<std::string> url;
  std::string method = "GET";
  std::vector<std::string> headers;
  bool tls = false;
};

constexpr char kExplainHelp[] =
    R"(Says where the ingress controller sends a request, without sending it: which host and rule take it, what the
rule's annotations make of it, which backend and pods it goes to, and why other rules lost.

  kubelan explain ingress [http://|https://]HOST/PATH [--method M] [--header 'NAME: VALUE']... [--tls] [-o json]
)";

base::Result<json> make_request(const Explain& e) {
  auto invalid = [](const std::string& what) { return base::Error(base::Code::kInvalid, what); };
  if (e.subject != "ingress") return invalid("explain \"" + e.subject + "\": only ingress is known, as in 'kubelan explain ingress example.com/app'");
  if (e.url.size() != 1) return invalid("explain ingress: say which request, as in 'kubelan explain ingress example.com/app'");
  if (!e.output.empty() && e.output != "json") return invalid("-o \"" + e.output + "\": only json is known");
  json headers = json::array();
  for (const std::string& line : e.headers) {
    const size_t colon = line.find(':');
    if (colon == 0 || colon == std::string::npos) return invalid("--header \"" + line + "\": use 'NAME: VALUE'");
    const size_t value = line.find_first_not_of(' ', colon + 1);
    headers.push_back({line.substr(0, colon), value == std::string::npos ? "" : line.substr(value)});
  }
  return json{{"op", "explain"}, {"subject", e.subject}, {"url", e.url[0]}, {"method", e.method}, {"headers", headers}, {"tls", e.tls}};
}

base::Result<int> run_explain(const Explain& e) {
  const json request = TRY(make_request(e));
  const ClusterChoice cluster = TRY(choose_cluster(e.name, e.state_dir));
  const json body = TRY(ask(cluster.name, cluster.state_dir, request));
  const json& explanation = store::get_object(body, "explanation");
  if (e.output == "json") std::printf("%s\n", explanation.dump(2).c_str());
  else std::fputs(render_explanation(explanation).c_str(), stdout);
  return 0;
}

}  // namespace

Verb explain_verb() {
  auto e = std::make_shared<Explain>();
  Verb verb;
  verb.name = "explain";
  verb.summary = "Say where a request to an Ingress goes, and why";
  verb.details = kExplainHelp;
  verb.example = "kubelan explain ingress https://devopsexample.com/app --header 'Cookie: beta=always'";
  verb.flags = {
      {"--name", "NAME", "Name of the cluster (default \"default\")", &e->name},
      {"--state-dir", "DIR", "Its state folder, if it was started with one", &e->state_dir},
      {"--method", "METHOD", "Of the request (default GET)", &e->method},
      {"-H,--header", "'NAME: VALUE'", "A header field of the request; may be repeated", &e->headers},
      {"--tls", "", "By HTTPS, as with https:// before the host", &e->tls},
      {"-o,--output", "json", "Print JSON", &e->output},
  };
  verb.positional = "ingress";
  verb.positional_name = "SUBJECT";
  verb.positional_target = &e->subject;
  verb.words = "The request, as HOST/PATH";
  verb.words_name = "URL";
  verb.words_target = &e->url;
  verb.run = [e](const std::vector<std::string>&) { return run_explain(*e); };
  verb.storage = e;
  return verb;
}

}  // namespace server
