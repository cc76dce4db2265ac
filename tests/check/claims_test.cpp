// What a claim may be about: each family fires on a claim that is wrong and stays silent on one that is right, and says what
// it expected when a claim cannot be read. The verdicts on the examples are in confusion_test.cpp.
#include "check/claims.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>

#include "check/claim_examples.h"
#include "check/rule_book.h"

namespace fathom {
namespace {

const std::filesystem::path kRoot = FATHOM_SOURCE_DIR;

const Catalog& catalog() {
  static const Catalog shipped(kRoot / "catalogs");
  return shipped;
}

std::string claim_text(const std::string& about, const std::string& value, const std::string& terms) {
  std::string text = fmt::format("claims:\n  - id: c1\n    line: 1\n    quote: \"-\"\n    about: {}\n", about);
  if (!value.empty()) text += fmt::format("    value: {}\n", value);
  if (!terms.empty()) text += fmt::format("    terms: {}\n", terms);
  return text;
}

// The same in one line.
std::string claim_line(std::size_t number, const std::string& about, const std::string& value,
                       const std::string& terms) {
  return fmt::format("  - {{id: c{}, line: 1, quote: q, about: {}{}{}}}\n", number, about,
                     value.empty() ? "" : ", value: " + value, terms.empty() ? "" : ", terms: " + terms);
}

ClaimVerdict judged(const std::string& claims) {
  const Document document = parse_yaml(kDesign + claims, "cluster.yaml");
  const Cluster cluster = read_cluster(document, catalog());
  const Design design{cluster, document, catalog()};
  ClaimVerdict verdict = audit_claims(design).front();
  verdict.claim = nullptr;  // the cluster ends here
  return verdict;
}

// All in one file, so that those about the plan share it.
TEST(Claims, AreJudgedByWhatFollowsFromTheirTerms) {
  std::string claims = "claims:\n";
  for (std::size_t i = 0; i < std::size(kExamples); ++i)
    claims += claim_line(i, kExamples[i].about, kExamples[i].value, kExamples[i].terms);
  const Document document = parse_yaml(kDesign + claims, "cluster.yaml");
  const Cluster cluster = read_cluster(document, catalog());
  const std::vector<ClaimVerdict> verdicts = audit_claims({cluster, document, catalog()});
  ASSERT_EQ(verdicts.size(), std::size(kExamples));
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const Example& example = kExamples[i];
    const std::string& computation = verdicts[i].computation;
    SCOPED_TRACE(fmt::format("{} of {} with {}", example.about, example.value, example.terms));
    EXPECT_EQ(static_cast<int>(verdicts[i].verdict), static_cast<int>(example.verdict)) << computation;
    EXPECT_NE(computation.find(example.says), std::string::npos) << computation;
    EXPECT_EQ(computation.find('\n'), std::string::npos) << "one line";
  }
}

TEST(Claims, OfEveryKindFireAndStaySilentInATest) {
  const std::set<std::string> never_hold = {"latency.undefined", "serving.autoscale"};
  // Their sums are those of the bill, which the small design leaves without prices.
  const std::set<std::string> elsewhere = {"cost.capex", "cost.opex_per_year", "cost.total"};
  std::set<std::string> fired, silent;
  for (const Example& example : kExamples) (example.verdict == kHolds ? silent : fired).insert(example.about);
  for (const std::string& subject : claim_subjects()) {
    if (elsewhere.contains(subject)) continue;
    EXPECT_TRUE(fired.contains(subject)) << subject << " never fires";
    EXPECT_TRUE(silent.contains(subject) || never_hold.contains(subject)) << subject << " is never silent";
  }
}

TEST(Claims, HaveARuleForEverythingTheyMayBeAbout) {
  const RuleBook book(kRoot / "catalogs");
  for (const std::string& subject : claim_subjects()) {
    const Rule* rule = book.find(subject);
    ASSERT_NE(rule, nullptr) << subject;
    EXPECT_GT(rule->explanation.size(), 40u) << subject;
  }
}

TEST(Claims, AboutCostsAreHeldAgainstThePlan) {
  const std::string priced = "items: [{what: racks, count: 2, price: 10 万 CNY}]\n";
  for (const char* about : {"cost.capex", "cost.total"}) {
    EXPECT_EQ(judged(priced + claim_text(about, "10 万 CNY", "")).verdict, kWrong) << about;
    EXPECT_EQ(judged(priced + claim_text(about, "500 万 CNY", "")).verdict, kHolds) << about;
  }
  EXPECT_EQ(judged(claim_text("cost.opex_per_year", "1 CNY", "")).verdict, kWrong);
  EXPECT_EQ(judged(claim_text("cost.opex_per_year", "1000 万 CNY", "")).verdict, kHolds);
}

// ---------------------------------------------------------------------------------------------------------------------
// Claims that cannot be read

InputError refused(const std::string& about, const std::string& value, const std::string& terms) {
  try {
    judged(claim_text(about, value, terms));
  } catch (const InputError& error) {
    return error;
  }
  ADD_FAILURE() << about << " of " << value << " with " << terms << " got a verdict";
  return InputError("", {}, "");
}

TEST(Claims, SayWhatWasMeantByAnUnknownSubject) {
  EXPECT_NE(refused("arithmetic.prodct", "1", "{a: 1}").hint().find("arithmetic.product"), std::string::npos);
  EXPECT_NE(refused("memory.everything", "1", "").hint().find("memory.fits"), std::string::npos);
  EXPECT_NE(refused("nonsense", "1", "").hint().find("cluster-yaml.md"), std::string::npos);
}

TEST(Claims, ComplainAtTheTermThatIsWrong) {
  struct Bad {
    const char *about, *value, *terms, *says;
  };
  const Bad kBad[] = {
      {"power.node", "850 W", "{kind: mean, group: nodes}", "unknown group"},
      {"power.node", "850 W", "{kind: typical, group: h100}", "must be"},
      {"power.node", "850 W", "{group: h100}", "needs the key \"kind\""},
      {"power.node", "850 GB", "{kind: mean, group: h100}", "expected a power"},
      {"power.node", "850", "{kind: mean, group: h100}", "no unit"},
      {"power.node", "", "{kind: mean, group: h100}", "needs a value"},
      {"rack.count", "4", "{nodes: 16, nodes_per_rak: 20}", "nodes_per_rack"},
      {"rack.count", "4", "{nodes: 16, nodes_per_rack: 20, colour: red}", "unknown key \"colour\""},
      {"rack.count", "4", "{nodes: 0, nodes_per_rack: 20}", "at least 1"},
      {"rack.count", "four", "{nodes: 16, nodes_per_rack: 20}", "expected a number"},
      {"memory.saving", "40", "{from: fp16, to: int8}", "expected a share"},
      {"memory.saving", "40 %", "{from: fp17, to: int8}", "unknown number format"},
      {"memory.fits", "fp9", "{model: deepseek-r1, accelerator: H100 SXM5, count: 8}", "unknown format of weights"},
      {"memory.fits", "fp8", "{model: deepseek-r9, accelerator: H100 SXM5, count: 8}", "no model"},
      {"memory.fits", "fp8", "{model: deepseek-r1, accelerator: H100, count: 8}", "may be"},
      {"part.cores", "64", "{part: nvidia-h100-sxm5-80gb}", "no processor"},
      {"part.memory", "80 GB", "{part: h100-sxm6}", "no accelerator"},
      {"part.feature", "wings", "{part: nvidia-h100-sxm5-80gb}", "unknown feature"},
      {"part.ports", "48", "{part: cisco-93180yc-ex}", "expected ports"},
      {"part.format", "fp99", "{part: nvidia-h100-sxm5-80gb}", "unknown number format"},
      {"link.rate", "200 Gb/s", "{kind: infiniband, generation: ZDR}", "unknown generation"},
      {"link.fibre", "glass", "{optic: 100g-lr4}", "expected a fibre"},
      {"arithmetic.product", "48", "", "needs terms"},
      {"arithmetic.product", "48 W", "{nodes: 16, each: 1}", "the terms make"},
      {"arithmetic.product", "48", "{nodes: many, each: 1}", "expected a number"},
      {"arithmetic.product", "48 EUR", "{nodes: 16, each: 3 CNY}", "exchange rate"},
      {"arithmetic.sum", "48", "{a: 16 W, b: 32}", "cannot be added"},
      {"arithmetic.share", "40 %", "{part: 4 W, total: 10 CNY}", "no part of"},
      {"arithmetic.within", "4", "{low: 3 W, high: 5}", "cannot be compared"},
      {"arithmetic.within", "4", "{low: 5, high: 3}", "above \"high\""},
      {"efficiency.flops_per_watt", "3.2 TFLOPS", "{accelerator: H100 SXM5, format: bf16, power: 700 W}",
       "expected an efficiency"},
      {"energy.cost", "5 CNY", "{power: 0 W, time: 1 year}", "costs nothing"},
      {"finance.break_even", "120 %", "{calls: 1 /s, cost: 5 CNY, years: 3}", "below 100 %"},
      {"layout.devices", "4", "{parallelism: tensor+time}", "unknown kind"},
      {"software.offers", "http", "{software: vlm}", "no product"},
      {"serving.replicas", "4", "{model: gpt3-175b, devices: 4}", "how much memory"},
      {"latency.tokens", "0 s", "{tokens: 5, model: llama-3.1-8b, accelerator: H100 SXM5, count: 1}", "no time"},
      {"availability.service", "1.5", "{scheme: N+1, nodes: 2, replicas: 1}", "between 0 and 1"},
      {"availability.service", "0.9", "{scheme: 2N, nodes: 2, replicas: 1}", "expected a scheme"},
  };
  for (const Bad& bad : kBad) {
    SCOPED_TRACE(fmt::format("{} of {} with {}", bad.about, bad.value, bad.terms));
    const InputError error = refused(bad.about, bad.value, bad.terms);
    EXPECT_NE((error.message() + " " + error.hint()).find(bad.says), std::string::npos)
        << error.message() << " | " << error.hint();
    EXPECT_GE(error.at().line, 28) << "at the claim";
  }
}

// Every claim of the table with this text for its value and for each of its terms.
std::string spoilt_claims(const std::string& text) {
  std::string claims = "claims:\n";
  std::size_t count = 0;
  for (const Example& example : kExamples) {
    const std::string about = example.about, terms = example.terms;
    const bool needs_a_plan = about.starts_with("predictions") || about.starts_with("power.it") ||
                              about.starts_with("power.site") || (about == "availability.service" && terms.empty());
    if (needs_a_plan) continue;
    claims += claim_line(count++, about, text, terms);
    for (std::size_t colon = terms.find(": "); colon != std::string::npos; colon = terms.find(": ", colon + 1)) {
      const bool quoted = terms[colon + 2] == '"';
      const std::size_t end = quoted ? terms.find('"', colon + 3) + 1 : terms.find_first_of(",}", colon);
      claims += claim_line(count++, about, example.value, terms.substr(0, colon + 2) + text + terms.substr(end));
    }
  }
  return claims;
}

TEST(Claims, SurviveAnyTextInAnyPlace) {
  for (const char* text :
       {"0", "-1", "1e300", "nan", "99999999999999999999", "5 GB/s", "8.5 万 CNY", "x x x", "\"\"", "\"%\""}) {
    const Document document = parse_yaml(kDesign + spoilt_claims(text), "cluster.yaml");
    const Cluster cluster = read_cluster(document, catalog());
    const Design design{cluster, document, catalog()};
    for (std::size_t i = 0; i < cluster.claims.size(); ++i) {
      SCOPED_TRACE(fmt::format("{} of {}, with {}", cluster.claims[i].about, cluster.claims[i].value, text));
      try {
        EXPECT_FALSE(audit_claim(design, i).computation.empty());
      } catch (const InputError& error) {
        EXPECT_FALSE(error.message().empty());
        EXPECT_EQ(error.at().line, cluster.claims[i].at.line);
      } catch (const std::exception& other) {
        ADD_FAILURE() << other.what();
      }
    }
  }
}

TEST(Claims, AreReportedAtTheirValueWithTheirQuote) {
  const Document document =
      parse_yaml(std::string(kDesign) +
                     "claims:\n  - {id: c7, line: 41, quote: 48 cards, about: arithmetic.product, value: 48,\n"
                     "     terms: {nodes: 16, each: 1}}\n",
                 "cluster.yaml");
  const Cluster cluster = read_cluster(document, catalog());
  const RuleBook book(kRoot / "catalogs");
  Findings findings(book, {}, "cluster.yaml");
  report_claims(audit_claims({cluster, document, catalog()}), findings);
  const std::vector<Finding> found = findings.sorted();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].rule, "arithmetic.product");
  EXPECT_EQ(found[0].severity, Severity::kError);
  EXPECT_EQ(found[0].message, "claim c7: 16 x 1 = 16, not 48");
  EXPECT_EQ(found[0].spot.width, 2);
  ASSERT_EQ(found[0].terms.size(), 1u);
  EXPECT_EQ(found[0].terms[0], "line 41 of the document: \"48 cards\"");
}

}  // namespace
}  // namespace fathom
