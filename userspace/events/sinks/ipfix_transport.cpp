// ipfix_transport.cpp - a session: templates first, messages after; over UDP the templates again and again.
#include "events/sinks/ipfix_transport.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include "events/sinks/ipfix.h"

namespace apnat {
namespace {

// RFC 7011 section 10.3.3: where the path's MTU is not known, no datagram above 512 bytes of payload is safe; 1400
// passes wherever Ethernet does.
constexpr std::size_t kMostDatagram = 1400;
constexpr std::size_t kMostMessage = 16 * 1024;

using SteadyClock = std::chrono::steady_clock;

std::uint32_t now_in_seconds() { return static_cast<std::uint32_t>(::time(nullptr)); }

class IpfixTransport final : public Transport {
 public:
  IpfixTransport(IpfixSettings settings, const Interrupt& interrupt)
      : settings_(std::move(settings)), interrupt_(interrupt) {}

  Pace pace() const override {
    return settings_.udp ? Pace{} : Pace{.records = 20'000, .age = std::chrono::seconds(1)};
  }

  Result<void> send(std::span<const SpoolRecord> records) override {
    TRY_VOID(begin_session());
    const std::uint32_t now = now_in_seconds();
    std::vector<std::string> messages;
    if (!announced_at_ || (settings_.udp && SteadyClock::now() - *announced_at_ >= settings_.template_refresh)) {
      messages.push_back(messages_->templates(now));
      announced_at_ = SteadyClock::now();
    }
    for (const SpoolRecord& record : records) messages_->add(record.payload, now, messages);
    messages_->finish(messages);
    for (const std::string& message : messages)
      TRY_VOID(settings_.udp ? send_datagram(message) : stream_->write(message));
    return {};
  }

  Result<void> confirm() override {
    if (settings_.udp || !stream_) return {};
    auto finished = stream_->finish();
    close();
    return finished;
  }

  void close() override {
    stream_.reset();
    udp_.reset();
    messages_.reset();
    announced_at_.reset();
  }

 private:
  Result<void> begin_session() {
    if (messages_) return {};
    if (settings_.udp) {
      udp_ = TRY(connect_udp(settings_.target.host, settings_.target.port));
    } else {
      stream_.emplace(TRY(StreamSocket::connect(settings_.target, interrupt_)));
    }
    messages_.emplace(settings_.observation_domain, settings_.udp ? kMostDatagram : kMostMessage);
    return {};
  }

  Result<void> send_datagram(std::string_view bytes) {
    for (;;) {
      if (::send(udp_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0) return {};
      if (errno == EAGAIN) {
        TRY_VOID(wait_for(udp_.get(), POLLOUT, settings_.target.patience, interrupt_));
      } else if (errno != EINTR) {
        return fail(errno, fmt::format("{}:{}", settings_.target.host, settings_.target.port));
      }
    }
  }

  IpfixSettings settings_;
  const Interrupt& interrupt_;
  std::optional<StreamSocket> stream_;
  UniqueFd udp_;
  std::optional<IpfixMessages> messages_;
  std::optional<SteadyClock::time_point> announced_at_;
};

}  // namespace

std::unique_ptr<Transport> ipfix_transport(IpfixSettings settings, const Interrupt& interrupt) {
  return std::make_unique<IpfixTransport>(std::move(settings), interrupt);
}

}  // namespace apnat
