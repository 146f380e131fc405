// ipfix.cpp - one list of templates; what a record holds is written next to what its template says.
#include "events/sinks/ipfix.h"

#include <zlib.h>

#include <algorithm>
#include <array>

namespace apnat {
namespace {

// Values of natEvent (IE 230), RFC 8158 table 3. 1 and 2 are historic and never sent.
enum NatEvent : std::uint8_t {
  kAddressesExhausted = 3,
  kNat44SessionCreate = 4,
  kNat44SessionDelete = 5,
  kNat44BibCreate = 8,
  kNat44BibDelete = 9,
  kQuotaExceeded = 13,
  kPortBlockAllocation = 16,
  kPortBlockDeallocation = 17,
};
// natQuotaExceededEvent, IE 466
constexpr std::uint32_t kMaxEntriesPerUser = 3;
constexpr std::uint32_t kMaxFragmentsPending = 5;

struct Field {
  std::uint16_t element;
  std::uint16_t bytes;
};
constexpr std::uint16_t kVariable = 0xffff;

constexpr Field kTime{323, 8};  // observationTimeMilliseconds
constexpr Field kNatEvent{230, 1};
constexpr Field kSeq{148, 8};   // flowId: unique within the observation domain, as our seq is
constexpr Field kSource{8, 4};  // sourceIPv4Address
constexpr Field kPostNatSource{225, 4};
constexpr Field kProtocol{4, 1};
constexpr Field kSourcePort{7, 2};
constexpr Field kPostNaptSourcePort{227, 2};
constexpr Field kDestination{12, 4};
constexpr Field kDestinationPort{11, 2};
constexpr Field kSourcePrefixLength{9, 1};
constexpr Field kPortRangeStart{361, 2};
constexpr Field kPortRangeEnd{362, 2};
constexpr Field kPoolId{283, 4};
constexpr Field kPoolName{284, kVariable};
constexpr Field kQuotaEvent{466, 4};
constexpr Field kEntriesPerUser{473, 4};
constexpr Field kFragmentsPending{475, 4};  // maxFragmentsPendingReassembly
constexpr Field kDomainId{149, 4};
constexpr Field kNotSent{166, 8};  // notSentFlowTotalCount

enum TemplateId : std::uint16_t {
  kMapping = 256,
  kSession = 257,
  kPortBlock = 258,
  kExhausted = 259,
  kQuota = 260,
  kPoolNames = 261,  // options: natPoolId -> natPoolName
  kLosses = 262,     // options: how many events of this domain were lost
  kFragmentQuota = 263,
};

struct Template {
  TemplateId id;
  std::size_t scopes;  // options templates: how many of the fields are scope
  std::vector<Field> fields;
};

const std::vector<Template>& all_templates() {
  static const std::vector<Template> all = {
      {kMapping,
       0,
       {kTime, kNatEvent, kSeq, kPoolId, kSource, kPostNatSource, kProtocol, kSourcePort, kPostNaptSourcePort}},
      {kSession,
       0,
       {kTime, kNatEvent, kSeq, kPoolId, kSource, kPostNatSource, kProtocol, kSourcePort, kPostNaptSourcePort,
        kDestination, kDestinationPort}},
      {kPortBlock,
       0,
       {kTime, kNatEvent, kSeq, kPoolId, kSource, kSourcePrefixLength, kPostNatSource, kPortRangeStart, kPortRangeEnd}},
      {kExhausted, 0, {kTime, kNatEvent, kSeq, kPoolId}},
      {kQuota, 0, {kTime, kNatEvent, kSeq, kPoolId, kQuotaEvent, kEntriesPerUser, kSource}},
      {kPoolNames, 1, {kPoolId, kPoolName}},
      {kLosses, 1, {kDomainId, kTime, kNotSent}},
      {kFragmentQuota, 0, {kTime, kNatEvent, kSeq, kPoolId, kQuotaEvent, kFragmentsPending, kSource}},
  };
  return all;
}

class Bytes {
 public:
  explicit Bytes(std::string& out) : out_(out) {}
  template <typename T>
  Bytes& big_endian(T value) {
    for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
      out_ += static_cast<char>((std::uint64_t{value} >> shift) & 0xff);
    }
    return *this;
  }
  Bytes& u8(std::uint8_t value) { return big_endian(value); }
  Bytes& u16(std::uint16_t value) { return big_endian(value); }
  Bytes& u32(std::uint32_t value) { return big_endian(value); }
  Bytes& u64(std::uint64_t value) { return big_endian(value); }
  Bytes& address(Ip4 value) { return u32(value.value()); }

 private:
  std::string& out_;
};

void set_u16(std::string& bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<char>(value >> 8);
  bytes[at + 1] = static_cast<char>(value & 0xff);
}

// An event's records, each as its template's number, its length, its bytes.
class Records {
 public:
  Records(const Event& event, std::string& out, std::uint64_t& losses) : event_(event), out_(out), losses_(losses) {}

  void operator()(const PortBlockAssigned& e) const { block(kPortBlockAllocation, e); }
  void operator()(const PortBlockReleased& e) const { block(kPortBlockDeallocation, e); }
  // With a destination it is a session; without, an entry of the binding information base. Never both (LOG-5).
  void operator()(const MappingCreated& e) const {
    if (!e.destination) return mapping(kMapping, kNat44BibCreate, e, {});
    mapping(kSession, kNat44SessionCreate, e, *e.destination);
  }
  // The end is of the kind the beginning was; where to, RFC 8158 section 4.6.1 leaves open.
  void operator()(const MappingDeleted& e) const {
    mapping(kMapping, e.with_destination ? kNat44SessionDelete : kNat44BibDelete, e, {});
  }
  void operator()(const PoolExhausted& e) const {
    record(kExhausted, [&](Bytes out) { head(out, kAddressesExhausted, e.pool); });
  }
  void operator()(const QuotaExceeded& e) const {
    if (e.verdict == "RATE_LIMIT") return;                          // RFC 8158 knows quotas of entries, none of rates
    const bool of_fragments = e.verdict.starts_with("FRAGMENTS_");  // the slow path's limits (RFC 8158 section 4.6.7.5)
    record(of_fragments ? kFragmentQuota : kQuota, [&](Bytes out) {
      head(out, kQuotaExceeded, e.pool)
          .u32(of_fragments ? kMaxFragmentsPending : kMaxEntriesPerUser)
          .u32(e.limit)
          .address(e.subscriber.first());
    });
  }
  // What this sink, or the gateway, could not keep is in a total, as RFC 7011 exporters count it.
  void operator()(const Gap& e) const {
    losses_ += e.last_seq - e.first_seq + 1;
    record(kLosses, [&](Bytes out) { out.u32(0).u64(milliseconds()).u64(losses_); });
  }
  void operator()(const SourceSpoofed&) const {}
  void operator()(const Ipv4IdRepeated&) const {}
  void operator()(const FragmentIdsWrapped&) const {}
  void operator()(const TraceAsked&) const {}
  void operator()(const ConfigApplied&) const {}
  void operator()(const AgentStarted&) const {}
  void operator()(const AgentStopped&) const {}

 private:
  std::uint64_t milliseconds() const {
    using namespace std::chrono;
    return static_cast<std::uint64_t>(floor<std::chrono::milliseconds>(event_.time.time_since_epoch()).count());
  }

  Bytes& head(Bytes& out, NatEvent nat_event, std::string_view pool) const {
    return out.u64(milliseconds()).u8(nat_event).u64(event_.seq).u32(ipfix_pool_id(pool));
  }

  template <typename Block>
  void block(NatEvent nat_event, const Block& e) const {
    pool_name(e.pool);
    for (const PortRange& run : e.ports) {  // one record a run of ports
      record(kPortBlock, [&](Bytes out) {
        head(out, nat_event, e.pool).address(e.subscriber.first());
        out.u8(static_cast<std::uint8_t>(e.subscriber.length())).address(e.external_address);
        out.u16(run.first).u16(run.last);
      });
    }
  }

  template <typename Mapping>
  void mapping(TemplateId id, NatEvent nat_event, const Mapping& e, const Endpoint& destination) const {
    record(id, [&](Bytes out) {
      head(out, nat_event, e.pool).address(e.internal.address).address(e.external.address).u8(e.protocol);
      out.u16(e.internal.port).u16(e.external.port);
      if (id == kSession) out.address(destination.address).u16(destination.port);
    });
  }

  // Every pool has blocks: they carry its name along, and the messages say it once.
  void pool_name(std::string_view pool) const {
    record(kPoolNames, [&](Bytes out) {
      out.u32(ipfix_pool_id(pool)).u8(static_cast<std::uint8_t>(std::min<std::size_t>(pool.size(), 254)));
      out_ += pool.substr(0, 254);
    });
  }

  template <typename Fill>
  void record(TemplateId id, Fill fill) const {
    const std::size_t at = out_.size();
    Bytes(out_).u16(id).u16(0);
    fill(Bytes(out_));
    set_u16(out_, at + 2, static_cast<std::uint16_t>(out_.size() - at - 4));
  }

  const Event& event_;
  std::string& out_;
  std::uint64_t& losses_;
};

std::uint16_t u16_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                                    static_cast<unsigned char>(bytes[at + 1]));
}

constexpr std::uint16_t kVersion = 10;
constexpr std::uint16_t kTemplateSet = 2;
constexpr std::uint16_t kOptionsTemplateSet = 3;

std::string begun_message(std::uint32_t export_time, std::uint32_t sequence, std::uint32_t domain) {
  std::string message;
  Bytes(message).u16(kVersion).u16(0).u32(export_time).u32(sequence).u32(domain);
  return message;
}

}  // namespace

std::uint32_t ipfix_pool_id(std::string_view pool) {
  return static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(pool.data()), pool.size()));
}

std::uint32_t ipfix_domain_of(std::string_view node) {
  const auto of_name =
      static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(node.data()), node.size()));
  return std::max<std::uint32_t>(1, of_name);
}

Encoder ipfix_encoder() {
  return [losses = std::uint64_t{0}](const Event& event, const std::string&, Encoded& out) mutable {
    std::visit(Records(event, out.payload, losses), event.body);
  };
}

std::string IpfixMessages::templates(std::uint32_t export_time) {
  announced_pools_.clear();
  std::string message = begun_message(export_time, sequence_, domain_);
  for (const bool options : {false, true}) {
    const std::size_t set_at = message.size();
    Bytes(message).u16(options ? kOptionsTemplateSet : kTemplateSet).u16(0);
    for (const Template& shape : all_templates()) {
      if ((shape.scopes > 0) != options) continue;
      Bytes(message).u16(shape.id).u16(static_cast<std::uint16_t>(shape.fields.size()));
      if (options) Bytes(message).u16(static_cast<std::uint16_t>(shape.scopes));
      for (const Field& field : shape.fields) Bytes(message).u16(field.element).u16(field.bytes);
    }
    set_u16(message, set_at + 2, static_cast<std::uint16_t>(message.size() - set_at));
  }
  set_u16(message, 2, static_cast<std::uint16_t>(message.size()));
  return message;
}

void IpfixMessages::add(std::string_view payload, std::uint32_t export_time, std::vector<std::string>& out) {
  while (payload.size() >= 4) {
    const std::uint16_t id = u16_at(payload, 0);
    const std::size_t bytes = std::min<std::size_t>(u16_at(payload, 2), payload.size() - 4);
    std::string record(payload.substr(4, bytes));
    payload.remove_prefix(4 + bytes);
    if (id == kPoolNames && !announced_pools_.insert(record).second) continue;
    // The scope of a loss is this domain, which the record did not know yet.
    if (id == kLosses) {
      std::string domain;
      Bytes(domain).u32(domain_);
      record.replace(0, domain.size(), domain);
    }
    const std::size_t with_it = message_.size() + record.size() + (id == set_template_ ? 0 : 4);
    if (records_ > 0 && with_it > most_bytes_) finish(out);
    if (message_.empty()) message_ = begun_message(export_time, sequence_, domain_);
    if (id != set_template_) {
      close_set();
      set_at_ = message_.size();
      set_template_ = id;
      Bytes(message_).u16(id).u16(0);
    }
    message_ += record;
    ++records_;
  }
}

void IpfixMessages::close_set() {
  if (set_at_) set_u16(message_, set_at_ + 2, static_cast<std::uint16_t>(message_.size() - set_at_));
  set_at_ = 0;
  set_template_ = 0;
}

void IpfixMessages::finish(std::vector<std::string>& out) {
  if (records_ == 0) return;
  close_set();
  set_u16(message_, 2, static_cast<std::uint16_t>(message_.size()));
  out.push_back(std::move(message_));
  message_.clear();
  sequence_ += records_;
  records_ = 0;
}

}  // namespace apnat
