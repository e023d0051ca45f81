#include "server/proxy/kernel.h"

#include <algorithm>

#include "netns/nft/nft.h"

namespace server::proxy {
namespace {

bool is_ours(const std::string& chain) {
  return chain.starts_with("wheel-") || chain.starts_with("random-") || chain.starts_with("remember-");
}

void compare_set(Set set, const std::map<netns::NftValue, netns::NftElement>& want, const std::vector<netns::NftElement>& have,
                 std::vector<std::string>& out) {
  const std::string name = set_name(set);
  std::set<netns::NftValue> seen;
  for (const netns::NftElement& element : have) {
    seen.insert(element.key);
    auto it = want.find(element.key);
    if (it == want.end()) {
      out.push_back(name + " has " + element.key.text() + ", which should not be there");
    } else if (!(it->second.data == element.data) || it->second.verdict != element.verdict || !(it->second.key_end == element.key_end)) {
      out.push_back(name + " has another value for " + element.key.text() + ": " + element.data.text() + " instead of " + it->second.data.text());
    }
  }
  for (const auto& [key, element] : want) {
    if (!seen.contains(key)) out.push_back(name + " lacks " + key.text());
  }
}

}  // namespace

base::Result<netns::NftSocket*> NodeKernel::socket() {
  if (!socket_) socket_ = TRY(netns::NftSocket::open());
  return &*socket_;
}

base::Status NodeKernel::run(const std::string& commands) { return node_.nft().run(commands); }

base::Status NodeKernel::commit(const std::vector<Transaction>& transactions) {
  netns::NftSocket* nft = TRY(socket());
  for (const Transaction& transaction : transactions) {
    if (!transaction.commands.empty()) TRY_STATUS(run(transaction.commands));
    TRY_STATUS(nft->commit(transaction.batch));
  }
  return {};
}

base::Status NodeKernel::delete_stale(const std::vector<netns::Conntrack::Stale>& stale) {
  if (stale.empty()) return {};
  if (!conntrack_) conntrack_ = TRY(netns::Conntrack::open());
  base::Result<size_t> deleted = conntrack_->delete_stale(stale);
  return deleted.ok() ? base::Status{} : base::Status(deleted.error());
}

base::Result<std::vector<std::string>> NodeKernel::compare(const Elements& elements, const std::set<std::string>& chains) {
  netns::NftSocket* nft = TRY(socket());
  std::vector<std::string> out;
  for (const auto& [set, want] : elements) {
    std::vector<netns::NftElement> have = TRY(nft->list_elements(family_, kTableName, set_name(set)));
    compare_set(set, want, have, out);
  }
  std::set<std::string> have;
  std::vector<netns::NftChain> listed = TRY(nft->list_chains(family_, kTableName));
  for (const netns::NftChain& chain : listed) {
    if (is_ours(chain.name)) have.insert(chain.name);
  }
  for (const std::string& chain : have) {
    if (!chains.contains(chain)) out.push_back("chain " + chain + " should not be there");
  }
  for (const std::string& chain : chains) {
    if (!have.contains(chain)) out.push_back("chain " + chain + " is missing");
  }
  return out;
}

}  // namespace server::proxy
