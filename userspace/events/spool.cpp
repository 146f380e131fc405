// spool.cpp - segment files named by a number that only grows, `position` beside them, and what a crash leaves of both.
#include "events/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/log.h"

namespace apnat {
namespace {

constexpr const char* kSuffix = ".spool";
constexpr std::uint64_t kMostSegmentBytes = 16 * 1024 * 1024;

std::optional<std::uint64_t> segment_id(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  std::uint64_t id = 0;
  char rest = 0;
  if (path.extension() != kSuffix || std::sscanf(name.c_str(), "%16lx.spoo%c", &id, &rest) != 2) return std::nullopt;
  return id;
}

Result<std::vector<char>> whole_file(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return fail(errno, "open " + path.string());
  std::vector<char> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t n = ::pread(file.get(), bytes.data() + got, bytes.size() - got, static_cast<off_t>(got));
    if (n < 0) return fail(errno, "read " + path.string());
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

}  // namespace

Result<std::unique_ptr<Spool>> Spool::open(std::filesystem::path folder, Limits limits) {
  if (!limits.segment_bytes) limits.segment_bytes = std::clamp<std::uint64_t>(limits.bytes / 8, 1, kMostSegmentBytes);
  std::unique_ptr<Spool> spool(new Spool(std::move(folder), limits));
  if (auto recovered = spool->recover(); !recovered) {
    return within("spool " + spool->folder_.string(), recovered.error());
  }
  return spool;
}

std::filesystem::path Spool::path_of(std::uint64_t segment) const {
  return folder_ / fmt::format("{:016x}{}", segment, kSuffix);
}

// ---- opening -----------------------------------------------------------------------------------------------------

Result<void> Spool::recover() {
  std::error_code error;
  const mode_t before = ::umask(0027);
  std::filesystem::create_directories(folder_, error);
  ::umask(before);
  if (error) return fail(error.value(), "make the folder");
  TRY_VOID(recover_mark());
  std::vector<std::uint64_t> ids;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    if (const auto id = segment_id(entry.path())) ids.push_back(*id);
  }
  if (error) return fail(error.value(), "list the folder");
  std::ranges::sort(ids);
  for (const std::uint64_t id : ids) TRY_VOID(take_segment(id, id == ids.back()));
  drop_segments_before(mark_.segment);
  // The mark may lie where a loss of power left nothing: then all that is there comes after it.
  if (!segments_.empty()) {
    if (mark_.segment < segments_.front().id) mark_ = {segments_.front().id, 0};
    if (mark_.segment == segments_.front().id) mark_.offset = std::min(mark_.offset, segments_.front().bytes);
  }
  cursor_ = mark_;
  synced_segment_ = mark_.segment;
  return count_waiting();
}

Result<void> Spool::recover_mark() {
  const std::filesystem::path path = folder_ / "position";
  mark_file_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!mark_file_) return fail(errno, "open " + path.string());
  char slots[2 * kMarkBytes] = {};
  const ssize_t got = ::pread(mark_file_.get(), slots, sizeof(slots), 0);
  if (got < 0) return fail(errno, "read " + path.string());
  if (const auto stored = stored_mark({slots, static_cast<std::size_t>(got)})) {
    mark_ = stored->mark;
    mark_generation_ = stored->generation;
  }
  return {};
}

// Only the last can have been cut in the middle of a write; damage elsewhere is found when it is read.
Result<void> Spool::take_segment(std::uint64_t id, bool is_last) {
  std::error_code error;
  std::uint64_t size = std::filesystem::file_size(path_of(id), error);
  if (error) return fail(error.value(), "look at " + path_of(id).string());
  if (is_last) {
    const std::vector<char> bytes = TRY(whole_file(path_of(id)));
    const std::uint64_t whole = whole_batches({bytes.data(), bytes.size()});
    if (whole < size) {
      log_warning("the end of an event spool was damaged and is cut off",
                  {{"file", path_of(id).string()}, {"bytes", size - whole}});
      if (::truncate(path_of(id).c_str(), static_cast<off_t>(whole)) != 0) return fail(errno, "cut the damaged end");
      damaged_bytes_ += size - whole;
      size = whole;
    }
  }
  segments_.push_back({id, size});
  bytes_ += size;
  return {};
}

Result<void> Spool::count_waiting() {
  for (const Segment& segment : segments_) {
    UniqueFd file(::open(path_of(segment.id).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return fail(errno, "open " + path_of(segment.id).string());
    std::uint64_t at = segment.id == mark_.segment ? mark_.offset : 0;
    char head[kBatchHeaderBytes + sizeof(std::uint64_t) + sizeof(std::int64_t)];
    while (at < segment.bytes) {
      const ssize_t got = ::pread(file.get(), head, sizeof(head), static_cast<off_t>(at));
      const auto header = batch_header({head, static_cast<std::size_t>(std::max<ssize_t>(got, 0))});
      if (!header) break;
      if (!waiting_ && got == sizeof(head)) {
        std::memcpy(&oldest_time_ns_, head + kBatchHeaderBytes + sizeof(std::uint64_t), sizeof(oldest_time_ns_));
      }
      waiting_ += header->records;
      at += header->size;
    }
  }
  return {};
}

// ---- appending ---------------------------------------------------------------------------------------------------

Result<void> Spool::append(SpoolBatch& batch) {
  const std::string_view bytes = batch.seal();
  std::uint64_t at = 0;
  bool full = false;
  {
    std::lock_guard lock(mutex_);
    full = bytes_ + bytes.size() > limits_.bytes;
    at = segments_.empty() ? 0 : segments_.back().bytes;
  }
  if (full) return fail(ENOSPC, fmt::format("its spool holds the {} MiB it may", limits_.bytes >> 20));
  if (!write_file_ || at >= limits_.segment_bytes) {
    TRY_VOID(roll());
    at = 0;
  }
  ssize_t written = 0;
  do written = ::write(write_file_.get(), bytes.data(), bytes.size());
  while (written < 0 && errno == EINTR);
  if (written != static_cast<ssize_t>(bytes.size())) {
    const int why = written < 0 ? errno : ENOSPC;
    if (written > 0) (void)!::ftruncate(write_file_.get(), static_cast<off_t>(at));
    return fail(why, "write to the spool");
  }
  std::int64_t time_ns = 0;
  std::memcpy(&time_ns, bytes.data() + kBatchHeaderBytes + sizeof(std::uint64_t), sizeof(time_ns));
  std::lock_guard lock(mutex_);
  segments_.back().bytes += bytes.size();
  bytes_ += bytes.size();
  if (!waiting_) oldest_time_ns_ = time_ns;
  waiting_ += batch.records();
  is_unsynced_ = true;
  batch.clear();
  return {};
}

// A new file, whenever the last is large enough and whenever an agent begins: nobody appends to another's.
Result<void> Spool::roll() {
  std::uint64_t id = 0;
  {
    std::lock_guard lock(mutex_);
    id = std::max(mark_.segment, segments_.empty() ? 0 : segments_.back().id) + 1;
  }
  UniqueFd file(::open(path_of(id).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
  if (!file) return fail(errno, "make " + path_of(id).string());
  write_file_ = std::move(file);
  std::lock_guard lock(mutex_);
  segments_.push_back({id, 0});
  return {};
}

// ---- reading -----------------------------------------------------------------------------------------------------

// Moves the cursor to where the next batch begins. False: there is none yet.
bool Spool::find_place(std::uint64_t& segment_bytes) {
  std::lock_guard lock(mutex_);
  for (const Segment& segment : segments_) {
    if (segment.id < cursor_.segment) continue;
    if (segment.id > cursor_.segment) cursor_ = {segment.id, 0};
    segment_bytes = segment.bytes;
    if (cursor_.offset < segment.bytes) return true;
  }
  return false;
}

Result<std::vector<char>> Spool::read_at(std::uint64_t offset, std::size_t size) {
  if (!read_file_ || read_segment_ != cursor_.segment) {
    read_file_.reset(::open(path_of(cursor_.segment).c_str(), O_RDONLY | O_CLOEXEC));
    if (!read_file_) return fail(errno, "open " + path_of(cursor_.segment).string());
    read_segment_ = cursor_.segment;
  }
  std::vector<char> bytes(size);
  const ssize_t got = ::pread(read_file_.get(), bytes.data(), size, static_cast<off_t>(offset));
  if (got < 0) return fail(errno, "read " + path_of(cursor_.segment).string());
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

Result<Spool::Piece> Spool::read() {
  Piece piece;
  std::uint64_t segment_bytes = 0;
  while (piece.records.empty() && find_place(segment_bytes)) TRY_VOID(read_batch(segment_bytes, piece));
  return piece;
}

Result<void> Spool::read_batch(std::uint64_t segment_bytes, Piece& piece) {
  const std::vector<char> head = TRY(read_at(cursor_.offset, kBatchHeaderBytes));
  const auto header = batch_header({head.data(), head.size()});
  if (!header) return pass_over(segment_bytes), Result<void>();
  piece.bytes = TRY(read_at(cursor_.offset, header->size));
  auto records = batch_records({piece.bytes.data(), piece.bytes.size()});
  if (!records) return pass_over(segment_bytes), Result<void>();
  cursor_.offset += header->size;
  piece.records = std::move(*records);
  piece.end = cursor_;
  if (!piece.records.empty()) read_.push_back({cursor_, header->records, piece.records.front().time_ns});
  return {};
}

// Where one batch is damaged nobody can say where the next begins: the rest of the file is lost. `seq` shows what.
void Spool::pass_over(std::uint64_t segment_bytes) {
  const std::uint64_t lost = segment_bytes - cursor_.offset;
  log_error("an event spool is damaged; events of it are lost, and missing in the receiver's seq",
            {{"file", path_of(cursor_.segment).string()}, {"offset", cursor_.offset}, {"bytes", lost}});
  cursor_.offset = segment_bytes;
  std::lock_guard lock(mutex_);
  damaged_bytes_ += lost;
}

void Spool::rewind() {
  std::lock_guard lock(mutex_);
  cursor_ = mark_;
  read_.clear();
}

Result<void> Spool::acknowledge(const SpoolMark& mark) {
  const std::string bytes = mark_bytes(mark, ++mark_generation_);
  const off_t slot = static_cast<off_t>(mark_generation_ % 2 * kMarkBytes);
  // Should it fail, the receiver gets again what it has: better than not knowing how far it is.
  const bool stored =
      ::pwrite(mark_file_.get(), bytes.data(), bytes.size(), slot) == static_cast<ssize_t>(bytes.size());
  const int why = errno;
  std::uint64_t done = 0;
  while (!read_.empty() && read_.front().end <= mark) {
    done += read_.front().records;
    read_.pop_front();
  }
  {
    std::lock_guard lock(mutex_);
    mark_ = mark;
    waiting_ -= std::min(waiting_, done);
    if (!read_.empty()) oldest_time_ns_ = read_.front().time_ns;
    // What was passed over as damaged had been counted.
    if (std::ranges::none_of(segments_, [&](const Segment& s) { return mark < SpoolMark{s.id, s.bytes} && s.bytes; })) {
      waiting_ = 0;
    }
  }
  drop_segments_before(mark.segment);
  if (!stored) return fail(why, "write the spool's position");
  return {};
}

void Spool::drop_segments_before(std::uint64_t segment) {
  std::vector<std::uint64_t> gone;
  {
    std::lock_guard lock(mutex_);
    while (!segments_.empty() && segments_.front().id < segment) {
      gone.push_back(segments_.front().id);
      bytes_ -= segments_.front().bytes;
      segments_.pop_front();
    }
  }
  for (const std::uint64_t id : gone) ::unlink(path_of(id).c_str());
}

Result<void> Spool::sync() {
  std::vector<std::uint64_t> ids;
  {
    std::lock_guard lock(mutex_);
    if (!std::exchange(is_unsynced_, false)) return {};
    for (const Segment& segment : segments_) {
      if (segment.id >= synced_segment_) ids.push_back(segment.id);
    }
  }
  for (const std::uint64_t id : ids) {
    UniqueFd file(::open(path_of(id).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file || ::fdatasync(file.get()) != 0) return fail(errno, "sync " + path_of(id).string());
    synced_segment_ = id;
  }
  UniqueFd folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return fail(errno, "sync " + folder_.string());
  return {};
}

Spool::Figures Spool::figures() const {
  std::lock_guard lock(mutex_);
  return {bytes_, waiting_, waiting_ ? oldest_time_ns_ : 0, damaged_bytes_};
}

}  // namespace apnat
