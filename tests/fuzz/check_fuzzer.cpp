// What users write for `fathom check`, under libFuzzer; the first byte chooses who reads the rest. No part of the tests, which
// damage good texts with a fixed seed (check_mutation_test.cpp); built by hand, with clang:
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Ilibplanner \
//     -DFATHOM_SOURCE_DIR="\"$PWD\"" tests/fuzz/check_fuzzer.cpp libplanner/{check,bill,input,units}/*.cpp … -lfmt -lyaml-cpp
//   ./a.out -max_total_time=600 -max_len=2000
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "check/baseline.h"
#include "check/bill_rules.h"
#include "check/expression.h"
#include "check/mend.h"
#include "check/plan_rules.h"
#include "check/plan_values.h"
#include "check/settings.h"
#include "check/suppressions.h"

namespace fathom {
namespace {

std::filesystem::path book_folder() { return std::filesystem::path(FATHOM_SOURCE_DIR) / "catalogs"; }

const RuleBook& book() {
  static const RuleBook book(book_folder());
  return book;
}

void read_condition(const std::string& text, const std::string& plan) {
  const Expression condition(text, "--fail-if");
  condition.on(PlanValues(plan, "plan.json"), {{.from = "USD", .to = "CNY", .rate = 7, .date = "2026"}});
}

Finding finding_at(int line, int column, int width) {
  Finding f{.rule = "policy.fail-if",
            .severity = Severity::kError,
            .file = "a",
            .spot = {{line, column}, width},
            .message = "m"};
  f.mend = Mend{f.spot, column % 2 == 0 ? "" : "x\ny"};
  return f;
}

// Comments and mends take any text; the sum of lines kept and taken is what was there.
void read_text(const std::string& text) {
  std::vector<Finding> found;
  for (int i = 0; i < 5; ++i) found.push_back(finding_at(i, 1 + 3 * i, i));
  const std::vector<Finding> before = found;
  const int gone = suppress(text, book(), {}, "a", found);
  if (found.size() + static_cast<std::size_t>(gone) < before.size()) std::abort();
  add_fingerprints(text, found);
  const MendedText mended = apply_mends(text, before);
  if (mended.edits.empty() != unified_diff("a", text, mended).empty()) std::abort();
  spelling_mend(InputError("a", {1, 1}, "x", "did you mean \"Wh\"?"), text);
}

// A bill is judged like a file, against the shipped catalog; what it mends is a bill again.
void read_sheet(const std::string& text) {
  static const Catalog catalog(book_folder());
  Findings findings(book(), {}, "bom.csv");
  check_bill(bill::read_bill(text, "bom.csv"), catalog, findings);
  const MendedText mended = apply_mends(text, findings.sorted());
  if (!mended.edits.empty()) bill::read_bill(mended.text, "bom.csv");
}

void read_saved_plan(const std::string& text) {
  Findings findings(book(), {}, "plan.json");
  check_saved_plan(parse_yaml(text, "plan.json"), "0.1.0", findings);
}

}  // namespace
}  // namespace fathom

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fathom;
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string plan =
      R"({"cost": {"currency": "CNY", "total": "5.00"}, "pools": [{"layout": {"tp": 8}}], "verdict": {"fits": true}})";
  try {
    switch (data[0] % 7) {
      case 0:
        parse_settings(parse_yaml(text, ".fathom.yaml"), book());
        break;
      case 1:
        read_condition(text, plan);
        break;
      case 2:
        Baseline::parse(parse_yaml(text, "base.json"), "base.json").json();
        break;
      case 3:
        read_text(text);
        break;
      case 4:
        read_sheet(text);
        break;
      case 5:
        read_saved_plan(text);
        break;
      default:
        read_condition("cost.total > 1 CNY or pools[0].layout.tp == 8 or verdict.fits", text);
    }
  } catch (const InputError&) {
  }
  return 0;
}
