#include "store/base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace base::log {
namespace {

spdlog::level::level_enum of(Level level) {
  switch (level) {
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarn: return spdlog::level::warn;
    case Level::kError: return spdlog::level::err;
    case Level::kCritical: break;
  }
  return spdlog::level::critical;
}

void set_up(spdlog::sink_ptr sink, const std::string& level) {
  auto logger = std::make_shared<spdlog::logger>("kubelan", std::move(sink));
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  spdlog::set_default_logger(logger);
}

}  // namespace

bool on(Level level) { return spdlog::should_log(of(level)); }

void write(Level level, fmt::string_view format, fmt::format_args args) {
  const std::string text = fmt::vformat(format, args);
  spdlog::default_logger_raw()->log(of(level), spdlog::string_view_t(text));
}

void to_stderr(const std::string& level) { set_up(std::make_shared<spdlog::sinks::stderr_sink_mt>(), level); }

void to_file(const std::string& path, const std::string& level) {
  set_up(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, true), level);
}

}  // namespace base::log
