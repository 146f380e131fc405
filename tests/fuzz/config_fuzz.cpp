// Any text as a configuration: read, checked, planned and compared with itself, without a crash and without a
// complaint that spills over its line.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/change.h"
#include "config/check.h"
#include "config/read.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config = apnat::read_config_text({reinterpret_cast<const char*>(data), size}, "fuzz.toml");
  if (!config) {
    if (!config.error().text.starts_with("fuzz.toml")) std::abort();
    return 0;
  }
  if (!apnat::check(*config)) return 0;
  const apnat::Plan planned = apnat::plan(*config);
  for (const apnat::PlannedPool& pool : planned.pools) {
    if (pool.deterministic_ratio) (void)pool.deterministic_block(pool.subscriber_count() - 1);
  }
  const auto none = apnat::change(planned, planned);
  if (!none || !none->empty() || none->options_changed) std::abort();
  return 0;
}
