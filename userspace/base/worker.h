// worker.h - one thread beside the event loop, for work that may take long. Work is
// done in order; what follows from it happens on the loop's own thread again.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"

namespace apnat {

class Worker {
 public:
  using Work = std::function<void()>;
  using After = std::function<void()>;

  // The thread takes no signals.
  static Result<std::unique_ptr<Worker>> start(std::size_t most_waiting);
  // What waits is not done any more; what is being done is waited for: it should look at is_stopping().
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Does `work` on the thread, and `after` in deliver(). False: too much is waiting.
  bool ask(Work work, After after);

  int fd() const { return done_fd_.get(); }  // readable when something is to be delivered
  void deliver();
  bool is_stopping() const { return stopping_; }

 private:
  struct Task {
    Work work;
    After after;
  };
  Worker(UniqueFd done_fd, std::size_t most_waiting) : done_fd_(std::move(done_fd)), most_waiting_(most_waiting) {}
  void live();

  UniqueFd done_fd_;
  std::size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> waiting_;
  std::deque<After> done_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace apnat
