// encoder.h - an event in the form a receiver wants it. Pure.
#pragma once

#include <functional>
#include <string>

#include "events/event.h"

namespace apnat {

struct Encoded {
  std::string key;
  std::string payload;
};

// `node` is the name of this node at the moment. The buffers are empty when it is called; they are reused.
using Encoder = std::function<void(const Event& event, const std::string& node, Encoded& out)>;

// What records of one subject have in common, so that a receiver that spreads by key keeps their order: the external
// address where there is one, else the subscriber, else the node.
std::string subject_of(const EventBody& body, const std::string& node);

enum class JsonFormat { kApnat, kEcs };

Encoder json_encoder(JsonFormat format);
// The same, with the subject as the key.
Encoder keyed(Encoder encoder);

}  // namespace apnat
