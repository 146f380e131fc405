// table.h - one table of the kernel, as rows. Table: mapped into our memory, each
// row shared with the running program. CalledTable: rows by system call, for the
// tables that are written seldom. Owners; sizes are checked on opening.
#pragma once

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"

namespace apnat {

// Refused if the kernel's table has rows of another size or number.
Result<void> check_rows(int fd, std::string_view name, std::size_t row_size, std::uint32_t count);

template <typename Row>
class Table {
 public:
  // `fd` may be closed afterwards: the mapping keeps the table.
  static Result<Table> map(int fd, std::string_view name, std::uint32_t count) {
    TRY_VOID(check_rows(fd, name, sizeof(Row), count));
    void* at = ::mmap(nullptr, bytes(count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return fail(errno, fmt::format("map table {} into memory", name));
    Table table;
    table.rows_ = std::span(static_cast<Row*>(at), count);
    return table;
  }

  Table() = default;
  Table(Table&& other) noexcept : rows_(std::exchange(other.rows_, {})) {}
  Table& operator=(Table&& other) noexcept {
    if (this != &other) {
      unmap();
      rows_ = std::exchange(other.rows_, {});
    }
    return *this;
  }
  ~Table() { unmap(); }

  std::span<Row> rows() const { return rows_; }

 private:
  static std::size_t bytes(std::size_t count) { return (count * sizeof(Row) + 4095) / 4096 * 4096; }
  void unmap() {
    if (!rows_.empty()) ::munmap(rows_.data(), bytes(rows_.size()));
  }

  std::span<Row> rows_;
};

template <typename Row>
class CalledTable {
 public:
  static Result<CalledTable> open(UniqueFd fd, std::string_view name, std::uint32_t count) {
    TRY_VOID(check_rows(fd.get(), name, sizeof(Row), count));
    CalledTable table;
    table.fd_ = std::move(fd);
    table.name_ = name;
    return table;
  }

  Result<Row> get(std::uint32_t index) const {
    Row row{};
    if (::bpf_map_lookup_elem(fd_.get(), &index, &row) != 0) {
      return fail(errno, fmt::format("read {}[{}]", name_, index));
    }
    return row;
  }

  Result<void> put(std::uint32_t index, const Row& row) {
    if (::bpf_map_update_elem(fd_.get(), &index, &row, BPF_ANY) != 0) {
      return fail(errno, fmt::format("write {}[{}]", name_, index));
    }
    return {};
  }

  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::string_view name_;
};

}  // namespace apnat
