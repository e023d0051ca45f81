// server/gateway/ingress/annotations.h - the table of all annotations that ingress-nginx knows: how each is written, what it sets,
// or why it is not honoured here. Nothing under the prefix is passed over in silence. docs/ingress.md shows the same table.
//
// Rows are static; the functions are pure. Any thread.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/gateway/ingress/settings.h"
#include "store/base/result.h"

namespace server::gateway {

enum class Support : uint8_t {
  kFull,       // As ingress-nginx does.
  kDiffers,    // Honoured; `note` says what is different.
  kNoEffect,   // Accepted, and nothing would change: it tunes what is not there.
  kRefused,    // Not honoured; `note` says why and what to do. A problem.
};

struct AnnotationRow {
  const char* name;      // Without the prefix.
  const char* form;      // What a value looks like, to follow "must be".
  // Sets it. Errors: the value is not of that form (an empty message: `form` says it all). nullptr with kNoEffect, kRefused.
  base::Status (*apply)(const std::string& value, Settings& settings);
  Support support = Support::kFull;
  const char* note = "";
  // A malformed value closes the Ingress (503): it was to keep somebody out.
  bool protects = false;
  // The ConfigMap's key that sets the same for all Ingresses; nullptr: none.
  const char* config_key = nullptr;
};
// One theme a file.
std::span<const AnnotationRow> rewrite_annotations();
std::span<const AnnotationRow> auth_annotations();
std::span<const AnnotationRow> access_annotations();   // cors, limits, addresses
std::span<const AnnotationRow> proxy_annotations();
std::span<const AnnotationRow> balance_annotations();  // canary, affinity, load balancing, mirrors
std::span<const AnnotationRow> tls_annotations();
std::span<const AnnotationRow> other_annotations();    // The refused and the ineffective.

// All of them, by theme.
const std::vector<const AnnotationRow*>& annotation_table();
const AnnotationRow* find_annotation(std::string_view name);            // nullptr: ingress-nginx has none of that name.
const AnnotationRow* find_annotation_of_config_key(std::string_view key);  // nullptr: no row has that key.

using TellProblem = std::function<void(const std::string& annotation, const char* reason, const std::string& message)>;
// Applies all that begin with `prefix`, in the table's words to `tell` what could not be.
void apply_annotations(const std::map<std::string, std::string>& annotations, const std::string& prefix, Settings& settings, const TellProblem& tell);

}  // namespace server::gateway
