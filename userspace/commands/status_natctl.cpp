// status_natctl.cpp - the agent's figures as a page.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "commands/natctl.h"
#include "commands/status.h"

namespace apnat {
namespace {

const std::vector<Column> kInterfaces = {
    {"INTERFACE", [](const Json& row) { return cell(row, "name"); }},
    {"ROLE", [](const Json& row) { return cell(row, "role"); }},
    {"MODE", [](const Json& row) { return cell(row, "mode"); }},
    {"LINK", [](const Json& row) { return std::string(row.value("up", false) ? "up" : "down"); }},
    {"MTU", [](const Json& row) { return cell(row, "mtu"); }, Column::Side::kRight},
};

const std::vector<Column> kPools = {
    {"POOL", [](const Json& row) { return cell(row, "name"); }, Column::Side::kLeft, true},
    {"ASSIGNMENT", [](const Json& row) { return cell(row, "assignment"); }},
    {"SUBSCRIBERS", [](const Json& row) { return cell(row, "active_subscribers") + "/" + cell(row, "subscribers"); },
     Column::Side::kRight},
    {"BLOCKS", [](const Json& row) { return cell(row, "blocks_assigned") + "/" + cell(row, "blocks"); },
     Column::Side::kRight},
    {"FULL", [](const Json& row) { return cell(row, "full_percent") + " %"; }, Column::Side::kRight},
    {"MAPPINGS", [](const Json& row) { return cell(row, "mappings"); }, Column::Side::kRight},
};

std::string oldest_text(const Json& row) {
  const Json& seconds = row["oldest_waiting_seconds"];
  return seconds.is_null() ? "-" : duration_text(seconds.get<std::uint64_t>());
}

const std::vector<Column> kSinks = {
    {"EVENT SINK", [](const Json& row) { return cell(row, "name"); }, Column::Side::kLeft, true},
    {"WRITTEN", [](const Json& row) { return grouped(row.value("written", std::uint64_t{0})); }, Column::Side::kRight},
    {"WAITING", [](const Json& row) { return grouped(row.value("waiting", std::uint64_t{0})); }, Column::Side::kRight},
    {"OLDEST", oldest_text, Column::Side::kRight},
    {"RETRIES", [](const Json& row) { return grouped(row.value("retries", std::uint64_t{0})); }, Column::Side::kRight},
    {"ERRORS", [](const Json& row) { return grouped(row.value("errors", std::uint64_t{0})); }, Column::Side::kRight},
    {"SPOOL MiB", [](const Json& row) { return grouped(row.value("spool_bytes", std::uint64_t{0}) >> 20); },
     Column::Side::kRight},
};

std::uint64_t number(const Json& object, const char* key) { return object.value(key, std::uint64_t{0}); }

void show_table(const Json& rows, const std::vector<Column>& columns) {
  Table table(columns, terminal_width(), [](std::string_view line) { fmt::print("{}", line); });
  for (const Json& row : rows) table.add(row);
  table.finish();
}

std::string refusals_text(const Json& refusals) {
  std::string text;
  for (const auto& [name, count] : refusals.items()) {
    if (count != 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, grouped(count.get<std::uint64_t>()));
  }
  return text.empty() ? "none" : text;
}

std::string fragments_text(const Json& slow_path) {
  const Json& reassembly = slow_path["reassembly"];
  std::uint64_t pending = 0, bytes = 0, oldest = 0;
  for (const auto& [realm, gauges] : slow_path["pending"].items()) {
    pending += number(gauges, "datagrams");
    bytes += number(gauges, "memory_bytes");
    oldest = std::max(oldest, number(gauges, "oldest_ms"));
  }
  const std::uint64_t wraps = number(reassembly, "id_wraps");
  return fmt::format("{} received, {} datagrams whole; {} being put together ({} KiB, oldest {} ms); {} lost{}",
                     grouped(number(reassembly, "received")), grouped(number(reassembly, "datagrams")),
                     grouped(pending), grouped(bytes >> 10), oldest, grouped(number(reassembly, "lost")),
                     wraps ? fmt::format("; IDs came round within the timeout in {} s", grouped(wraps)) : "");
}

// AF_XDP sockets by mode, and what did not get through them. An empty fill ring is a reason, no loss of its own: in
// copy mode each frame lost by it is in rx_dropped as well.
std::string sockets_text(const Json& slow_path) {
  std::size_t zero_copy = 0;
  for (const Json& socket : slow_path["sockets"]) zero_copy += socket.value("mode", "") == "zero_copy";
  const Json& losses = slow_path["socket_losses"];
  const std::uint64_t lost = number(losses, "rx_dropped") + number(losses, "rx_ring_full");
  return fmt::format("{} AF_XDP sockets, {} of them zero-copy; {} frames lost", slow_path["sockets"].size(), zero_copy,
                     grouped(lost));
}

std::string ids_text(const Json& slow_path) {
  return fmt::format("{} repeated within their lifetime, {} packets made atomic instead",
                     grouped(number(slow_path, "ids_repeated")), grouped(number(slow_path, "ids_made_atomic")));
}

std::string events_text(const Json& events) {
  const Json& ring = events["ring"];
  const double size = static_cast<double>(std::max<std::uint64_t>(1, number(ring, "size_bytes")));
  return fmt::format("{} written, {} waiting, {} lost; ring {:.0f} % full", grouped(number(events, "written")),
                     grouped(number(events, "waiting")), grouped(number(events, "lost")),
                     100 * static_cast<double>(number(ring, "waiting_bytes")) / size);
}

std::string history_text(const Json& history) {
  const auto gaps = number(history, "gaps");
  return fmt::format("{} day(s), {} MiB, since {}{}", grouped(number(history, "files")),
                     grouped((number(history, "bytes") + (1 << 20) - 1) >> 20), cell(history, "covered_from"),
                     gaps ? fmt::format(", {} gap(s)", gaps) : ", no gaps");
}

// How far behind it is.
std::string coverage_text(const Json& history) {
  return fmt::format(
      "until {}; {} events waiting{}", cell(history, "covered_until"), grouped(number(history, "waiting")),
      history["oldest_waiting_seconds"].is_null()
          ? ""
          : fmt::format(" for up to {}, {} errors", oldest_text(history), grouped(number(history, "errors"))));
}

void show(const Json& status) {
  const Json& agent = status["agent"];
  const Json& packets = status["packets"];
  const Json& warnings = status["warnings"];
  const auto line = [](const char* what, const std::string& text) { fmt::print("{:<10}{}\n", what, text); };
  line("node", fmt::format("{}: {}", cell(status, "node"),
                           warnings.empty() ? "all is well" : fmt::format("{} warning(s)", warnings.size())));
  line("agent", fmt::format("apnatd {}, process {}, up {}", cell(agent, "version"), cell(agent, "pid"),
                            duration_text(number(agent, "uptime_seconds"))));
  line("kernel", cell(status, "kernel"));
  line("memory", fmt::format("{} MiB of tables", grouped(number(status, "memory_bytes") >> 20)));
  line("packets", fmt::format("{} a second: {} forwarded, {} passed to the kernel, {} dropped; {} in all",
                              grouped(number(packets, "per_second")), grouped(number(packets, "forwarded_per_second")),
                              grouped(number(packets, "passed_per_second")),
                              grouped(number(packets, "dropped_per_second")), grouped(number(packets, "total"))));
  line("refused", refusals_text(status["refusals"]));
  line("fragments", fragments_text(status["slow_path"]));
  line("", sockets_text(status["slow_path"]));
  line("IPv4 IDs", ids_text(status["slow_path"]));
  line("events", events_text(status["events"]));
  line("history", history_text(status["history"]));
  line("", coverage_text(status["history"]));
  fmt::print("\n");
  show_table(status["interfaces"], kInterfaces);
  fmt::print("\n");
  show_table(status["pools"], kPools);
  if (!status["events"]["sinks"].empty()) {
    fmt::print("\n");
    show_table(status["events"]["sinks"], kSinks);
  }
  if (!warnings.empty()) fmt::print("\n");
  for (const Json& warning : warnings) fmt::print("! {}\n", warning.get<std::string>());
}

}  // namespace

void status_natctl(CLI::App& app, Natctl& natctl) {
  auto* command = app.add_subcommand("status", "health at a glance");
  command->footer("Example:\n  natctl status");
  command->callback([&natctl] { natctl.run = [&natctl] { return natctl.ask("status", Json::object(), show); }; });
}

}  // namespace apnat
