// log.cpp - the line, and where it goes.
#include "base/log.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

namespace apnat {
namespace {

std::atomic<LogLevel> threshold{LogLevel::kInfo};

std::string_view word(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kNotice:
      return "notice";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      return "debug";
  }
  return "";
}

// JOURNAL_STREAM is inherited by children that redirect stderr: it counts only if it names our own stderr.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status{};
  if (!stream || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

void append_escaped(std::string& out, std::string_view text, bool quoted) {
  for (char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (is_control(c)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else if (quoted && (c == '"' || c == '\\')) {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
}

bool needs_quotes(std::string_view value) {
  return value.empty() || std::ranges::any_of(value, [](char c) {
           return c == ' ' || c == '"' || c == '=' || c == '\\' || is_control(c);
         });
}

}  // namespace

void set_log_level(LogLevel least_urgent) { threshold = least_urgent; }

std::string log_line(LogLevel level, std::string_view message, LogFields fields, bool to_journal) {
  std::string line =
      to_journal ? fmt::format("<{}>", static_cast<int>(level)) : fmt::format("{:<8}", fmt::format("{}:", word(level)));
  append_escaped(line, message, false);
  for (const LogField& field : fields) {
    line += fmt::format(" {}=", field.key);
    const bool quoted = needs_quotes(field.value);
    if (quoted) line += '"';
    append_escaped(line, field.value, quoted);
    if (quoted) line += '"';
  }
  return line;
}

void log(LogLevel level, std::string_view message, LogFields fields) {
  static const bool to_journal = stderr_is_journal();
  if (level > threshold.load()) return;
  // One write, so that lines of several processes on one stderr do not mix. Nobody to tell if it fails.
  const std::string line = log_line(level, message, fields, to_journal) + "\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace apnat
