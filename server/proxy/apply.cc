#include "server/proxy/apply.h"

#include <algorithm>
#include <utility>

#include "server/proxy/compile.h"
#include "server/proxy/kernel.h"
#include "server/proxy/stale.h"
#include "store/base/log.h"

namespace server::proxy {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kRetiredDelay{2000};  // See WheelPool::give_up_surplus().
constexpr milliseconds kFirstRetry{100};
constexpr int kMaxBackoffShift = 8;  // 25.6 s

double seconds_since(steady_clock::time_point then) { return std::chrono::duration<double>(steady_clock::now() - then).count(); }

// Service ports that a Local policy leaves without an endpoint on this node.
size_t count_missing(const ServicePlan& plan, bool external) {
  std::set<size_t> out;
  for (const FrontendPlan& entry : plan.frontends) {
    const size_t target = external ? entry.outside_target.value_or(entry.target) : entry.target;
    if (external ? !entry.outside_target.has_value() : entry.kind != FrontendKind::kCluster) continue;
    if (plan.targets[target].on_empty == OnEmpty::kDrop && plan.targets[target].backends.empty()) out.insert(target);
  }
  return out.size();
}

}  // namespace

struct NodeApplier::Shared {
  NodeApplier* self = nullptr;  // Control thread only; null once destroyed.
};

NodeApplier::NodeApplier(ControlLoop& loop, netns::Node& node, const ProxyOptions& options, NodeView view, Source source)
    : loop_(loop),
      node_(node),
      options_(options),
      view_(std::move(view)),
      source_(std::move(source)),
      kernel_(std::make_shared<NodeKernel>(node, view_.family)),
      table_(view_.family),
      shared_(std::make_shared<Shared>()) {
  shared_->self = this;
}

NodeApplier::~NodeApplier() {
  shared_->self = nullptr;
  node_.worker().call([] {});  // What is still queued there uses the loop, which may go right after us.
}

base::Status NodeApplier::load() {
  const std::string ruleset = compile_ruleset(view_, options_);
  return node_.worker().call([&] { return kernel_->run(ruleset); });
}

void NodeApplier::mark(const ServiceKey& key, uint64_t sequence) {
  if (dirty_.empty()) queued_at_ = steady_clock::now();
  dirty_.insert(key);
  marked_ = sequence;
  status_.last_queued = loop_.clock().wall();
}

std::string NodeApplier::set_commands(const std::string& set, const std::vector<std::string>& elements) const {
  const std::string name = table_text(view_.family) + " " + set;
  std::string list;
  for (const std::string& element : elements) list += (list.empty() ? "" : ", ") + element;
  return "flush set " + name + "\n" + (list.empty() ? "" : "add element " + name + " { " + list + " }\n");
}

void NodeApplier::set_view(NodeView view, uint64_t sequence) {
  if (view.node_port_ips != view_.node_port_ips) {
    std::vector<std::string> ips;
    for (const base::Ip& ip : view.node_port_ips) ips.push_back(ip.text());
    pending_commands_ += set_commands("node_port_ips", ips);
  }
  view_ = std::move(view);
  for (const ServiceKey& key : source_.keys()) mark(key, sequence);
  marked_ = sequence;
}

void NodeApplier::set_options(const ProxyOptions& options, uint64_t sequence) {
  options_ = options;
  pending_commands_ += set_commands("service_cidrs", service_ranges(options, view_.family));
  marked_ = sequence;
}

void NodeApplier::send(Work work, std::function<void(base::Status)> done) {
  busy_ = true;
  sent_at_ = steady_clock::now();
  node_.worker().post([kernel = kernel_, loop = &loop_, shared = shared_, work = std::move(work), done = std::move(done)] {
    base::Status status = work.ruleset.empty() ? base::Status{} : kernel->run(work.ruleset);
    if (status.ok()) status = kernel->commit(work.transactions);
    if (status.ok()) status = kernel->delete_stale(work.stale);
    loop->post([shared, done, status = std::move(status)] {
      if (shared->self == nullptr) return;
      shared->self->busy_ = false;
      done(status);
    });
  });
}

// Remembers what outlives the plan, and finds what it leaves stale.
// anew: nobody knows what the kernel had, so every UDP port counts as changed.
void NodeApplier::note(const ServiceKey& key, const ServicePlan& plan, bool anew, Work& work) {
  Notes notes{plan.udp_ports, plan.health_check, count_missing(plan, false), count_missing(plan, true)};
  auto known = notes_.find(key);
  const Notes before = known != notes_.end() ? known->second : Notes{};
  for (netns::Conntrack::Stale& stale : compile_stale(anew ? std::vector<UdpPort>{} : before.udp_ports, notes.udp_ports, view_.family)) work.stale.push_back(std::move(stale));
  health_changed_ = health_changed_ || before.health_check != notes.health_check;
  if (notes == Notes{}) {
    notes_.erase(key);
  } else {
    notes_[key] = std::move(notes);
  }
}

NodeApplier::Work NodeApplier::compile() {
  Work work;
  const bool anew = reload_;
  if (reload_) {
    // New connections to services fail between the first of these and the one that brings their service back.
    table_.forget();
    work.ruleset = compile_ruleset(view_, options_);
    pending_commands_.clear();
    dirty_ = source_.keys();
    reload_ = false;
  }
  if (!pending_commands_.empty()) {
    work.transactions.push_back({netns::NftBatch(view_.family, kTableName), std::exchange(pending_commands_, ""), ""});
  }
  std::vector<NodeTable::Change> changes;
  for (const ServiceKey& key : std::exchange(dirty_, {})) {
    changes.push_back({key, source_.plan(key, view_)});
    note(key, changes.back().plan, anew, work);
  }
  for (Transaction& transaction : table_.apply(changes)) work.transactions.push_back(std::move(transaction));
  return work;
}

void NodeApplier::flush() {
  if (busy_) return;
  if (dirty_.empty() && !reload_ && pending_commands_.empty()) {
    if (synced_ != marked_) finished({}, marked_);
    verify_now();
    return;
  }
  oldest_sent_ = queued_at_;
  Work work = compile();
  const uint64_t sequence = marked_;
  if (work.transactions.empty() && work.stale.empty() && work.ruleset.empty()) {
    sent_at_ = steady_clock::now();
    finished({}, sequence);
    return;
  }
  send(std::move(work), [this, sequence](const base::Status& status) { finished(status, sequence); });
}

void NodeApplier::finished(const base::Status& status, uint64_t sequence) {
  if (status.ok()) {
    if (failures_ > 0) base::log::info("proxy: services of {} are in place again", node_.plan().name);
    failures_ = 0;
    synced_ = sequence;
    status_.loaded = true;
    status_.last_sync = loop_.clock().wall();
    status_.sync_duration.add(seconds_since(sent_at_));
    status_.programming_duration.add(seconds_since(oldest_sent_));
    if (std::exchange(health_changed_, false)) source_.on_health_checks();
    schedule_retired();
    source_.on_synced();
    flush();
    return;
  }
  // Which of the transactions took effect is not worth finding out: the whole table is small.
  if (failures_ == 0)
    base::log::error("proxy: cannot change services of {}, loading all of them again: {}", node_.plan().name, status.error().message);
  reload_ = true;
  ++status_.failures;
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
    if (self->busy_ || self->reload_) {  // The end of what is on its way asks again.
      self->schedule_retired();
      return;
    }
    Work work{self->table_.take_retired(), {}, ""};
    const uint64_t sequence = self->synced_;
    if (!work.transactions.empty()) self->send(std::move(work), [self, sequence](const base::Status& status) { self->finished(status, sequence); });
  });
}

NodeProxyStatus NodeApplier::status() const {
  NodeProxyStatus out = status_;
  out.node = node_.plan().name;
  out.failing = failures_ > 0;
  out.waiting = busy_ || !dirty_.empty() || reload_;
  for (const auto& [key, notes] : notes_) {
    if (notes.health_check) out.health_checks.push_back({key, notes.health_check->port, notes.health_check->local_endpoints});
    out.no_local_endpoints_internal += notes.missing_internal;
    out.no_local_endpoints_external += notes.missing_external;
  }
  return out;
}

void NodeApplier::verify(std::function<void(std::vector<std::string>)> done) {
  verifying_.push_back(std::move(done));
  flush();
}

void NodeApplier::verify_now() {
  if (verifying_.empty()) return;
  NodeKernel::Elements elements = table_.expected_elements();
  for (const base::Ip& ip : options_.local_services) {  // The ruleset's own.
    if (ip.family() != view_.family) continue;
    netns::NftElement element = claim_element({Set::kClusterIps, {ip, {}, 0}, {}, 0}, 0);
    elements[Set::kClusterIps].emplace(element.key, element);
  }
  busy_ = true;
  node_.worker().post([kernel = kernel_, loop = &loop_, shared = shared_, name = node_.plan().name, elements = std::move(elements),
                       chains = table_.expected_chains(), all = std::exchange(verifying_, {})] {
    base::Result<std::vector<std::string>> found = kernel->compare(elements, chains);
    std::vector<std::string> lines = found.ok() ? *found : std::vector<std::string>{"cannot be listed: " + found.error().message};
    for (std::string& line : lines) line = name + ": " + line;
    loop->post([shared, all, lines = std::move(lines)] {
      for (const auto& done : all) done(lines);
      if (shared->self == nullptr) return;
      shared->self->busy_ = false;
      shared->self->flush();
    });
  });
}

}  // namespace server::proxy
