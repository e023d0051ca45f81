// server/cli/completion.h - `kubelan completion bash|zsh|fish`, made from the table of verbs.
#pragma once

#include "server/cli/verb.h"

namespace server {

Verb completion_verb(const std::vector<Verb>& verbs);

}  // namespace server
