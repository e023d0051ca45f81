#include <cstdio>

#include "server/cli/verb.h"

namespace server {

Verb version_verb() {
  Verb verb;
  verb.name = "version";
  verb.summary = "Print the version";
  verb.example = "kubelan version";
  verb.run = [](const std::vector<std::string>&) -> base::Result<int> {
    std::printf("kubelan %s (speaks the Kubernetes v1.36 API)\n", KUBELAN_VERSION);
    return 0;
  };
  return verb;
}

}  // namespace server
