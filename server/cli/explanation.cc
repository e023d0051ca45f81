#include "server/cli/explanation.h"

#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server {
namespace {

using store::get_array;
using store::get_object;
using store::get_string;

constexpr size_t kMostLost = 10;
constexpr size_t kMostEndpoints = 10;

class Text {
 public:
  // The label stands once for several lines of it.
  void line(const std::string& label, const std::string& text) {
    const std::string shown = label == last_ ? "" : label;
    out_ += shown + std::string(shown.size() < kWidth ? kWidth - shown.size() : 1, ' ') + text + "\n";
    last_ = label;
  }
  std::string take() { return std::move(out_); }

 private:
  static constexpr size_t kWidth = 12;
  std::string out_, last_;
};

std::string name_of(const json& rule) {
  std::string out = get_string(rule, "kind") + " " + get_string(rule, "namespace") + "/" + get_string(rule, "name");
  const std::string field = get_string(rule, "field");
  return field.empty() ? out : out + ", " + field;
}

std::string describe_rule(const json& rule) {
  const std::string method = get_string(rule, "method");
  return name_of(rule) + (method.empty() ? "" : " (" + method + ")") + ": path " + get_string(rule, "path") + ", matches " + get_string(rule, "matches");
}

void backend(Text& text, const json& b) {
  const std::string when = get_string(b, "when");
  text.line("backend", get_string(b, "service", get_string(b, "name")) + ", " + get_string(b, "protocol") + ", " + get_string(b, "balancing") + (when.empty() ? "" : " [" + when + "]"));
  const json& endpoints = get_array(b, "endpoints");
  if (endpoints.empty()) text.line("pods", "none is ready");
  for (size_t i = 0; i < endpoints.size() && i < kMostEndpoints; ++i) text.line("pods", get_string(endpoints[i], "name") + " at " + get_string(endpoints[i], "address"));
  if (endpoints.size() > kMostEndpoints) text.line("pods", "and " + std::to_string(endpoints.size() - kMostEndpoints) + " more");
}

std::string join(const json& words) {
  std::string out;
  for (const json& word : words) out += (out.empty() ? "" : ", ") + word.get<std::string>();
  return out;
}

}  // namespace

std::string render_explanation(const json& e) {
  Text text;
  text.line("request", get_string(e, "request.method") + " " + get_string(e, "request.url"));
  if (e.contains("listener")) text.line("listener", get_string(e, "listener") + ", port " + std::to_string(store::get_int(e, "port")));
  if (e.contains("tls")) text.line("tls", get_string(e, "tls.certificate"));
  if (e.contains("host")) text.line("host", get_string(e, "host.name") + " (" + get_string(e, "host.order") + ")");
  if (e.contains("rule")) text.line("rule", describe_rule(get_object(e, "rule")));
  for (const json& a : get_array(e, "annotations")) text.line("annotation", get_string(a, "name") + ": " + get_string(a, "value"));
  for (const json& step : get_array(e, "steps")) text.line("then", step.get<std::string>());
  const std::string why = get_string(e, "why");
  text.line("answer", get_string(e, "answer") + (why.empty() ? "" : ": " + why));
  if (e.contains("hosts")) text.line("hosts", get_array(e, "hosts").empty() ? "there is no rule for any host" : join(get_array(e, "hosts")));
  for (const json& b : get_array(e, "backends")) backend(text, b);
  for (const json& p : get_array(e, "problems")) text.line("problem", get_string(p, "about") + ": " + get_string(p, "message"));
  const json& lost = get_array(e, "lost");
  for (size_t i = 0; i < lost.size() && i < kMostLost; ++i) text.line("lost", describe_rule(lost[i]) + ": " + get_string(lost[i], "why"));
  if (lost.size() > kMostLost) text.line("lost", "and " + std::to_string(lost.size() - kMostLost) + " more");
  return text.take();
}

}  // namespace server
