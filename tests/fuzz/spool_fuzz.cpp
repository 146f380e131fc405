// Any bytes as a spool's segment and as its position: read to where they are whole, without a crash, and what was read
// is written again as it was.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "events/spool_format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t whole = apnat::whole_batches(bytes);
  if (whole > size) std::abort();
  std::size_t at = 0;
  while (at < whole) {
    const auto header = apnat::batch_header(bytes.substr(at));
    const auto records = apnat::batch_records(bytes.substr(at));
    if (!header || !records || header->records != records->size()) std::abort();
    apnat::SpoolBatch again;
    for (const apnat::SpoolRecord& record : *records) again.add(record);
    if (again.seal() != bytes.substr(at, header->size)) std::abort();
    at += header->size;
  }
  if (const auto stored = apnat::stored_mark(bytes)) {
    const std::string slot = apnat::mark_bytes(stored->mark, stored->generation);
    if (apnat::stored_mark(slot)->mark != stored->mark) std::abort();
  }
  return 0;
}
