// config.cpp - the words of the configuration's choices.
#include "config/config.h"

namespace apnat {

std::string_view word_of(enum assignment assignment) {
  switch (assignment) {
    case ASSIGN_DYNAMIC:
      return "dynamic";
    case ASSIGN_DETERMINISTIC:
      return "deterministic";
    case ASSIGN_STATIC:
      return "static";
  }
  return "";
}

std::string_view word_of(enum port_layout layout) {
  switch (layout) {
    case LAYOUT_CONTIGUOUS:
      return "contiguous";
    case LAYOUT_PSID:
      return "psid";
    case LAYOUT_SCATTERED:
      return "scattered";
  }
  return "";
}

std::string_view word_of(enum log_level log) {
  switch (log) {
    case LOG_BLOCKS:
      return "blocks";
    case LOG_MAPPINGS:
      return "mappings";
    case LOG_MAPPINGS_WITH_DESTINATION:
      return "mappings_with_destination";
  }
  return "";
}

std::string_view word_of(AttachMode mode) {
  switch (mode) {
    case AttachMode::kAuto:
      return "auto";
    case AttachMode::kNative:
      return "native";
    case AttachMode::kGeneric:
      return "generic";
  }
  return "";
}

}  // namespace apnat
