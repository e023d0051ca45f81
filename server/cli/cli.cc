#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

#include "server/cli/completion.h"
#include "server/cli/verb.h"

namespace server {
namespace {

constexpr int kUsageError = 2;
constexpr int kFailure = 1;
// For verbs that pass a command's exit code on, so that a script can tell the two apart (as env(1) and docker do).
constexpr int kFailureBesideCommand = 125;

CLI::App* add_verb(CLI::App& app, Verb& verb) {
  CLI::App* sub = app.add_subcommand(verb.name, verb.summary);
  std::string usage = verb.takes_command ? "What stands after -- is the command, as it is.\n" : "";
  if (!verb.details.empty()) usage += verb.details + "\n";
  sub->footer(usage + "Example:\n  " + verb.example);
  for (Flag& flag : verb.flags) {
    CLI::Option* option = std::visit(
        [&](auto* target) -> CLI::Option* {
          if constexpr (std::is_same_v<decltype(target), bool*>) return sub->add_flag(flag.names, *target, flag.help);
          else if constexpr (std::is_same_v<decltype(target), std::vector<std::string>*>) return sub->add_option(flag.names, *target, flag.help)->allow_extra_args(false);
          else return sub->add_option(flag.names, *target, flag.help);
        },
        flag.target);
    if (!flag.value.empty()) option->type_name(flag.value);
  }
  if (verb.positional_target != nullptr) sub->add_option(verb.positional_name, *verb.positional_target, verb.positional)->required();
  if (verb.words_target != nullptr) sub->add_option(verb.words_name, *verb.words_target, verb.words);
  return sub;
}

// What stands after the first "--" belongs to the command, whatever it looks like.
std::vector<std::string> split_command(std::vector<std::string>& args) {
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] != "--") continue;
    std::vector<std::string> command(args.begin() + static_cast<std::ptrdiff_t>(i) + 1, args.end());
    args.resize(i);
    return command;
  }
  return {};
}

int complain(const std::string& message) {
  std::string line = message;
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  std::fprintf(stderr, "kubelan: %s\n", line.c_str());
  return kUsageError;
}

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  std::string verb;
  for (const CLI::App* sub : app.get_subcommands()) verb = " " + sub->get_name();
  return complain(std::string(error.what()) + " (see 'kubelan" + verb + " --help')");
}

int run_verb_row(const Verb& verb, const std::vector<std::string>& command) {
  if (verb.takes_command && command.empty()) return complain(verb.name + ": no command given; put it after --, as in: " + verb.example);
  if (!verb.takes_command && !command.empty()) return complain(verb.name + " takes no command after --");
  base::Result<int> code = verb.run(command);
  if (code.ok()) return *code;
  complain(code.error().message);
  return verb.takes_command ? kFailureBesideCommand : kFailure;
}

}  // namespace

int run_cli(int argc, char** argv) {
  std::vector<Verb> verbs;
  for (Verb (*make)() : {up_verb, down_verb, list_verb, status_verb, kubeconfig_verb, enter_verb, run_verb, publish_verb, explain_verb, cert_verb, version_verb}) verbs.push_back(make());
  verbs.push_back(completion_verb(verbs));
  CLI::App app("kubelan: Kubernetes networking on one machine, in one binary, in a blink.", "kubelan");
  app.require_subcommand(1);
  app.footer("Example:\n  kubelan up && kubectl get nodes");
  std::map<CLI::App*, Verb*> rows;
  for (Verb& verb : verbs) rows[add_verb(app, verb)] = &verb;
  std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() == 1 && args[0] == "--version") args[0] = "version";
  std::vector<std::string> command = split_command(args);
  auto is_verb = [&](const std::string& word) { return std::any_of(verbs.begin(), verbs.end(), [&](const Verb& verb) { return verb.name == word; }); };
  // CLI11 would only say that a subcommand is missing.
  if (!args.empty() && args[0][0] != '-' && !is_verb(args[0])) return complain("unknown command \"" + args[0] + "\" (see 'kubelan --help')");
  try {
    std::vector<std::string> reversed(args.rbegin(), args.rend());  // CLI11's vector form takes them from the back.
    app.parse(reversed);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForAllHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  }
  return run_verb_row(*rows.at(app.get_subcommands().front()), command);
}

}  // namespace server
