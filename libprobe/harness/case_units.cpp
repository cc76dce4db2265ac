#include "harness/case_units.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace fathom::probe {

namespace {

enum class Counts { kAlways, kBlocks, kMessages };
struct CaseUnit {
  const char* name;  // of the case, and of those whose names go on with a dot
  Unit unit;
  Counts counts = Counts::kAlways;  // kBlocks: small ones are operations; kMessages: small ones are times
};

// Longer names first.
constexpr CaseUnit kCases[] = {{"host.memory", Unit::kBytesPerSecond},
                               {"host.gemv", Unit::kBytesPerSecond},
                               {"host.gemm", Unit::kFlopsPerSecond},
                               {"host.storage", Unit::kBytesPerSecond, Counts::kBlocks},
                               {"host.network", Unit::kBytesPerSecond},
                               {"host.rdma.latency", Unit::kTime},
                               {"host.rdma", Unit::kBytesPerSecond},
                               {"gpu.power", Unit::kWatts},
                               {"gpu.memory", Unit::kBytesPerSecond},
                               {"gpu.gemm", Unit::kFlopsPerSecond},
                               {"gpu.linear", Unit::kTime},
                               {"gpu.experts", Unit::kTime},
                               {"gpu.attention.decode", Unit::kBytesPerSecond},
                               {"gpu.attention.mla_decode", Unit::kBytesPerSecond},
                               {"gpu.attention.prefill", Unit::kFlopsPerSecond},
                               {"gpu.attention.mla_prefill", Unit::kFlopsPerSecond},
                               {"gpu.launch", Unit::kTime},
                               {"gpu.copy", Unit::kBytesPerSecond, Counts::kMessages},
                               {"gpu.peer.copy", Unit::kBytesPerSecond, Counts::kMessages},
                               {"gpu.peer.read", Unit::kBytesPerSecond},
                               {"collective", Unit::kTime},
                               {"engine.llama_cpp", Unit::kTokensPerSecond}};

}  // namespace

std::optional<Unit> unit_of(const Result& result) {
  const auto* const found = std::find_if(std::begin(kCases), std::end(kCases), [&](const CaseUnit& c) {
    return result.name == c.name || result.name.starts_with(std::string(c.name) + ".");
  });
  if (found == std::end(kCases)) return std::nullopt;
  if (found->counts == Counts::kBlocks && number_of(result, "block_bytes").value_or(0) <= kMostCountedBlock)
    return Unit::kOperationsPerSecond;
  if (found->counts == Counts::kMessages && number_of(result, "bytes").value_or(kMostTimedBytes + 1) <= kMostTimedBytes)
    return Unit::kTime;
  return found->unit;
}

}  // namespace fathom::probe
