// Server-side apply: merge, prune what the manager gave up, find conflicts, write ownership.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "kubectl-compat/patch/fields_v1.h"
#include "kubectl-compat/patch/managed.h"
#include "kubectl-compat/patch/patch.h"
#include "kubectl-compat/patch/typed.h"
#include "store/object/access.h"

namespace compat {
namespace {

constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr size_t kMaxAnnotation = 256 * 1024;
constexpr std::string_view kBeforeFirstApply = "before-first-apply";

struct Conflict {
  std::string manager;  // As printed: "kubectl-edit" using v1
  std::string path;
  std::vector<std::string> elements;
};

std::string quoted(const std::string& text) { return json(text).dump(-1, ' ', false, json::error_handler_t::replace); }

std::string print_owner(const Owner& owner) {
  std::string out = quoted(owner.manager);
  if (!owner.subresource.empty()) out += " with subresource " + quoted(owner.subresource);
  // Identities carry no time, so that the "at" of upstream's printer never shows.
  if (!owner.apply) out += " using " + owner.api_version;
  return out;
}

base::Error conflict_error(std::vector<Conflict> conflicts) {
  std::stable_sort(conflicts.begin(), conflicts.end(), [](const Conflict& l, const Conflict& r) { return l.manager < r.manager; });
  base::Error error{base::Code::kConflict, ""};
  std::string lines;
  const std::string* last = nullptr;
  for (const Conflict& conflict : conflicts) {
    error.causes.push_back({"FieldManagerConflict", "conflict with " + conflict.manager, conflict.path});
    if (last == nullptr || *last != conflict.manager) lines += (last == nullptr ? "" : "\n") + ("conflicts with " + conflict.manager + ":");
    lines += "\n- " + conflict.path;
    last = &conflict.manager;
  }
  const Conflict& first = conflicts.front();
  error.message = conflicts.size() == 1 ? "Apply failed with 1 conflict: conflict with " + first.manager + ": " + first.path
                                        : "Apply failed with " + std::to_string(conflicts.size()) + " conflicts: " + lines;
  return error;
}

std::string group_version_kind(const store::Resource& resource) {
  return std::string(resource.group) + "/" + std::string(resource.version) + ", Kind=" + std::string(resource.kind);
}

base::Error schema_error(const json& config, const store::Resource& resource, const std::vector<std::string>& errors) {
  std::string text = errors.size() == 1 ? errors[0] : "errors:";
  for (size_t i = 0; errors.size() > 1 && i < errors.size(); ++i) text += "\n  " + errors[i];
  return {base::Code::kInternal, "failed to create typed patch object (" + store::get_string(config, "metadata.namespace") + "/" +
                                     store::get_string(config, "metadata.name") + "; " + group_version_kind(resource) + "): " + text};
}

base::Status check_config(const json& config, const store::Resource& resource) {
  if (!config.is_object()) return base::Error{base::Code::kBadRequest, "error decoding YAML: the patch is not an object"};
  const json* managed = find_managed_fields(config);
  if (managed != nullptr) return base::Error{base::Code::kBadRequest, "metadata.managedFields must be nil"};
  std::string version = store::get_string(config, "apiVersion");
  if (version != resource.api_version()) {
    return base::Error{base::Code::kBadRequest, "Incorrect version specified in apply patch. Specified patch version: " + version +
                                                    ", expected: " + resource.api_version()};
  }
  return {};
}

class Applier {
 public:
  Applier(const json& live, const json& config, const store::Resource& resource, const ApplyOptions& options)
      : live_(live), resource_(resource), options_(options), compare_{ignored_field(resource, options.manager.subresource)}, config_(config) {}

  base::Result<json> run() {
    prepare();
    std::vector<std::string> errors;
    own_ = field_set(config_, *resource_.type, errors);
    if (!errors.empty()) return schema_error(config_, resource_, errors);
    own_.member = false;
    json merged = TRY(attempt(options_.force));
    update_last_applied(merged);
    Owner self = me();
    self.fields = own_;
    strip_server_fields(self.fields);
    erase_reset(self.fields, reset_path(resource_, options_.manager.subresource));
    bool same_owner_set = last_ != nullptr && last_->fields == self.fields && last_->api_version == self.api_version;
    if (live_.is_object() && merged == bare_live_ && same_owner_set && !others_changed_) return live_;
    replace_own(std::move(self));
    if (!owners_.empty()) store::ensure(merged, "metadata")["managedFields"] = std::move(owners_).encode();
    return merged;
  }

 private:
  Owner me() const {
    const Manager& manager = options_.manager;
    return {manager.name, true, manager.api_version, manager.subresource, base::render_rfc3339(options_.now), {}, nullptr, true};
  }

  void prepare() {
    if (!compare_.ignored.empty()) config_.erase(std::string(compare_.ignored));
    auto metadata = config_.find("metadata");
    if (metadata != config_.end() && metadata->is_object()) {
      // Clients send "creationTimestamp": null; it is not theirs to clear.
      for (auto it = metadata->begin(); it != metadata->end();) {
        it = it->is_null() && is_server_metadata(it.key()) ? metadata->erase(it) : std::next(it);
      }
    }
    if (!live_.is_object()) return;
    bare_live_ = live_;
    store::erase(bare_live_, "metadata.managedFields");
    const json* managed = find_managed_fields(live_);
    auto owners = managed == nullptr ? std::nullopt : Owners::stored(*managed);
    if (owners) owners_ = std::move(*owners);
    owners_.load_all();
    if (owners_.empty()) {
      Owner before{std::string(kBeforeFirstApply), false, options_.manager.api_version, options_.manager.subresource,
                   base::render_rfc3339(options_.now), compare(nullptr, bare_live_, *resource_.type, compare_).taken, nullptr, true};
      owners_.add(std::move(before));
      others_changed_ = true;
    }
    last_ = owners_.find(me());
  }

  json merged_tree() {
    if (!live_.is_object()) return config_;
    json merged = merge(bare_live_, config_, *resource_.type);
    if (last_ != nullptr) {
      PathSet managed = own_;
      for (const Owner& owner : owners_.list()) {
        if (&owner != last_) managed.unite(owner.fields);
      }
      prune_paths(merged, *resource_.type, last_->fields, managed);
    }
    // The live object has its defaults; without them here, an atomic list applied again would differ from itself.
    if (!resource_.custom) store::apply_defaults(merged, *resource_.type);
    return merged;
  }

  base::Result<json> attempt(bool force) {
    json merged = merged_tree();
    if (!live_.is_object()) return merged;
    Difference difference = compare(bare_live_, merged, *resource_.type, compare_);
    std::vector<Conflict> conflicts = find_conflicts(difference.taken);
    if (!force && !conflicts.empty()) {
      conflicts = not_excused(std::move(conflicts));
      if (!conflicts.empty()) return conflict_error(std::move(conflicts));
    }
    PathSet lost = std::move(difference.taken);
    lost.unite(difference.removed);
    Owner self = me();
    others_changed_ = owners_.subtract(lost, last_) || others_changed_;
    last_ = owners_.find(self);
    return merged;
  }

  std::vector<Conflict> find_conflicts(const PathSet& taken) {
    std::vector<Conflict> out;
    for (const Owner& owner : owners_.list()) {
      if (&owner == last_) continue;
      owner.fields.intersection(taken).for_each([&](const std::vector<std::string_view>& path) {
        out.push_back({print_owner(owner), render_path(path), {path.begin(), path.end()}});
      });
    }
    return out;
  }

  // kubectl takes over from its own client-side apply: what that one last wrote, and nobody changed since, is no conflict.
  std::vector<Conflict> not_excused(std::vector<Conflict> conflicts) const {
    if (options_.manager.name != "kubectl") return conflicts;
    const json* annotations = store::find(bare_live_, "metadata.annotations");
    const json* text = annotations == nullptr ? nullptr : store::find_key(*annotations, kLastApplied);
    if (text == nullptr || !text->is_string()) return conflicts;
    json applied = json::parse(text->get_ref<const std::string&>(), nullptr, false);
    if (!applied.is_object()) return conflicts;
    std::vector<std::string> errors;
    PathSet excused = field_set(applied, *resource_.type, errors);
    Difference since = compare(applied, bare_live_, *resource_.type, {});
    excused.subtract(since.taken);
    excused.subtract(since.removed);
    std::erase_if(conflicts, [&](const Conflict& conflict) {
      const PathSet* at = &excused;
      for (const std::string& element : conflict.elements) at = at == nullptr ? nullptr : at->find(element);
      return at != nullptr && at->member;
    });
    return conflicts;
  }

  // kubectl's annotation, where there is one, follows its server-side applies, so that going back works.
  void update_last_applied(json& merged) const {
    if (options_.manager.name != "kubectl" || !options_.manager.subresource.empty()) return;
    const json* annotations = store::find(merged, "metadata.annotations");
    if (annotations == nullptr || store::find_key(*annotations, kLastApplied) == nullptr) return;
    json applied = config_;
    json& own_annotations = store::ensure(applied, "metadata");
    if (own_annotations.contains("annotations") && own_annotations["annotations"].is_object()) own_annotations["annotations"].erase(std::string(kLastApplied));
    std::string text = applied.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    if (text.size() > kMaxAnnotation) text.clear();
    merged["metadata"]["annotations"][std::string(kLastApplied)] = std::move(text);
  }

  void replace_own(Owner self) {
    if (last_ == nullptr) {
      owners_.add(std::move(self));
    } else if (self.fields.empty()) {
      std::erase_if(owners_.list(), [&](const Owner& owner) { return &owner == last_; });
    } else {
      *last_ = std::move(self);
    }
  }

  const json& live_;
  const store::Resource& resource_;
  const ApplyOptions& options_;
  const CompareOptions compare_;
  json config_;
  json bare_live_;   // live_ without managedFields
  Owners owners_;
  Owner* last_ = nullptr;  // This manager's entry in owners_
  PathSet own_;
  bool others_changed_ = false;
};

}  // namespace

base::Result<json> apply_server_side(const json& live, const json& config, const store::Resource& resource, const ApplyOptions& options) {
  TRY_STATUS(check_config(config, resource));
  return Applier(live, config, resource, options).run();
}

}  // namespace compat
