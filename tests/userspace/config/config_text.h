// config_text.h - configurations as text, and what is complained of them.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "config/check.h"
#include "config/read.h"

namespace apnat {

// Two lines of interfaces, so that what a test adds begins at line 4.
inline const std::string kInterfaces =
    "[interfaces]\n"
    "internal = [\"eth0\"]\n"
    "external = [\"eth1\"]\n";

// And a good pool of seven lines: what a test adds begins at line 11.
inline const std::string kPool =
    "[[pool]]\n"
    "name = \"a\"\n"
    "internal = [\"100.64.0.0/24\"]\n"
    "external = [\"203.0.113.0/28\"]\n"
    "assignment = \"dynamic\"\n"
    "ports = \"1024-65535\"\n"
    "block_size = 512\n";

inline Config config_of(const std::string& text) {
  auto config = read_config_text(text, "test.toml");
  INFO((config ? "" : config.error().text));
  REQUIRE(config);
  return *config;
}

inline Config checked(const std::string& text) {
  Config config = config_of(text);
  const auto fine = check(config);
  INFO((fine ? "" : fine.error().text));
  REQUIRE(fine);
  return config;
}

// Of reading, or else of checking; empty: it is accepted.
inline std::string complaint_of(const std::string& text) {
  const auto config = read_config_text(text, "test.toml");
  if (!config) return config.error().text;
  const auto fine = check(*config);
  return fine ? "" : fine.error().text;
}

// The interfaces, and this.
inline std::string complaint_with(const std::string& text) { return complaint_of(kInterfaces + text); }

}  // namespace apnat
