// page.h - leases as bytes: sorted, each told as its difference from the one before.
// A page is what the index of a file leads to; a lease of a block takes about 18
// bytes in it. Pure: bytes in, leases out; damage is found, never read as leases.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "history/lease.h"

namespace apnat {

// Fills a page, lease by lease in order. A page never ends between two leases of one key, so that whoever looks for a
// key needs one page.
class PageWriter {
 public:
  // One row on one page of SQLite's.
  static constexpr std::size_t kBytes = 3'950;

  // Is it time to take() before a lease with this key?
  bool is_full_for(LeaseKey key) const { return body_.size() >= kBytes && key != last_key_; }
  bool is_empty() const { return count_ == 0; }
  void add(const Lease& lease);

  struct Page {
    LeaseKey first_key = 0;
    std::size_t count = 0;
    std::string bytes;
  };
  Page take();

 private:
  std::string body_;
  std::size_t count_ = 0;
  Lease first_;
  LeaseKey last_key_ = 0;
};

// Adds the page's leases to `leases`.
Result<void> read_page(std::string_view bytes, std::vector<Lease>& leases);

}  // namespace apnat
