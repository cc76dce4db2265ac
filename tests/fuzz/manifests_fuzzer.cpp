// Manifests, alert rules and scripts under libFuzzer; the first byte chooses which of them the rest is. No part of the tests,
// which damage good texts with a fixed seed (manifests_mutation_test.cpp); built by hand, with clang:
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Ilibplanner \
//     -DFATHOM_SOURCE_DIR="\"$PWD\"" tests/fuzz/manifests_fuzzer.cpp \
//     libplanner/{manifests,catalog,model,input,units}/*.cpp -lfmt -lyaml-cpp
//   ./a.out -max_total_time=600 -max_len=2000 CORPUS tests/fixtures/bad tests/fixtures/good
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "manifests/judge.h"
#include "manifests/promql.h"
#include "manifests/quantity.h"

namespace {

using namespace fathom;

void judge(manifests::FileKind kind, const std::string& text) {
  static const Catalog catalog(std::filesystem::path(FATHOM_SOURCE_DIR) / "catalogs");
  for (const manifests::Remark& r : manifests::judge(kind, "file", text, catalog)) {
    if (r.mark.at.line < 1 || r.mark.at.column < 1 || r.message.empty()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (data[0] % 4) {
      case 0:
        judge(manifests::FileKind::kManifest, text);
        break;
      case 1:
        judge(manifests::FileKind::kAlertRules, text);
        break;
      case 2:
        judge(manifests::FileKind::kScript, text);
        break;
      default:
        if (const auto node = manifests::parse_promql(text)) manifests::to_string(*node);
        manifests::unbalanced(text);
        manifests::nearest_quantity(text);
    }
  } catch (const InputError&) {
  }
  return 0;
}
