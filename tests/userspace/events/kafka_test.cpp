// kafka_test.cpp - against the broker that librdkafka brings along for tests.
#include "events/sinks/kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <catch2/catch.hpp>
#include <map>
#include <memory>

#include "events/sinks/encoder.h"
#include "events/sinks/spooled.h"
#include "samples.h"
#include "temp_folder.h"

using namespace apnat;
using namespace apnat::test;
using namespace std::chrono_literals;

namespace {

void be_silent(const rd_kafka_t*, int, const char*, const char*) {}

rd_kafka_t* handle(rd_kafka_type_t type, const std::map<std::string, std::string>& options) {
  char reason[512];
  rd_kafka_conf_t* conf = ::rd_kafka_conf_new();
  for (const auto& [name, value] : options) {
    REQUIRE(::rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof(reason)) == RD_KAFKA_CONF_OK);
  }
  ::rd_kafka_conf_set_log_cb(conf, be_silent);
  rd_kafka_t* made = ::rd_kafka_new(type, conf, reason, sizeof(reason));
  REQUIRE(made);
  return made;
}

// Three brokers in this process.
struct Cluster {
  rd_kafka_t* owner = handle(RD_KAFKA_PRODUCER, {});
  rd_kafka_mock_cluster_t* cluster = ::rd_kafka_mock_cluster_new(owner, 3);
  Cluster() { REQUIRE(::rd_kafka_mock_topic_create(cluster, "nat", 4, 3) == RD_KAFKA_RESP_ERR_NO_ERROR); }
  ~Cluster() {
    ::rd_kafka_mock_cluster_destroy(cluster);
    ::rd_kafka_destroy(owner);
  }
  std::string brokers() const { return ::rd_kafka_mock_cluster_bootstraps(cluster); }
  void all(void (*change)(rd_kafka_mock_cluster_t*, int)) const {
    for (int broker = 1; broker <= 3; ++broker) change(cluster, broker);
  }
};

struct Got {
  std::map<std::uint64_t, int> copies;  // of each seq
  bool in_order = true;                 // within a partition
};

Got consume(const Cluster& cluster, std::size_t wanted) {
  rd_kafka_t* consumer =
      handle(RD_KAFKA_CONSUMER,
             {{"bootstrap.servers", cluster.brokers()}, {"group.id", "test"}, {"auto.offset.reset", "earliest"}});
  ::rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* partitions = ::rd_kafka_topic_partition_list_new(4);
  for (int partition = 0; partition < 4; ++partition) {
    ::rd_kafka_topic_partition_list_add(partitions, "nat", partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  ::rd_kafka_assign(consumer, partitions);
  ::rd_kafka_topic_partition_list_destroy(partitions);
  Got got;
  std::map<int, std::uint64_t> last;
  for (int quiet = 0; quiet < 50 && got.copies.size() < wanted;) {
    rd_kafka_message_t* message = ::rd_kafka_consumer_poll(consumer, 200);
    if (!message || message->err) {
      ++quiet;
    } else {
      const std::string text(static_cast<const char*>(message->payload), message->len);
      const std::uint64_t seq = std::stoull(text.substr(7));
      if (++got.copies[seq] == 1 && last.contains(message->partition)) got.in_order &= seq > last[message->partition];
      last[message->partition] = std::max(last[message->partition], seq);
    }
    if (message) ::rd_kafka_message_destroy(message);
  }
  ::rd_kafka_consumer_close(consumer);
  ::rd_kafka_destroy(consumer);
  return got;
}

Event created(std::uint64_t seq) {
  Event event = every_event()[3];
  event.seq = seq;
  std::get<MappingCreated>(event.body).external.address = Ip4(0xcb007100 + static_cast<std::uint32_t>(seq % 16));
  return event;
}

}  // namespace

TEST_CASE("events reach a Kafka topic, also over an outage of every broker, in order within an address") {
  TempFolder temp;
  Cluster cluster;
  SpooledSink::Settings settings;
  settings.name = "kafka";
  settings.node = "cgn1";
  settings.folder = temp.path / "spool";
  settings.longest_backoff = 200ms;
  auto sink = SpooledSink::open(settings, keyed(json_encoder(JsonFormat::kApnat)), [&](const Interrupt& interrupt) {
    KafkaSettings kafka{cluster.brokers(), "nat", "cgn1", {}};
    kafka.patience = 1'000ms;
    return kafka_transport(kafka, interrupt);
  });
  REQUIRE(sink);
  constexpr std::uint64_t kEvents = 10'000;
  for (std::uint64_t seq = 0; seq < kEvents; ++seq) {
    REQUIRE((*sink)->accept(created(seq)));
    if (seq % 500 == 0) REQUIRE((*sink)->flush());
    if (seq == 3'000) {
      cluster.all([](rd_kafka_mock_cluster_t* brokers, int id) { ::rd_kafka_mock_broker_set_down(brokers, id); });
      std::this_thread::sleep_for(1'500ms);  // longer than a message is tried
    }
    if (seq == 8'000) {
      cluster.all([](rd_kafka_mock_cluster_t* brokers, int id) { ::rd_kafka_mock_broker_set_up(brokers, id); });
    }
  }
  for (int i = 0; i < 400; ++i) {
    (void)(*sink)->flush();
    if ((*sink)->figures().waiting == 0) break;
    std::this_thread::sleep_for(50ms);
  }
  CHECK((*sink)->figures().waiting == 0);
  CHECK((*sink)->figures().written == kEvents);
  const Got got = consume(cluster, kEvents);
  CHECK(got.copies.size() == kEvents);
  CHECK(got.in_order);
}

TEST_CASE("an option that librdkafka does not know is said by its name") {
  Interrupt interrupt;
  const auto transport = kafka_transport({"127.0.0.1:9", "nat", "cgn1", {{"no.such.option", "1"}}}, interrupt);
  const SpoolRecord record{1, 0, "k", "{}"};
  const auto sent = transport->send({&record, 1});
  REQUIRE_FALSE(sent);
  CHECK(sent.error().text.find("no.such.option") != std::string::npos);
}
