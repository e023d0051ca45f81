// server/cli/verb.h - a command of the CLI as data: cli.cc turns it into an argument parser, help and
// completion. One file a verb makes its row.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "store/base/result.h"

namespace server {

struct Flag {
  std::string names;   // "--name", "-f,--file"
  std::string value;   // Shown in help: "NAME"; empty for a switch.
  std::string help;
  std::variant<bool*, int*, std::string*, std::vector<std::string>*> target;
};

struct Verb {
  std::string name;
  std::string summary;               // One line.
  std::string example;               // Shown at the end of --help.
  std::string details;               // Before the example; empty for most.
  std::vector<Flag> flags;
  std::string positional;            // Help text of a required word; empty: takes none.
  std::string positional_name = "PLACE";
  std::string* positional_target = nullptr;
  std::string words;                 // Help text of any number of further words; empty: takes none.
  std::string words_name;
  std::vector<std::string>* words_target = nullptr;
  bool takes_command = false;        // "-- CMD..." is required.
  // The command's words; returns the exit code. Errors are printed by the caller as one line, exit code 1
  // (125 for verbs that pass a command's exit code on).
  std::function<base::Result<int>(const std::vector<std::string>& command)> run;
  std::shared_ptr<void> storage;     // What the targets point into.
};

Verb up_verb();
Verb down_verb();
Verb list_verb();
Verb status_verb();
Verb kubeconfig_verb();
Verb enter_verb();
Verb run_verb();
Verb publish_verb();
Verb explain_verb();
Verb cert_verb();
Verb version_verb();

// main() of the program.
int run_cli(int argc, char** argv);

}  // namespace server
