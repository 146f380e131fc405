// file.cpp - append, and keep what the disk refuses.
#include "events/sinks/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "events/json.h"

namespace apnat {

namespace {

bool is_full(const Error& error) { return error.code == ENOSPC || error.code == EDQUOT; }

}  // namespace

Result<std::unique_ptr<FileSink>> FileSink::open(std::filesystem::path path, std::string node,
                                                 std::size_t most_waiting) {
  std::unique_ptr<FileSink> sink(new FileSink(std::move(path), std::move(node), most_waiting));
  // A path that is wrong is refused. A disk that is full now is one that may have room later.
  auto opened = sink->reopen();
  if (!opened && !is_full(opened.error())) return std::unexpected(std::move(opened.error()));
  return sink;
}

namespace {

bool is_same_file(int one, int other) {
  struct stat a{};
  struct stat b{};
  return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// An agent that was killed in the middle of a write leaves half a line; ours must not be glued to it.
bool ends_in_half_a_line(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  char last = '\n';
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) return false;
  return ::pread(file.get(), &last, 1, status.st_size - 1) == 1 && last != '\n';
}

}  // namespace

Result<void> FileSink::reopen() {
  const std::filesystem::path folder = path_.parent_path();
  if (!folder.empty() && ::mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST) {
    return fail(errno, "make the directory " + folder.string());
  }
  // O_NONBLOCK: a path that turns out to be a pipe nobody reads must not stop the agent.
  UniqueFd fresh(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640));
  if (!fresh) return fail(errno, "open event file " + path_.string());
  if (file_ && is_same_file(file_.get(), fresh.get())) return {};
  ends_in_half_a_line_ = ends_in_half_a_line(path_);
  queue_.restart_line();
  file_ = std::move(fresh);
  return {};
}

bool FileSink::accept(const Event& event) { return queue_.room() > 0 && queue_.add(to_json(event, node_)); }

Result<void> FileSink::flush() {
  auto written = write_waiting();
  error_ = written ? "" : written.error().text;
  return written;
}

Result<void> FileSink::write_waiting() {
  if (!file_) TRY_VOID(reopen());
  if (queue_.lines() > 0 && ends_in_half_a_line_) {
    if (::write(file_.get(), "\n", 1) != 1) return fail(errno, "write events");
    ends_in_half_a_line_ = false;
  }
  return queue_.drain([this](std::string_view bytes) { return ::write(file_.get(), bytes.data(), bytes.size()); });
}

SinkFigures FileSink::figures() const { return {"file " + path_.string(), queue_.written(), queue_.lines(), error_}; }

}  // namespace apnat
