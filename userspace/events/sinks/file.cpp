// file.cpp - append, and keep what the disk refuses.
#include "events/sinks/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace apnat {

namespace {

bool is_full(const Error& error) { return error.code == ENOSPC || error.code == EDQUOT; }

}  // namespace

Result<std::unique_ptr<FileSink>> FileSink::open(Settings settings) {
  std::unique_ptr<FileSink> sink(new FileSink(std::move(settings)));
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
  const std::filesystem::path folder = settings_.path.parent_path();
  if (!folder.empty() && ::mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST) {
    return fail(errno, "make the directory " + folder.string());
  }
  // O_NONBLOCK: a path that turns out to be a pipe nobody reads must not stop the agent.
  UniqueFd fresh(::open(settings_.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640));
  if (!fresh) return fail(errno, "open event file " + settings_.path.string());
  if (file_ && is_same_file(file_.get(), fresh.get())) return {};
  ends_in_half_a_line_ = ends_in_half_a_line(settings_.path);
  queue_.restart_line();
  file_ = std::move(fresh);
  return {};
}

bool FileSink::accept(const Event& event) {
  if (queue_.room() == 0) return false;
  encoded_.payload.clear();
  settings_.encoder(event, settings_.node, encoded_);
  return queue_.add(encoded_.payload, event.time);
}

Result<void> FileSink::flush() {
  auto written = write_waiting();
  if (written) written = rotate_if_large();
  attempts_.note(written);
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

// PATH becomes PATH.1, PATH.1 becomes PATH.2; the last one goes. Only whole lines are in a file that is left behind.
Result<void> FileSink::rotate_if_large() {
  if (settings_.rotate_size == 0) return {};
  struct stat status{};
  if (::fstat(file_.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  if (static_cast<std::uint64_t>(status.st_size) < settings_.rotate_size) return {};
  const auto numbered = [this](unsigned number) {
    return number == 0 ? settings_.path.string() : settings_.path.string() + "." + std::to_string(number);
  };
  for (unsigned number = settings_.rotate_keep; number > 0; --number) {
    if (::rename(numbered(number - 1).c_str(), numbered(number).c_str()) != 0 && errno != ENOENT) {
      return fail(errno, "rotate " + numbered(number - 1));
    }
  }
  return reopen();
}

SinkFigures FileSink::figures() const {
  return {.name = "file " + settings_.path.string(),
          .written = queue_.written(),
          .waiting = queue_.lines(),
          .error = attempts_.error,
          .oldest_waiting = queue_.oldest(),
          .retries = attempts_.retries,
          .errors = attempts_.errors};
}

}  // namespace apnat
