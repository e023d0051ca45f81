#include "server/proxy/apply.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "netns/nft/nft.h"

namespace server::proxy {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetiredDelay{2000};  // See NodeTable::take_retired().
constexpr milliseconds kFirstRetry{100};
constexpr int kMaxBackoffShift = 8;  // 25.6 s

base::Status run_all(netns::Node& node, const std::vector<std::string>& transactions) {
  for (const std::string& text : transactions) TRY_STATUS(node.nft().run(text));
  return {};
}

}  // namespace

struct NodeApplier::Shared {
  NodeApplier* self = nullptr;  // Control thread only; null once destroyed.
};

NodeApplier::NodeApplier(ControlLoop& loop, netns::Node& node, std::string ruleset, const NodeView& view, Source source)
    : loop_(loop),
      node_(node),
      ruleset_(std::move(ruleset)),
      view_(view),
      source_(std::move(source)),
      table_(view.family),
      shared_(std::make_shared<Shared>()) {
  shared_->self = this;
}

NodeApplier::~NodeApplier() {
  shared_->self = nullptr;
  node_.worker().call([] {});  // What is still queued there uses the loop, which may go right after us.
}

base::Status NodeApplier::load() {
  return node_.worker().call([this] { return node_.nft().run(ruleset_); });
}

void NodeApplier::mark(const ServiceKey& key, uint64_t sequence) {
  dirty_.insert(key);
  marked_ = sequence;
}

void NodeApplier::send(std::vector<std::string> transactions, std::function<void(base::Status)> done) {
  busy_ = true;
  node_.worker().post([node = &node_, loop = &loop_, shared = shared_, transactions = std::move(transactions), done = std::move(done)] {
    base::Status status = run_all(*node, transactions);
    loop->post([shared, done, status = std::move(status)] {
      if (shared->self == nullptr) return;
      shared->self->busy_ = false;
      done(status);
    });
  });
}

void NodeApplier::flush() {
  if (busy_ || (dirty_.empty() && !reload_)) return;
  std::vector<std::string> transactions;
  if (reload_) {
    // New connections to services fail between the first of these and the one that brings their service back.
    table_.forget();
    transactions.push_back(ruleset_);
    dirty_ = source_.keys();
    reload_ = false;
  }
  std::vector<NodeTable::Change> changes;
  for (const ServiceKey& key : std::exchange(dirty_, {})) changes.push_back({key, source_.plan(key, view_)});
  for (std::string& text : table_.apply(changes)) transactions.push_back(std::move(text));
  const uint64_t sequence = marked_;
  if (transactions.empty()) {
    finished({}, sequence);
    return;
  }
  send(std::move(transactions), [this, sequence](const base::Status& status) { finished(status, sequence); });
}

void NodeApplier::finished(const base::Status& status, uint64_t sequence) {
  if (status.ok()) {
    if (failures_ > 0) spdlog::info("proxy: services of {} are in place again", node_.plan().name);
    failures_ = 0;
    synced_ = sequence;
    schedule_retired();
    source_.on_synced();
    flush();
    return;
  }
  // Which of the transactions took effect is not worth finding out: the whole table is small.
  if (failures_ == 0)
    spdlog::error("proxy: cannot change services of {}, loading all of them again: {}", node_.plan().name, status.error().message);
  reload_ = true;
  const int shift = std::min(failures_++, kMaxBackoffShift);
  busy_ = true;  // Until the timer: marks gather meanwhile.
  loop_.post_after(kFirstRetry * (1 << shift), [shared = shared_] {
    if (shared->self == nullptr) return;
    shared->self->busy_ = false;
    shared->self->flush();
  });
}

void NodeApplier::schedule_retired() {
  if (retired_scheduled_ || !table_.has_retired()) return;
  retired_scheduled_ = true;
  loop_.post_after(kRetiredDelay, [shared = shared_] {
    NodeApplier* self = shared->self;
    if (self == nullptr) return;
    self->retired_scheduled_ = false;
    std::vector<std::string> transactions = self->table_.take_retired();
    if (transactions.empty()) return;
    // In order with the changes on the worker. An empty chain that stays behind harms nobody: not a failure.
    self->node_.worker().post([node = &self->node_, transactions = std::move(transactions)] {
      base::ignore(run_all(*node, transactions), "a chain still in use is left over until the next reload");
    });
  });
}

}  // namespace server::proxy
