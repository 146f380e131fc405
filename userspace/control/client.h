// client.h - the control socket, natctl's end.
#pragma once

#include <filesystem>
#include <functional>

#include "base/unique_fd.h"
#include "control/protocol.h"

namespace apnat {

class Client {
 public:
  explicit Client(std::filesystem::path socket) : path_(std::move(socket)) {}

  // Asks, hands each row to `row` until that returns false, and returns the result. The refusal has the words and
  // the exit code for natctl's user.
  std::expected<Json, Refusal> call(const Request& request, const std::function<bool(Json&&)>& row) const;

 private:
  std::expected<UniqueFd, Refusal> connect() const;

  std::filesystem::path path_;
};

}  // namespace apnat
