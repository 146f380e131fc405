// messages.cpp - one buffer for both libraries, which know only global callbacks.
#include "datapath/messages.h"

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>

namespace apnat {
namespace {

constexpr std::size_t kKeptLines = 64;
constexpr std::size_t kTailBytes = 600;  // of a long message: a verifier's log tells why at its end

struct Kept {
  std::mutex mutex;
  int listeners = 0;
  std::deque<std::string> lines;
};

Kept& kept() {
  static Kept instance;
  return instance;
}

void keep(const char* format, va_list arguments) {
  char* text = nullptr;
  if (::vasprintf(&text, format, arguments) < 0) return;
  std::string line(text);
  std::free(text);
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  std::ranges::replace(line, '\n', ' ');
  if (line.size() > kTailBytes) line = "..." + line.substr(line.size() - kTailBytes);
  const std::lock_guard guard(kept().mutex);
  if (kept().listeners == 0 || line.empty()) return;
  kept().lines.push_back(std::move(line));
  if (kept().lines.size() > kKeptLines) kept().lines.pop_front();
}

int keep_libbpf(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_WARN) keep(format, arguments);
  return 0;
}

int keep_libxdp(libxdp_print_level level, const char* format, va_list arguments) {
  if (level == LIBXDP_WARN) keep(format, arguments);
  return 0;
}

}  // namespace

Messages::Messages() {
  const std::lock_guard guard(kept().mutex);
  ::libbpf_set_print(keep_libbpf);
  ::libxdp_set_print(keep_libxdp);
  if (kept().listeners++ == 0) kept().lines.clear();
}

Messages::~Messages() {
  const std::lock_guard guard(kept().mutex);
  --kept().listeners;
}

std::string Messages::last(std::size_t lines) const {
  const std::lock_guard guard(kept().mutex);
  const auto& all = kept().lines;
  std::string text;
  for (std::size_t i = all.size() > lines ? all.size() - lines : 0; i < all.size(); ++i) {
    if (!text.empty()) text += "; ";
    text += all[i];
  }
  return text;
}

}  // namespace apnat
