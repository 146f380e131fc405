// answer.h - what a command writes its answer to.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "control/protocol.h"

namespace apnat {

class Answer {
 public:
  virtual ~Answer() = default;

  // False: not taken, because whoever asked is gone, or does not read and its queue is full.
  bool row(const Json& row) { return send(row_line(row)); }
  bool row_of_json(std::string_view json) { return send(row_line_of_json(json)); }

  // The end, one way or the other; nothing may follow.
  void done(const Json& result = Json()) { finish(done_line(result)); }
  void refuse(std::string_view reason, ExitCode code = ExitCode::kRefused) {
    finish(refusal_line({code, std::string(reason)}));
  }

  // `gone` is called once, when whoever asked has left: for answers that stay open.
  virtual void on_gone(std::function<void()> gone) = 0;

  // The user who asked; none where that is not known (a child process answers).
  virtual std::optional<uid_t> asker() const { return std::nullopt; }

 protected:
  virtual bool send(std::string_view line) = 0;
  virtual void finish(std::string_view line) = 0;
};

// How a command is run.
enum class Way {
  kReads,    // in a child process, a copy of the agent as it is now: a long list or a slow reader disturbs nobody
  kChanges,  // in the agent itself, at once
  kStays,    // in the agent itself; the answer stays open
};

struct Route {
  Way way = Way::kReads;
  std::function<void(const Arguments& arguments, const std::shared_ptr<Answer>& answer)> run;
};

}  // namespace apnat
