// json.h - an Event as one line of JSON: the shapes of deploy/events.schema.json. Pure.
//
// Written by hand, not through a JSON library: a gateway that logs mappings
// makes hundreds of thousands of lines a second, on the thread that does all else.
#pragma once

#include <string>
#include <string_view>

#include "events/event.h"

namespace apnat {

class JsonLine;

// Without the line's end.
std::string to_json(const Event& event, std::string_view node);
void append_json(std::string& out, const Event& event, std::string_view node);

// What one kind of event says, without what all say.
void append_fields(JsonLine& line, const EventBody& body);

// The event's name: "port_block_assigned".
std::string_view event_name(const EventBody& body);

// `text` as a JSON string, with its quotes. Bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);
void append_json_string(std::string& out, std::string_view text);

}  // namespace apnat
