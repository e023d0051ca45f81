// server/proxy/kernel.h - a node's kernel, as the proxy uses it. Made anywhere, used on the node's worker only.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "netns/conntrack/conntrack.h"
#include "netns/fabric.h"
#include "netns/nft/batch.h"
#include "server/proxy/table.h"

namespace server::proxy {

class NodeKernel {
 public:
  NodeKernel(netns::Node& node, base::Family family) : node_(node), family_(family) {}

  base::Status run(const std::string& commands);  // As nft's text.
  base::Status commit(const std::vector<Transaction>& transactions);
  base::Status delete_stale(const std::vector<netns::Conntrack::Stale>& stale);
  using Elements = std::map<Set, std::map<netns::NftValue, netns::NftElement>>;
  // A line a difference; only chains made by the table are looked at.
  base::Result<std::vector<std::string>> compare(const Elements& elements, const std::set<std::string>& chains);

 private:
  base::Result<netns::NftSocket*> socket();

  netns::Node& node_;
  const base::Family family_;
  std::optional<netns::NftSocket> socket_;        // Opened on first use, by the worker.
  std::optional<netns::Conntrack> conntrack_;
};

}  // namespace server::proxy
