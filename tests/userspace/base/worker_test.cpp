// worker_test.cpp - work is done elsewhere, in order, and delivered here.
#include "base/worker.h"

#include <poll.h>

#include <catch2/catch.hpp>
#include <vector>

using namespace apnat;

namespace {

void deliver_until(Worker& worker, const std::function<bool()>& enough) {
  for (int i = 0; i < 1'000 && !enough(); ++i) {
    pollfd done{worker.fd(), POLLIN, 0};
    ::poll(&done, 1, 10);
    worker.deliver();
  }
}

}  // namespace

TEST_CASE("work is done on another thread, its end is delivered on this one, in the order it was asked for") {
  auto worker = Worker::start(100).value();
  std::vector<int> delivered;
  std::thread::id worked_on;
  std::thread::id delivered_on;
  for (int i = 0; i < 50; ++i) {
    REQUIRE(worker->ask([&] { worked_on = std::this_thread::get_id(); },
                        [&, i] {
                          delivered.push_back(i);
                          delivered_on = std::this_thread::get_id();
                        }));
  }
  deliver_until(*worker, [&] { return delivered.size() == 50; });
  REQUIRE(delivered.size() == 50);
  CHECK(std::ranges::is_sorted(delivered));
  CHECK(worked_on != std::this_thread::get_id());
  CHECK(delivered_on == std::this_thread::get_id());
}

TEST_CASE("more work than may wait is refused, and a worker that goes away takes what waits with it") {
  std::atomic<int> done = 0;
  {
    auto worker = Worker::start(2).value();
    std::atomic<bool> busy = false;
    Worker* raw = worker.get();
    REQUIRE(worker->ask(
        [&, raw] {
          busy = true;
          while (!raw->is_stopping()) std::this_thread::yield();
          ++done;
        },
        [] {}));
    while (!busy) std::this_thread::yield();
    CHECK(worker->ask([&] { ++done; }, [] {}));
    CHECK(worker->ask([&] { ++done; }, [] {}));
    CHECK_FALSE(worker->ask([&] { ++done; }, [] {}));
  }
  CHECK(done == 1);
}
