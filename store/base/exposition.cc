#include "store/base/exposition.h"

#include <charconv>

namespace base {
namespace {

std::string number(double value) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

}  // namespace

std::string metric_label(const std::string& key, const std::string& value) {
  std::string out = key + "=\"";
  for (char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out + "\"";
}

void Exposition::head(const char* name, const char* type, const char* help) {
  text_ += std::string("# HELP ") + name + " [ALPHA] " + help + "\n# TYPE " + name + " " + type + "\n";
}

void Exposition::value(const std::string& name, const std::string& labels, double amount) {
  text_ += name + (labels.empty() ? "" : "{" + labels + "}") + " " + number(amount) + "\n";
}

void Exposition::value(const std::string& name, const std::string& labels, uint64_t amount) {
  text_ += name + (labels.empty() ? "" : "{" + labels + "}") + " " + std::to_string(amount) + "\n";
}

void Exposition::histogram(const std::string& name, const std::string& labels, std::span<const double> bounds, const std::function<uint64_t(size_t)>& at_most,
                           uint64_t count, double sum) {
  const std::string before = labels.empty() ? "" : labels + ",";
  for (size_t i = 0; i < bounds.size(); ++i) value(name + "_bucket", before + "le=\"" + number(bounds[i]) + "\"", at_most(i));
  value(name + "_bucket", before + "le=\"+Inf\"", count);
  value(name + "_sum", labels, sum);
  value(name + "_count", labels, count);
}

}  // namespace base
