// log.h - one line to stderr for whoever runs the agent: a sentence, then
// key=value facts. Under systemd the line carries its level as the journal's <N>.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace apnat {

// syslog's numbers.
enum class LogLevel { kError = 3, kWarning = 4, kNotice = 5, kInfo = 6, kDebug = 7 };

struct LogField {
  LogField(std::string_view key, std::string_view value) : key(key), value(value) {}
  LogField(std::string_view key, const char* value) : key(key), value(value) {}
  LogField(std::string_view key, const std::string& value) : key(key), value(value) {}
  LogField(std::string_view key, bool value) : key(key), value(value ? "true" : "false") {}
  LogField(std::string_view key, std::integral auto value) : key(key), value(std::to_string(value)) {}

  std::string_view key;
  std::string value;
};
using LogFields = std::initializer_list<LogField>;

// Lines less urgent than this are not written; kInfo at first.
void set_log_level(LogLevel least_urgent);

void log(LogLevel level, std::string_view message, LogFields fields = {});
inline void log_error(std::string_view message, LogFields fields = {}) { log(LogLevel::kError, message, fields); }
inline void log_warning(std::string_view message, LogFields fields = {}) { log(LogLevel::kWarning, message, fields); }
inline void log_notice(std::string_view message, LogFields fields = {}) { log(LogLevel::kNotice, message, fields); }
inline void log_info(std::string_view message, LogFields fields = {}) { log(LogLevel::kInfo, message, fields); }
inline void log_debug(std::string_view message, LogFields fields = {}) { log(LogLevel::kDebug, message, fields); }

// The line itself, without its end. Pure. A value that is empty or has blanks, quotes, `=` or control
// characters is quoted; a line break cannot start a second line.
std::string log_line(LogLevel level, std::string_view message, LogFields fields, bool to_journal);

}  // namespace apnat
