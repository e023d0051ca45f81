// The process's log. Each call checks its format when it is compiled, and formats only if its level is on; the
// formatting itself is compiled once, in log.cc. Any thread.
#pragma once

#include <fmt/core.h>

#include <string>

namespace base::log {

enum class Level { kDebug, kInfo, kWarn, kError, kCritical };

bool on(Level level);
void write(Level level, fmt::string_view format, fmt::format_args args);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (on(Level::kDebug)) write(Level::kDebug, format, fmt::make_format_args(args...));
}

template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (on(Level::kInfo)) write(Level::kInfo, format, fmt::make_format_args(args...));
}

template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  if (on(Level::kWarn)) write(Level::kWarn, format, fmt::make_format_args(args...));
}

template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  if (on(Level::kError)) write(Level::kError, format, fmt::make_format_args(args...));
}

template <class... Args>
void critical(fmt::format_string<Args...> format, Args&&... args) {
  if (on(Level::kCritical)) write(Level::kCritical, format, fmt::make_format_args(args...));
}

// To the terminal or to a new file, each line with its time, from the level of that name ("debug", "info", ...) up.
void to_stderr(const std::string& level);
void to_file(const std::string& path, const std::string& level);

}  // namespace base::log
