// stream.cpp - frames, and when a connection is ended to learn that all has arrived.
#include "events/sinks/stream.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <iterator>

#include "base/log.h"

namespace apnat {
namespace {

class StreamTransport final : public Transport {
 public:
  StreamTransport(StreamTarget target, Framing framing, const Interrupt& interrupt)
      : target_(std::move(target)), framing_(framing), interrupt_(interrupt) {}

  Pace pace() const override { return {.records = 20'000, .age = std::chrono::seconds(1)}; }

  Result<void> send(std::span<const SpoolRecord> records) override {
    if (!socket_) socket_.emplace(TRY(StreamSocket::connect(target_, interrupt_)));
    bytes_.clear();
    for (const SpoolRecord& record : records) frame(framing_, record.payload, bytes_);
    return socket_->write(bytes_);
  }

  Result<void> confirm() override {
    if (!socket_) return {};
    auto finished = socket_->finish();
    socket_.reset();
    return finished;
  }

  void close() override { socket_.reset(); }

 private:
  StreamTarget target_;
  Framing framing_;
  const Interrupt& interrupt_;
  std::optional<StreamSocket> socket_;
  std::string bytes_;
};

class DatagramTransport final : public Transport {
 public:
  DatagramTransport(StreamTarget target, const Interrupt& interrupt)
      : target_(std::move(target)), interrupt_(interrupt) {}

  Pace pace() const override { return {}; }

  Result<void> send(std::span<const SpoolRecord> records) override {
    if (!target_.unix_path.empty()) {
      if (!unix_) unix_.emplace(TRY(StreamSocket::connect(target_, interrupt_)));
      for (const SpoolRecord& record : records) {
        if (auto written = unix_->write(record.payload); !written) TRY_VOID(pass_over(record, written.error()));
      }
      return {};
    }
    if (!udp_) udp_ = TRY(connect_udp(target_.host, target_.port));
    for (const SpoolRecord& record : records) {
      if (auto sent = send_datagram(record.payload); !sent) TRY_VOID(pass_over(record, sent.error()));
    }
    return {};
  }
  Result<void> confirm() override { return {}; }
  void close() override {
    unix_.reset();
    udp_.reset();
  }

 private:
  // An event that fits in no datagram would stand in the way of all others for ever.
  static Result<void> pass_over(const SpoolRecord& record, const Error& error) {
    if (error.code != EMSGSIZE) return std::unexpected(error);
    log_error("an event is too long for a datagram and was not sent",
              {{"seq", record.seq}, {"bytes", record.payload.size()}});
    return {};
  }

  Result<void> send_datagram(std::string_view bytes) {
    for (;;) {
      if (::send(udp_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0) return {};
      if (errno == EAGAIN) TRY_VOID(wait_for(udp_.get(), POLLOUT, target_.patience, interrupt_));
      // ECONNREFUSED: an earlier datagram met nobody. UDP was chosen; it is told, and tried again.
      else if (errno != EINTR)
        return fail(errno, fmt::format("{}:{}", target_.host, target_.port));
    }
  }

  StreamTarget target_;
  const Interrupt& interrupt_;
  std::optional<StreamSocket> unix_;
  UniqueFd udp_;
};

}  // namespace

void frame(Framing framing, std::string_view payload, std::string& out) {
  if (framing == Framing::kOctetCount) fmt::format_to(std::back_inserter(out), "{} ", payload.size());
  out += payload;
  if (framing == Framing::kLine) out += '\n';
}

std::unique_ptr<Transport> stream_transport(StreamTarget target, Framing framing, const Interrupt& interrupt) {
  return std::make_unique<StreamTransport>(std::move(target), framing, interrupt);
}

std::unique_ptr<Transport> datagram_transport(StreamTarget target, const Interrupt& interrupt) {
  return std::make_unique<DatagramTransport>(std::move(target), interrupt);
}

}  // namespace apnat
