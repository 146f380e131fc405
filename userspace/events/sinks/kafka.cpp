// kafka.cpp - a producer whose delivery reports are what confirm() waits for.
#include "events/sinks/kafka.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <memory>

namespace apnat {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(100);

struct DestroyProducer {
  void operator()(rd_kafka_t* producer) const {
    ::rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    ::rd_kafka_destroy(producer);
  }
};
struct DestroyConf {
  void operator()(rd_kafka_conf_t* conf) const { ::rd_kafka_conf_destroy(conf); }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, DestroyConf>;

// What delivery reports said since the last confirm().
struct Outcome {
  std::size_t under_way = 0;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
};

void report(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& outcome = *static_cast<Outcome*>(opaque);
  --outcome.under_way;
  if (message->err) outcome.error = message->err;
}

// It says on stderr what natctl status says better.
void say_nothing(const rd_kafka_t*, int, const char*, const char*) {}

Result<void> set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  char reason[512] = {};
  if (::rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof(reason)) == RD_KAFKA_CONF_OK) return {};
  return fail(fmt::format("kafka option {}: {}", name, reason));
}

class KafkaTransport final : public Transport {
 public:
  KafkaTransport(KafkaSettings settings, const Interrupt& interrupt)
      : settings_(std::move(settings)), interrupt_(interrupt) {}
  ~KafkaTransport() override { close(); }

  Pace pace() const override { return {.records = 20'000, .age = std::chrono::milliseconds(500)}; }

  Result<void> send(std::span<const SpoolRecord> records) override {
    if (!producer_) TRY_VOID(open());
    for (const SpoolRecord& record : records) TRY_VOID(produce(record));
    ::rd_kafka_poll(producer_.get(), 0);
    return state();
  }

  Result<void> confirm() override {
    if (!producer_) return {};
    while (outcome_.under_way > 0) {
      ::rd_kafka_poll(producer_.get(), static_cast<int>(kPoll.count()));
      TRY_VOID(state());
      if (interrupt_.is_due()) return fail(ECANCELED, "wait for kafka's brokers");
    }
    return state();
  }

  void close() override {
    producer_.reset();  // its reports still come, to outcome_
    outcome_ = {};
  }

 private:
  Result<void> open() {
    Conf conf(::rd_kafka_conf_new());
    TRY_VOID(set(conf.get(), "bootstrap.servers", settings_.brokers));
    TRY_VOID(set(conf.get(), "client.id", settings_.client_id));
    TRY_VOID(set(conf.get(), "linger.ms", "20"));
    TRY_VOID(set(conf.get(), "message.timeout.ms", std::to_string(settings_.patience.count())));
    for (const auto& [name, value] : settings_.options) TRY_VOID(set(conf.get(), name, value));
    // Last, so that no option of the operator's takes them back.
    TRY_VOID(set(conf.get(), "acks", "all"));
    TRY_VOID(set(conf.get(), "enable.idempotence", "true"));
    ::rd_kafka_conf_set_dr_msg_cb(conf.get(), report);
    ::rd_kafka_conf_set_opaque(conf.get(), &outcome_);
    ::rd_kafka_conf_set_log_cb(conf.get(), say_nothing);
    char reason[512] = {};
    producer_.reset(::rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason, sizeof(reason)));
    if (!producer_) return fail(fmt::format("kafka: {}", reason));
    (void)conf.release();  // the producer's now
    return {};
  }

  Result<void> produce(const SpoolRecord& record) {
    for (;;) {
      const rd_kafka_resp_err_t error = ::rd_kafka_producev(
          producer_.get(), RD_KAFKA_V_TOPIC(settings_.topic.c_str()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
          RD_KAFKA_V_KEY(record.key.data(), record.key.size()),
          RD_KAFKA_V_VALUE(const_cast<char*>(record.payload.data()), record.payload.size()), RD_KAFKA_V_END);
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ++outcome_.under_way;
        return {};
      }
      if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) return fail(fmt::format("kafka: {}", ::rd_kafka_err2str(error)));
      ::rd_kafka_poll(producer_.get(), static_cast<int>(kPoll.count()));
      TRY_VOID(state());
      if (interrupt_.is_due()) return fail(ECANCELED, "wait for kafka's brokers");
    }
  }

  Result<void> state() const {
    if (outcome_.error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return fail(fmt::format("kafka {}: {}", settings_.brokers, ::rd_kafka_err2str(outcome_.error)));
  }

  KafkaSettings settings_;
  const Interrupt& interrupt_;
  Outcome outcome_;
  std::unique_ptr<rd_kafka_t, DestroyProducer> producer_;
};

}  // namespace

std::unique_ptr<Transport> kafka_transport(KafkaSettings settings, const Interrupt& interrupt) {
  return std::make_unique<KafkaTransport>(std::move(settings), interrupt);
}

}  // namespace apnat
