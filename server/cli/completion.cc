#include "server/cli/completion.h"

#include <cstdio>

namespace server {
namespace {

// "-f,--file" -> the words a shell can offer.
std::vector<std::string> words(const Verb& verb) {
  std::vector<std::string> out = {"--help"};
  for (const Flag& flag : verb.flags) {
    size_t at = 0;
    while (at < flag.names.size()) {
      size_t comma = std::min(flag.names.find(',', at), flag.names.size());
      out.push_back(flag.names.substr(at, comma - at));
      at = comma + 1;
    }
  }
  return out;
}

std::string join(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : " ") + part;
  return out;
}

std::string bash_script(const std::vector<Verb>& verbs) {
  std::string names, cases;
  for (const Verb& verb : verbs) {
    names += (names.empty() ? "" : " ") + verb.name;
    cases += "    " + verb.name + ") words=\"" + join(words(verb)) + "\" ;;\n";
  }
  return "_kubelan() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words=\"" + names + " --help\"\n  case ${COMP_WORDS[1]} in\n" + cases +
         "  esac\n  [ \"$COMP_CWORD\" = 1 ] && words=\"" + names + " --help\"\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _kubelan kubelan\n";
}

std::string fish_script(const std::vector<Verb>& verbs) {
  std::string out;
  for (const Verb& verb : verbs) {
    out += "complete -c kubelan -n __fish_use_subcommand -f -a " + verb.name + " -d '" + verb.summary + "'\n";
    for (const std::string& word : words(verb)) {
      if (word.rfind("--", 0) == 0) out += "complete -c kubelan -n '__fish_seen_subcommand_from " + verb.name + "' -l " + word.substr(2) + "\n";
    }
  }
  return out;
}

}  // namespace

Verb completion_verb(const std::vector<Verb>& verbs) {
  auto shell = std::make_shared<std::string>();
  Verb verb;
  verb.name = "completion";
  verb.summary = "Print a completion script for a shell";
  verb.example = "source <(kubelan completion bash)";
  verb.positional = "bash, zsh or fish";
  verb.positional_name = "SHELL";
  verb.positional_target = shell.get();
  // zsh runs bash's completions through bashcompinit.
  verb.run = [shell, rows = verbs](const std::vector<std::string>&) -> base::Result<int> {
    if (*shell == "bash") std::fputs(bash_script(rows).c_str(), stdout);
    else if (*shell == "zsh") std::fputs(("autoload -U +X bashcompinit && bashcompinit\n" + bash_script(rows)).c_str(), stdout);
    else if (*shell == "fish") std::fputs(fish_script(rows).c_str(), stdout);
    else return base::Error(base::Code::kInvalid, "completion \"" + *shell + "\": use bash, zsh or fish");
    return 0;
  };
  verb.storage = shell;
  return verb;
}

}  // namespace server
