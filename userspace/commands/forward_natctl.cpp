// forward_natctl.cpp - forward add, forward remove, forward list.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "commands/forward.h"
#include "commands/natctl.h"

namespace apnat {
namespace {

struct Words {
  std::string pool;
  std::string protocol;
  std::string external;
  std::string internal;

  void add_to(CLI::App& command) {
    command.add_option("--pool", pool, "whose external address it is")->type_name("NAME")->required();
    command.add_option("--protocol", protocol, "")->required()->check(CLI::IsMember({"tcp", "udp"}));
    command.add_option("--external", external, "where it is reached")->type_name("ADDRESS:PORT")->required();
    command.add_option("--internal", internal, "where it leads")->type_name("ADDRESS:PORT")->required();
  }
  Json arguments(bool add) const {
    return Json{{"add", add}, {"pool", pool}, {"protocol", protocol}, {"external", external}, {"internal", internal}};
  }
};

const std::vector<Column> kColumns = {
    {"PROTOCOL", [](const Json& row) { return cell(row, "protocol"); }},
    {"EXTERNAL", [](const Json& row) { return endpoint_cell(row, "external"); }},
    {"INTERNAL", [](const Json& row) { return endpoint_cell(row, "internal"); }},
    {"MADE BY",
     [](const Json& row) { return std::string(row.value("from_configuration", false) ? "configuration" : "natctl"); }},
    {"POOL", [](const Json& row) { return cell(row, "pool"); }, Column::Side::kLeft, true},
};

void add_change(CLI::App& forward, Natctl& natctl, bool add) {
  const std::string name = add ? "add" : "remove";
  auto* command = forward.add_subcommand(name, add ? "make a forward" : "take a forward away, said in the same words");
  command->fallthrough();
  command->footer(
      fmt::format("Example:\n  natctl forward {} --pool residential --protocol tcp "
                  "--external 203.0.113.5:8080 --internal 100.64.3.7:80",
                  name));
  auto words = std::make_shared<Words>();
  words->add_to(*command);
  command->callback([&natctl, words, add] {
    natctl.run = [&natctl, words, add] {
      return natctl.ask("forward_change", words->arguments(add), [add](const Json& forward) {
        fmt::print("{}: {} {} -> {}\n", add ? "added" : "removed", cell(forward, "protocol"),
                   endpoint_cell(forward, "external"), endpoint_cell(forward, "internal"));
      });
    };
  });
}

}  // namespace

void forward_natctl(CLI::App& app, Natctl& natctl) {
  auto* forward = app.add_subcommand("forward", "port forwards: add, remove, list");
  forward->require_subcommand(1);
  forward->footer("Example:\n  natctl forward list");
  add_change(*forward, natctl, true);
  add_change(*forward, natctl, false);
  auto* list = forward->add_subcommand("list", "every forward, the configuration's and natctl's");
  list->fallthrough();
  list->footer("Example:\n  natctl --json forward list");
  list->callback(
      [&natctl] { natctl.run = [&natctl] { return natctl.list("forward_list", Json::object(), kColumns); }; });
}

}  // namespace apnat
