// kafka.h - events into a topic, by librdkafka.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "events/sinks/transport.h"

namespace apnat {

struct KafkaSettings {
  std::string brokers;
  std::string topic;
  std::string client_id;
  std::map<std::string, std::string> options;  // librdkafka's own, by its names: security.protocol, sasl.username, ...
  std::chrono::milliseconds patience{30'000};  // until a message that no broker takes counts as not sent
};

// acks=all and an idempotent producer: in order within a key, and no copy unless a delivery had to begin again.
std::unique_ptr<Transport> kafka_transport(KafkaSettings settings, const Interrupt& interrupt);

}  // namespace apnat
