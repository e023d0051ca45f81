// store/base/exposition.h - Prometheus' text form (version 0.0.4), written line by line. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace base {

inline constexpr const char* kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

// key="value", with what may not stand in a value escaped.
std::string metric_label(const std::string& key, const std::string& value);

class Exposition {
 public:
  // The two lines before a metric's values. `help` is one line.
  void head(const char* name, const char* type, const char* help);
  // `labels`: "a=\"b\",c=\"d\"", or nothing.
  void value(const std::string& name, const std::string& labels, double amount);
  void value(const std::string& name, const std::string& labels, uint64_t amount);
  // head() and the one value of a metric.
  template <class T>
  void one(const char* name, const char* type, const char* help, const std::string& labels, T amount) {
    head(name, type, help);
    value(name, labels, amount);
  }
  // The values of a histogram, without its head. `at_most(i)`: how many were not above bounds[i].
  void histogram(const std::string& name, const std::string& labels, std::span<const double> bounds, const std::function<uint64_t(size_t)>& at_most,
                 uint64_t count, double sum);
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace base
