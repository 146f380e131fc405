// worker.cpp - from a punted frame to the datagram's end. What a NAT is, only the program knows: here its verdict is
// carried out.
#include "slowpath/worker.h"

#include <sys/random.h>

#include <algorithm>

#include "core_native.h"
#include "slowpath/fragmenter.h"

namespace apnat {
namespace {

// Enough for every sender that means well, too few to be of use to one that does not.
constexpr IcmpLimiter::Rate kErrorsToOne{.per_second = 10, .burst = 10};
constexpr IcmpLimiter::Rate kErrorsToAll{.per_second = 1000, .burst = 1000};
constexpr std::size_t kMostEvents = 256;  // waiting to be taken
// The stages of one turn in so many are timed, and count for all: reading the clock is dearer than some of them.
constexpr std::uint64_t kMeasuredTurn = 16;

std::uint64_t secret() {
  std::uint64_t random = 0;
  while (::getrandom(&random, sizeof(random), 0) != sizeof(random)) {
  }
  return random;
}

std::optional<IcmpError> error_of(enum verdict verdict) {
  switch (core_icmp_answer(verdict)) {
    case ICMP_ANSWER_PACKET_TOO_BIG:
      return IcmpError::kFragmentationNeeded;
    case ICMP_ANSWER_TIME_EXCEEDED:
      return IcmpError::kTimeExceeded;
    case ICMP_ANSWER_NETWORK_UNREACHABLE:
      return IcmpError::kNetworkUnreachable;
    case ICMP_ANSWER_HOST_UNREACHABLE:
      return IcmpError::kHostUnreachable;
    case ICMP_ANSWER_NONE:
      break;
  }
  return std::nullopt;
}

// What is whole and waits is part of `memory`, too.
FragmentsConfig for_reassembler(FragmentsConfig config) {
  config.memory -= std::min<std::uint64_t>(config.memory, Batch::kBytes);
  return config;
}

bool is_finished_by_kernel(enum verdict verdict) {
  return verdict == VERDICT_NEIGHBOUR_PENDING || verdict == VERDICT_EGRESS_BY_KERNEL ||
         verdict == VERDICT_FRAGMENTED_BY_KERNEL;
}

}  // namespace

SlowPathWorker::SlowPathWorker(const FragmentsConfig& config, KernelWay kernel, const Clock& clock)
    : clock_(clock),
      reassembler_(for_reassembler(config), secret()),
      limiter_(kErrorsToOne, kErrorsToAll, secret()),
      kernel_(std::move(kernel)),
      config_(config) {}

// Another `memory` needs another reassembler: what was being put together is lost then, and only then.
void SlowPathWorker::follow(Orders orders) {
  if (orders.program) program_ = std::move(orders.program);
  if (orders.roles) roles_ = std::move(*orders.roles);
  if (orders.internal) internal_ = std::move(*orders.internal);
  if (orders.own_addresses) own_addresses_ = std::move(*orders.own_addresses);
  if (orders.rings) rings_ = std::move(*orders.rings);
  if (!orders.fragments) return;
  if (orders.fragments->memory != config_.memory) {
    reassembler_ = Reassembler(for_reassembler(*orders.fragments), secret());
  } else {
    reassembler_.reconfigure(*orders.fragments);
  }
  config_ = *orders.fragments;
}

void SlowPathWorker::begin_laps() {
  now_ns_ = lap_ns_ = clock_.monotonic_ns();
  measures_ = turns_++ % kMeasuredTurn == 0;
}

void SlowPathWorker::lap(Stage stage) {
  if (!measures_) return;
  const std::uint64_t now = clock_.monotonic_ns();
  stage_ns_[static_cast<std::size_t>(stage)] += (now - lap_ns_) * kMeasuredTurn;
  lap_ns_ = now;
}

void SlowPathWorker::serve(XskRing& ring) {
  begin_laps();
  ring.receive(kFrames, [&](Bytes frame) { accept(frame, ring); });
  lap(Stage::kReassemble);
  ring.release();
  lap(Stage::kReceive);
  finish_batch();
  for (XskRing* touched : touched_) touched->flush();
  touched_.clear();
  lap(Stage::kSend);
}

void SlowPathWorker::tick() {
  const std::uint64_t now = clock_.monotonic_ns();
  reassembler_.expire(now);
  const auto wrap = reassembler_.take_id_wrap();
  if (!wrap) return;
  if (auto event = reports_.report(*wrap, now); event && events_.size() < kMostEvents) events_.push_back(*event);
}

const InternalPrefix* SlowPathWorker::find_internal(Ip4 address) const {
  const auto after =
      std::ranges::upper_bound(internal_, address, {}, [](const InternalPrefix& one) { return one.prefix.first(); });
  if (after == internal_.begin()) return nullptr;
  const InternalPrefix& candidate = *std::prev(after);
  return candidate.prefix.contains(address) ? &candidate : nullptr;
}

// The program has checked already that nobody uses addresses of the other side.
enum realm SlowPathWorker::realm_of(Bytes frame, std::uint32_t device) const {
  const auto role = roles_.find(device);
  if (role == roles_.end()) return REALM_EXTERNAL;
  if (role->second.internal != role->second.external) return role->second.internal ? REALM_INTERNAL : REALM_EXTERNAL;
  const auto parsed = parse_frame(frame);
  return parsed && find_internal(parsed->source()) ? REALM_INTERNAL : REALM_EXTERNAL;
}

void SlowPathWorker::accept(Bytes frame, const XskRing& ring) {
  ++counters_.frames;
  const Arrival arrival{
      .ifindex = ring.place().ifindex, .rx_queue = ring.place().queue, .realm = realm_of(frame, ring.place().ifindex)};
  const auto fragment = parse_fragment(frame, arrival);
  if (!fragment && fragment.error() == FragmentFault::kWhole) {
    ++counters_.whole;
    return add_whole(frame, arrival);
  }
  if (!fragment) {
    if (!answer_cut_short(frame, arrival)) ++counters_.malformed;
    return;
  }
  const Reassembled result = reassembler_.add(*fragment, now_ns_, batch_.room());
  if (result.quota) report(*result.quota);
  if (!result.datagram) return;
  const Datagram& datagram = *result.datagram;
  add({.frame = datagram.frame,
       .arrival = datagram.arrival,
       .largest_fragment = datagram.largest_fragment,
       .dont_fragment = datagram.dont_fragment});
}

void SlowPathWorker::report(const QuotaHit& hit) {
  auto event = reports_.report(hit, now_ns_);
  if (!event || events_.size() >= kMostEvents) return;
  const InternalPrefix* internal = hit.realm == REALM_INTERNAL ? find_internal(hit.source) : nullptr;
  if (internal) event->pool = internal->pool;
  events_.push_back(std::move(*event));
}

// Its padding may be longer than there is room for: that is nothing to anybody.
void SlowPathWorker::add_whole(Bytes frame, const Arrival& arrival) {
  const MutableBytes room = batch_.room();
  const MutableBytes copy = room.first(std::min(frame.size(), room.size()));
  std::ranges::copy(frame.first(copy.size()), copy.begin());
  add({.frame = copy, .arrival = arrival});
}

// Before 6.6 a packet in several buffers that is too big for its way out comes here without its end (bpf/punt.h). What
// an answer quotes of it must be there.
bool SlowPathWorker::answer_cut_short(Bytes frame, const Arrival& arrival) {
  const std::size_t missing = bytes_cut_off(frame);
  if (missing == 0 || frame.size() < kMostLinkBytes + IcmpErrorFrame::kMost) return false;
  const MutableBytes filled = batch_.room().first(frame.size() + missing);
  std::ranges::fill(std::ranges::copy(frame, filled.begin()).out, filled.end(), 0);
  const auto whole = parse_frame(filled);
  if (!whole || whole->is_fragment() || !whole->dont_fragment()) return false;
  ++counters_.whole;
  add({.frame = filled, .arrival = arrival, .is_cut_short = true});
  return true;
}

void SlowPathWorker::add(const Original& original) {
  batch_.add(original);
  if (batch_.is_full()) finish_batch();
}

void SlowPathWorker::finish_batch() {
  lap(Stage::kReassemble);
  const std::uint32_t answered = translate_batch();
  lap(Stage::kTranslate);
  counters_.translator_failed += batch_.originals().size() - answered;
  for (std::uint32_t number = 0; number < answered; ++number) {
    dispose(batch_.originals()[number], program_->answer(number));
  }
  batch_.clear();
  lap(Stage::kSend);
}

// Whole and with DF a datagram is atomic, and the program leaves its ID alone; one that came in fragments all the same
// leaves in fragments, so it must get one of ours (RFC 6864 section 4: non-atomic). The program sees it without DF.
std::uint32_t SlowPathWorker::translate_batch() {
  if (!program_) return 0;
  std::uint32_t count = 0;
  for (const Original& original : batch_.originals()) {
    const MutableBytes head = program_->ask(count++, original.frame, original.arrival.ifindex);
    const auto parsed = original.dont_fragment ? parse_frame(original.frame) : std::unexpected(FrameFault::kNotIpv4);
    if (parsed) set_dont_fragment(head.subspan(parsed->link.size()), false);
  }
  return count ? program_->run(count) : 0;
}

// In the original's place; Batch::put_back() makes it its sender's again.
MutableBytes SlowPathWorker::put_translated(const Original& original, const slow_path_datagram& answer) {
  const MutableBytes translated = batch_.put_translated(original, Bytes(answer.head).first(answer.head_length));
  if (original.dont_fragment) set_dont_fragment(translated.subspan(answer.network_offset), true);
  return translated;
}

// What DROP and an unanswered refusal mean is in the slow path's verdicts already.
void SlowPathWorker::dispose(const Original& original, const slow_path_datagram& answer) {
  const auto verdict = static_cast<enum verdict>(answer.verdict);
  const enum fate fate = core_fate(verdict);
  if (const auto error = error_of(verdict)) {
    return tell_sender(*error, original, answer.interface_ifindex, answer.mtu);
  }
  if (original.is_cut_short) return tell_too_big(original, answer);
  if (fate == FATE_FORWARD) return send(original, answer);
  if (is_finished_by_kernel(verdict)) return send_by_kernel(original, answer);
  if (fate != FATE_PASS) return;
  ++(kernel_.deliver(original.frame) ? counters_.to_gateway : counters_.send_failed);
}

// The program holds no length against the MTU here; of what was cut short nothing else can be wrong.
void SlowPathWorker::tell_too_big(const Original& original, const slow_path_datagram& answer) {
  const auto parsed = parse_frame(original.frame);
  if (!parsed || answer.mtu == 0 || parsed->total_length() <= answer.mtu) {
    ++counters_.malformed;
    return;
  }
  tell_sender(IcmpError::kFragmentationNeeded, original, answer.interface_ifindex, answer.mtu);
}

XskRing* SlowPathWorker::ring_of(std::uint32_t device, std::uint32_t queue) const {
  XskRing* found = nullptr;
  for (const auto& ring : rings_) {
    if (ring->place().ifindex != device || !ring->can_send()) continue;
    if (!found || ring->place().queue == queue) found = ring.get();
  }
  return found;
}

void SlowPathWorker::send(const Original& original, const slow_path_datagram& answer) {
  XskRing* ring = ring_of(answer.device_ifindex, original.arrival.rx_queue);
  // The kernel sends what has no socket here, or is too large for one of its frames.
  const std::size_t growth = answer.head_length - SlowPathProgram::kHead;
  const bool fits = answer.mtu + answer.network_offset <= XskRing::kFrameBytes ||
                    original.frame.size() + growth <= XskRing::kFrameBytes;
  if (!ring || !fits || answer.mtu == 0) return send_by_kernel(original, answer);
  auto fragmenter = Fragmenter::make(put_translated(original, answer), answer.mtu, original.largest_fragment);
  if (!fragmenter && fragmenter.error() == FragmenterFault::kTooBig) {
    batch_.put_back(original);
    return tell_sender(IcmpError::kFragmentationNeeded, original, answer.interface_ifindex, answer.mtu);
  }
  if (!fragmenter) {
    ++counters_.send_failed;
    return;
  }
  if (std::ranges::count(touched_, ring) == 0) touched_.push_back(ring);
  while (const auto piece = fragmenter->next()) {
    if (!ring->send(piece->headers, piece->payload)) {
      ++counters_.send_failed;
      return;
    }
    ++counters_.fragments_sent;
  }
  ++counters_.forwarded;
}

void SlowPathWorker::send_by_kernel(const Original& original, const slow_path_datagram& answer) {
  const KernelWay::Sent sent = kernel_.send(put_translated(original, answer), original.largest_fragment);
  switch (sent.end) {
    case KernelWay::Sent::End::kSent:
      ++counters_.by_kernel;
      return;
    case KernelWay::Sent::End::kTooBig:
      batch_.put_back(original);
      return tell_sender(IcmpError::kFragmentationNeeded, original, answer.interface_ifindex, sent.mtu);
    case KernelWay::Sent::End::kLost:
      ++counters_.send_failed;
  }
}

// By the kernel: the way back to the sender need not be the way it came.
void SlowPathWorker::tell_sender(IcmpError error, const Original& original, std::uint32_t interface,
                                 std::uint32_t mtu) {
  const auto from = own_addresses_.find(interface);
  if (from == own_addresses_.end()) {
    ++counters_.icmp_silent;
    return;
  }
  const auto frame = icmp_error(error, original.frame, from->second, static_cast<std::uint16_t>(mtu));
  if (!frame) {
    ++counters_.icmp_silent;
    return;
  }
  const auto parsed = parse_frame(frame->bytes());
  if (!parsed || !limiter_.allow(parsed->destination(), now_ns_)) {
    ++counters_.icmp_suppressed;
    return;
  }
  const bool sent = kernel_.send(frame->bytes(), 0).end == KernelWay::Sent::End::kSent;
  ++(sent ? counters_.icmp_sent : counters_.send_failed);
}

WorkerFigures SlowPathWorker::figures() const {
  const std::uint64_t now = clock_.monotonic_ns();
  return {.counters = counters_,
          .reassembly = reassembler_.counters(),
          .gauges = {reassembler_.gauges(REALM_INTERNAL, now), reassembler_.gauges(REALM_EXTERNAL, now)},
          .wrap_margin = reassembler_.wrap_margin(),
          .stage_ns = stage_ns_};
}

}  // namespace apnat
