// result.h - how a function says that the world refused: Result<T>, and the
// TRY that passes a refusal on. Bugs are asserted, absence is std::optional.
#pragma once

#include <cerrno>
#include <cstring>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace apnat {

// What went wrong, for a person: outermost circumstance first. `code` is an
// errno value where the kernel gave one, else 0.
struct Error {
  int code = 0;
  std::string text;
};

template <typename T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

inline std::unexpected<Error> fail(std::string text) { return std::unexpected(Error{0, std::move(text)}); }

// A refusal of the kernel: `what` we were doing, then the kernel's own word.
inline std::unexpected<Error> fail(int code, std::string_view what) {
  return std::unexpected(Error{code, std::string(what) + ": " + std::strerror(code)});
}

// Adds what we were doing to why it failed.
inline std::unexpected<Error> within(std::string_view circumstance, Error error) {
  return std::unexpected(Error{error.code, std::string(circumstance) + ": " + error.text});
}

}  // namespace apnat

// The value of a Result, or return its error from this function. (GNU statement expression.)
#define TRY(expression)                                                       \
  ({                                                                          \
    auto try_result_ = (expression);                                          \
    if (!try_result_) return std::unexpected(std::move(try_result_.error())); \
    std::move(*try_result_);                                                  \
  })

#define TRY_VOID(expression)                                                  \
  do {                                                                        \
    auto try_result_ = (expression);                                          \
    if (!try_result_) return std::unexpected(std::move(try_result_.error())); \
  } while (0)
