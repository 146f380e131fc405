// check_event_sinks.cpp - each sink by itself, and that no two are one.
#include <algorithm>
#include <map>
#include <set>

#include "config/check_rules.h"

namespace apnat {
namespace {

void check_paths_of(const EventSinkConfig& sink, Complaints& complaints) {
  const struct {
    std::string_view key;
    const std::filesystem::path& path;
    Where where;
  } paths[] = {{"path", sink.path, sink.path_at},
               {"ca", sink.ca, sink.ca_at},
               {"certificate", sink.certificate, sink.certificate_at},
               {"key", sink.key, sink.key_at},
               {"token_file", sink.token_file, sink.token_file_at}};
  for (const auto& [key, path, where] : paths) {
    if (!path.empty()) check_absolute(complaints, at_or(where, sink.where), key, path);
  }
  if (sink.type == SinkType::kUnix && sink.path.native().size() > limits::kSocketPath) {
    complaints.add(sink.path_at, fmt::format("path is {} bytes long; a socket's path has at most {}",
                                             sink.path.native().size(), limits::kSocketPath));
  }
}

void check_certificates(const EventSinkConfig& sink, Complaints& complaints) {
  if (sink.certificate.empty() != sink.key.empty()) {
    complaints.add(sink.certificate.empty() ? sink.key_at : sink.certificate_at,
                   "certificate and key go together; write both or none");
  }
  const bool may_have = sink.type == SinkType::kHttp || sink.protocol_used() == SinkProtocol::kTls;
  if (!may_have && !(sink.ca.empty() && sink.certificate.empty())) {
    complaints.add(sink.ca.empty() ? sink.certificate_at : sink.ca_at,
                   "ca, certificate and key are for protocol = \"tls\"; take them out, or write that");
  }
}

void check_sizes(const EventSinkConfig& sink, Complaints& complaints) {
  if (sink.rotate_size != 0 && sink.rotate_size < limits::kLeastRotateSize) {
    complaints.add(sink.rotate_size_at,
                   fmt::format("rotate_size is {}; write at least {}", text_of_bytes(sink.rotate_size),
                               text_of_bytes(limits::kLeastRotateSize)));
  }
  const auto least = static_cast<std::uint64_t>(limits::kSpoolBytes.least);
  const auto most = static_cast<std::uint64_t>(limits::kSpoolBytes.most);
  if (sink.has_spool() && (sink.spool < least || sink.spool > most)) {
    complaints.add(at_or(sink.spool_at, sink.where),
                   fmt::format("spool is {}; write a size from {} to {}", text_of_bytes(sink.spool),
                               text_of_bytes(least), text_of_bytes(most)));
  }
}

void check_name(const EventSinkConfig& sink, Complaints& complaints) {
  const bool clean = std::ranges::all_of(sink.name, [](char c) {
    return std::string_view("._-").contains(c) || std::isalnum(static_cast<unsigned char>(c));
  });
  if (!clean || sink.name.size() > limits::kNodeName || sink.name.starts_with('.')) {
    complaints.add(sink.name_at, fmt::format("name of the sink: write at most {} letters, digits, '.', '_' and '-', no "
                                             "'.' at the beginning",
                                             limits::kNodeName));
  }
}

}  // namespace

void check_event_sinks(const std::vector<EventSinkConfig>& sinks, Complaints& complaints) {
  std::set<std::string> texts;
  std::set<std::string> folders;
  for (EventSinkConfig sink : sinks) {
    check_paths_of(sink, complaints);
    check_certificates(sink, complaints);
    check_sizes(sink, complaints);
    check_name(sink, complaints);
    if (sink.type == SinkType::kHttp && !sink.url.starts_with("http://") && !sink.url.starts_with("https://")) {
      complaints.add(at_or(sink.url_at, sink.where), "url: write one that begins with https:// or http://");
    }
    sink.path = sink.path.lexically_normal();
    Where where = sink.where;
    for (const Where& exact : {sink.path_at, sink.address_at, sink.url_at}) where = exact.line ? exact : where;
    if (!texts.insert(sink_text(sink)).second) {
      complaints.add(where, "the same sink twice: every event would be written double; take one out");
    } else if (sink.has_spool() && !folders.insert(sink_folder(sink)).second) {
      complaints.add(at_or(sink.name_at, where),
                     fmt::format("two sinks would share the spool {}; give them different names", sink_folder(sink)));
    }
  }
}

}  // namespace apnat
