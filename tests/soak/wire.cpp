// wire.cpp - soak_wire: the subscribers and the internet of the soak. Each lease is one
// subscriber that sends until it is seen on the external side: with a full ring the
// gateway refuses (on_log_failure), and whoever is refused tries again, as people do.
//
// The first packets of a window go out as one burst. A quarter of the leases send once
// more when half a second has passed, so that first and last packet are not the same.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cstring>
#include <deque>

#include "recorder.h"

namespace {

using namespace apnat;
using namespace apnat::soak;
using Clock = std::chrono::steady_clock;

struct Wish {
  std::string send_namespace, send_interface, wire_namespace, wire_interface;
  std::string gateway_mac, remote, first_subscriber, truth;
  std::uint32_t leases = 1000;
  std::uint32_t subscribers = 1 << 19;
  std::uint32_t window = 1 << 18;
  std::uint32_t packets_per_second = 200'000;
  int deadline = 600;
};

Result<UniqueFd> packet_socket(const std::string& name_space, const std::string& interface) {
  const UniqueFd place(::open(name_space.c_str(), O_RDONLY | O_CLOEXEC));
  if (!place || ::setns(place.get(), CLONE_NEWNET) != 0) return fail(errno, "enter " + name_space);
  UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IP)));
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_IP);
  at.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  if (!socket || at.sll_ifindex == 0) return fail(errno, interface);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)) != 0)
    return fail(errno, "bind to " + interface);
  return socket;
}

// Writes frames and hands them to the kernel, some at a time.
class Sender {
 public:
  static Result<Sender> open(const Wish& wish) {
    Sender sender(TRY(packet_socket(wish.send_namespace, wish.send_interface)));
    const int yes = 1;
    ::setsockopt(sender.socket_.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes));
    ifreq request{};
    wish.send_interface.copy(request.ifr_name, IFNAMSIZ - 1);
    if (::ioctl(sender.socket_.get(), SIOCGIFHWADDR, &request) != 0) return fail(errno, wish.send_interface);
    std::memcpy(sender.model_.ethernet.ether_shost, request.ifr_hwaddr.sa_data, ETH_ALEN);
    unsigned mac[ETH_ALEN] = {};
    if (std::sscanf(wish.gateway_mac.c_str(), "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
                    &mac[5]) != ETH_ALEN)
      return fail("not a MAC address: " + wish.gateway_mac);
    for (int i = 0; i < ETH_ALEN; ++i) sender.model_.ethernet.ether_dhost[i] = static_cast<std::uint8_t>(mac[i]);
    sender.make_model(wish);
    return sender;
  }

  void send(std::uint32_t lease) {
    Frame& frame = frames_[waiting_];
    frame = model_;
    const std::uint32_t subscriber = first_ + lease % subscribers_;
    frame.ip.saddr = htonl(subscriber);
    frame.ip.check = 0;
    frame.ip.check = checksum(frame.ip);
    frame.payload = {kMagic, lease, subscriber};
    if (++waiting_ == frames_.size()) flush();
  }

  // A frame that the kernel has no room for is one that gets lost: its lease is tried again.
  void flush() {
    std::array<mmsghdr, kBatch> messages{};
    std::array<iovec, kBatch> parts{};
    for (std::size_t i = 0; i < waiting_; ++i) {
      parts[i] = {&frames_[i], sizeof(Frame)};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (std::size_t done = 0; done < waiting_;) {
      const int sent = ::sendmmsg(socket_.get(), &messages[done], static_cast<unsigned>(waiting_ - done), 0);
      done += sent > 0 ? static_cast<std::size_t>(sent) : 1;
    }
    sent_ += waiting_;
    waiting_ = 0;
  }
  std::uint64_t sent() const { return sent_; }

 private:
  static constexpr std::size_t kBatch = 64;
  struct Frame {
    ether_header ethernet;
    iphdr ip;
    udphdr udp;
    Payload payload;
    std::uint8_t padding[6];  // to the least that Ethernet carries
  } __attribute__((packed));
  static_assert(sizeof(Frame) == 60);

  explicit Sender(UniqueFd socket) : socket_(std::move(socket)), frames_(kBatch) {}

  void make_model(const Wish& wish) {
    model_.ethernet.ether_type = htons(ETHERTYPE_IP);
    model_.ip.version = 4;
    model_.ip.ihl = 5;
    model_.ip.ttl = 64;
    model_.ip.frag_off = htons(IP_DF);
    model_.ip.protocol = IPPROTO_UDP;
    model_.ip.tot_len = htons(sizeof(iphdr) + sizeof(udphdr) + sizeof(Payload));
    model_.ip.daddr = ::inet_addr(wish.remote.c_str());
    model_.udp.source = htons(kInternalPort);
    model_.udp.dest = htons(kRemotePort);
    model_.udp.len = htons(sizeof(udphdr) + sizeof(Payload));  // no checksum: UDP over IPv4 may do without
    first_ = ntohl(::inet_addr(wish.first_subscriber.c_str()));
    subscribers_ = wish.subscribers;
  }

  static std::uint16_t checksum(const iphdr& ip) {
    std::uint16_t words[sizeof(iphdr) / 2];
    std::memcpy(words, &ip, sizeof(ip));
    std::uint32_t sum = 0;
    for (std::uint16_t word : words) sum += word;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
  }

  UniqueFd socket_;
  Frame model_{};
  std::vector<Frame> frames_;
  std::size_t waiting_ = 0;
  std::uint64_t sent_ = 0;
  std::uint32_t first_ = 0;
  std::uint32_t subscribers_ = 1;
};

// A window of subscribers that have not been seen yet, filled up from the next in line.
class Subscribers {
 public:
  Subscribers(const Wish& wish, Sender& sender, const Recorder& recorder)
      : wish_(wish), sender_(sender), recorder_(recorder), began_(Clock::now()) {}

  // True: all have been seen.
  bool run() {
    while (true) {
      if (Clock::now() > began_ + std::chrono::seconds(wish_.deadline)) return false;
      while (pending_.size() < wish_.window && next_ < wish_.leases) pending_.push_back(next_++);
      if (pending_.empty() && again_.empty()) return true;
      const std::size_t asked = pending_.size();
      send_all();
      // What was sent is on the wire within a moment, or was refused.
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      strike_off_seen();
      send_again();
      tell();
      if (pending_.size() > asked - asked / 8) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

 private:
  struct Again {
    Clock::time_point when;
    std::uint32_t lease;
  };

  void send_all() {
    auto pace = Clock::now();
    constexpr std::size_t kStep = 256;
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      sender_.send(pending_[i]);
      if (i % kStep != kStep - 1) continue;
      pace += std::chrono::nanoseconds(std::uint64_t{kStep} * 1'000'000'000 / wish_.packets_per_second);
      while (Clock::now() < pace) std::this_thread::yield();
      send_again();
    }
    sender_.flush();
  }

  void strike_off_seen() {
    const auto later = Clock::now() + std::chrono::milliseconds(500);
    std::erase_if(pending_, [&](std::uint32_t lease) {
      if (!recorder_.has_seen(lease)) return false;
      if (lease % 4 == 0) again_.push_back({later, lease});
      return true;
    });
  }

  void send_again() {
    while (!again_.empty() && again_.front().when <= Clock::now()) {
      sender_.send(again_.front().lease);
      again_.pop_front();
    }
  }

  void tell() {
    if (Clock::now() < told_ + std::chrono::seconds(5)) return;
    told_ = Clock::now();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(told_ - began_).count();
    fmt::print("{:5} s  {} of {} subscribers served, {} waiting, {} packets sent\n", seconds, recorder_.seen(),
               wish_.leases, pending_.size(), sender_.sent());
    std::fflush(stdout);
  }

  const Wish& wish_;
  Sender& sender_;
  const Recorder& recorder_;
  Clock::time_point began_;
  Clock::time_point told_ = Clock::now();
  std::uint32_t next_ = 0;
  std::vector<std::uint32_t> pending_;
  std::deque<Again> again_;
};

Result<bool> run(const Wish& wish) {
  const auto recorder = TRY(Recorder::start(TRY(packet_socket(wish.wire_namespace, wish.wire_interface)), wish.leases));
  Sender sender = TRY(Sender::open(wish));
  const bool all_seen = Subscribers(wish, sender, *recorder).run();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const Recorder::Figures figures = recorder->stop();
  TRY_VOID(recorder->write(wish.truth));
  fmt::print(
      "{{\"served\": {}, \"asked\": {}, \"sent\": {}, \"recorded\": {}, \"others\": {}, \"missed_by_recorder\": {}}}\n",
      recorder->seen(), wish.leases, sender.sent(), figures.packets, figures.others, figures.dropped);
  return all_seen && figures.dropped == 0;
}

}  // namespace

int main(int argc, char** argv) {
  Wish wish;
  CLI::App app{"The subscribers and the internet of the soak: sends until each lease was seen, writes down what was."};
  app.add_option("--send-namespace", wish.send_namespace, "path of the subscribers' network namespace")->required();
  app.add_option("--send", wish.send_interface, "interface in it")->required();
  app.add_option("--wire-namespace", wish.wire_namespace, "path of the internet's network namespace")->required();
  app.add_option("--wire", wish.wire_interface, "interface in it")->required();
  app.add_option("--gateway-mac", wish.gateway_mac, "of the gateway's internal interface")->required();
  app.add_option("--remote", wish.remote, "address that packets go to")->required();
  app.add_option("--first-subscriber", wish.first_subscriber, "lowest address")->required();
  app.add_option("--subscribers", wish.subscribers, "how many there are; a lease's is its number modulo this");
  app.add_option("--leases", wish.leases, "how many are asked for");
  app.add_option("--window", wish.window, "how many wait at once: the burst");
  app.add_option("--rate", wish.packets_per_second, "packets a second, at most");
  app.add_option("--deadline", wish.deadline, "seconds until it is given up");
  app.add_option("--truth", wish.truth, "file to write")->required();
  CLI11_PARSE(app, argc, argv);
  const auto done = run(wish);
  if (!done) fmt::print(stderr, "soak_wire: {}\n", done.error().text);
  return done && *done ? 0 : 1;
}
