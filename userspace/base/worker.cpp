// worker.cpp - two queues and an eventfd.
#include "base/worker.h"

#include <pthread.h>
#include <sys/eventfd.h>

#include <csignal>
#include <system_error>
#include <utility>

namespace apnat {

Result<std::unique_ptr<Worker>> Worker::start(std::size_t most_waiting) {
  UniqueFd done(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!done) return fail(errno, "make an eventfd");
  std::unique_ptr<Worker> worker(new Worker(std::move(done), most_waiting));
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    worker->thread_ = std::thread([raw = worker.get()] { raw->live(); });
  } catch (const std::system_error& error) {
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return fail(error.code().value(), "start a thread");
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return worker;
}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool Worker::ask(Work work, After after) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= most_waiting_) return false;
    waiting_.push_back({std::move(work), std::move(after)});
  }
  changed_.notify_one();
  return true;
}

void Worker::live() {
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    task.work();
    {
      const std::lock_guard lock(mutex_);
      done_.push_back(std::move(task.after));
    }
    ::eventfd_write(done_fd_.get(), 1);
  }
}

void Worker::deliver() {
  eventfd_t count = 0;
  ::eventfd_read(done_fd_.get(), &count);
  for (;;) {
    After after;
    {
      const std::lock_guard lock(mutex_);
      if (done_.empty()) return;
      after = std::move(done_.front());
      done_.pop_front();
    }
    after();
  }
}

}  // namespace apnat
