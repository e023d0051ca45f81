#include "server/gateway/ingress/annotations.h"

#include <unordered_map>

#include "server/gateway/ingress/values.h"

namespace server::gateway {
namespace {

using Index = std::unordered_map<std::string_view, const AnnotationRow*>;

void apply_one(const std::string& key, std::string_view name, const std::string& raw, Settings& settings, const TellProblem& tell) {
  const AnnotationRow* row = find_annotation(name);
  if (row == nullptr) {
    return tell(key, "AnnotationUnknown", "Annotation " + key + " = " + in_quotes(raw) + " has no meaning: ingress-nginx knows no such annotation. Check its spelling against docs/ingress.md, or remove it.");
  }
  if (row->support == Support::kRefused) {
    return tell(key, "AnnotationUnsupported", "Annotation " + key + " = " + in_quotes(raw) + " is not honoured: " + row->note);
  }
  if (row->apply == nullptr) return;
  settings.annotated = true;
  const base::Status done = row->apply(std::string(trim(raw)), settings);
  if (done.ok()) return;
  std::string text = "Annotation " + key + " = " + in_quotes(raw) + " is not used: it must be " + row->form;
  if (!done.error().message.empty()) text += " (" + done.error().message + ")";
  text += ".";
  if (row->protects) {
    settings.closed = true;
    text += " As it is there to protect, requests are answered 503 until it is put right.";
  }
  tell(key, "AnnotationInvalid", text);
}

}  // namespace

const std::vector<const AnnotationRow*>& annotation_table() {
  static const std::vector<const AnnotationRow*> all = [] {
    std::vector<const AnnotationRow*> out;
    for (auto rows : {rewrite_annotations(), proxy_annotations(), auth_annotations(), access_annotations(), balance_annotations(), tls_annotations(), other_annotations()}) {
      for (const AnnotationRow& row : rows) out.push_back(&row);
    }
    return out;
  }();
  return all;
}

const AnnotationRow* find_annotation(std::string_view name) {
  static const Index index = [] {
    Index out;
    for (const AnnotationRow* row : annotation_table()) out.emplace(row->name, row);
    return out;
  }();
  const auto it = index.find(name);
  return it == index.end() ? nullptr : it->second;
}

const AnnotationRow* find_annotation_of_config_key(std::string_view key) {
  static const Index index = [] {
    Index out;
    for (const AnnotationRow* row : annotation_table()) {
      if (row->config_key != nullptr) out.emplace(row->config_key, row);
    }
    return out;
  }();
  const auto it = index.find(key);
  return it == index.end() ? nullptr : it->second;
}

void apply_annotations(const std::map<std::string, std::string>& annotations, const std::string& prefix, Settings& settings, const TellProblem& tell) {
  for (auto it = annotations.lower_bound(prefix); it != annotations.end() && it->first.starts_with(prefix); ++it) {
    apply_one(it->first, std::string_view(it->first).substr(prefix.size()), it->second, settings, tell);
  }
}

}  // namespace server::gateway
