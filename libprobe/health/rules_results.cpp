// Figures on their own, against the physical limit, and against what the catalog says of healthy devices.
#include <fmt/format.h>

#include <algorithm>

#include "health/limits_of_parts.h"
#include "health/references.h"
#include "health/rules.h"
#include "units/text.h"

namespace fathom::probe {

namespace {

HealthFinding finding_of(const Result& r, const char* rule, Health health) {
  return {.rule = rule,
          .health = health,
          .device = r.device,
          .what = what_of(r),
          .measured = r.figure ? text_of(r.unit, r.figure->median) : r.why,
          .expected = {},
          .source = {},
          .next = {}};
}

HealthFinding wrong_data(const Result& r) {
  HealthFinding f = finding_of(r, "probe.incorrect", Health::kFailed);
  f.measured =
      r.correctness ? fmt::format("off by {:.2g} ({})", r.correctness->worst_error, r.correctness->method) : r.why;
  f.expected = "the right data";
  f.source = "computed beside it";
  f.next = "take the node out of service: test the memory, then the device";
  return f;
}

HealthFinding no_data(const Result& r) {
  HealthFinding f = finding_of(r, "probe.no-data", Health::kUnknown);
  const bool on_zeros = was_on_zeros(r);
  f.measured = (r.figure ? text_of(r.unit, r.figure->median) : r.why) + (on_zeros ? ", on zeros" : "");
  f.expected = on_zeros ? "random numbers" : "a figure above zero";
  f.source = "zeros are no data";
  f.next = "find out why the tool wrote it, then measure again";
  return f;
}

HealthFinding impossible(const Result& r, const std::optional<Peak>& peak) {
  HealthFinding f = finding_of(r, "probe.implausible", Health::kUnknown);
  f.expected = peak ? fmt::format("{} {}", more_is_better(r.unit) || r.unit == Unit::kWatts ? "at most" : "at least",
                                  text_of(r.unit, peak->value))
                    : r.why;
  f.source = peak ? peak->source : "the probe when it measured";
  f.next = "look for a wrong unit or a buffer that stayed in a cache, then measure again";
  return f;
}

// One finding for all of a device: what disturbs one figure disturbs the others. Of many, one in twenty may scatter by chance.
constexpr double kMostUnstable = 0.05;
HealthFinding scattered(const std::vector<const Result*>& results) {
  const auto less = [](const Result* a, const Result* b) { return a->figure->flutter() < b->figure->flutter(); };
  const Result& worst = **std::max_element(results.begin(), results.end(), less);
  HealthFinding f = finding_of(worst, "probe.unstable", Health::kSuspect);
  f.figures = static_cast<int>(results.size());
  if (results.size() > 1) f.what = fmt::format("{} figures, the worst of them {}", results.size(), f.what);
  f.measured = fmt::format("{} ({} to {}, drift {:+.0f} %)", f.measured, text_of(worst.unit, worst.figure->q1),
                           text_of(worst.unit, worst.figure->q3), worst.figure->drift * 100);
  f.expected = fmt::format("the middle half within {}, and no more drift", percent(kMostFlutter));
  f.source = "the samples themselves";
  f.next = "end what else runs on the node, then measure again with --profile standard";
  return f;
}

HealthFinding unfinished(const Result& r) {
  HealthFinding f = finding_of(r, "probe.unfinished", Health::kUnknown);
  f.measured = r.why;
  f.expected = "a figure";
  f.source = "the case itself";
  // Debian's packages are called as the tools are: fio, iperf3.
  const std::size_t missing = r.why.find(" is not installed");
  f.next = missing != r.why.find(' ') || missing == std::string::npos
               ? "mend what it says, then measure again"
               : fmt::format("install it (Debian: the package {}), then measure again", r.why.substr(0, missing));
  return f;
}

std::optional<HealthFinding> against_reference(const Result& r, const HealthCase& machine) {
  const std::optional<Reference> reference = reference_of(r, machine.record, machine.catalog);
  if (!reference) return std::nullopt;
  const double median = r.figure->median;
  const auto short_of = [&](double figure, double line) {
    return more_is_better(r.unit) ? figure < line : figure > line;
  };
  if (!short_of(median, reference->suspect)) return std::nullopt;
  HealthFinding f = finding_of(r, "probe.below-reference",
                               short_of(surely(r), reference->degraded) ? Health::kDegraded : Health::kSuspect);
  f.expected = text_of(r.unit, reference->value);
  f.source = reference->source;
  constexpr double kUnitSlip = 100;  // 1000 and 1e6 are such; a slot with one lane of sixteen is not
  const bool by_far =
      more_is_better(r.unit) ? median * kUnitSlip < reference->value : median > reference->value * kUnitSlip;
  f.next = by_far ? "less than a hundredth: look for a wrong unit first, then measure again"
                  : "compare clocks, power limit, ECC and the slot with a node that reaches it";
  return f;
}

// Of one result, the gravest alone: what is wrong or impossible is not slow as well.
std::optional<HealthFinding> judge(const Result& r, const HealthCase& machine) {
  if (is_wrong(r)) return wrong_data(r);
  if (r.status == Status::kImplausible && !r.figure) return no_data(r);
  if (r.status == Status::kUnknown || r.status == Status::kFailed) return unfinished(r);
  if (!r.figure) return std::nullopt;
  if (has_no_data(r)) return no_data(r);
  const std::optional<Peak> peak = peak_of(r, machine.record, machine.catalog);
  if (r.status == Status::kImplausible || (peak && exceeds(r, *peak))) return impossible(r, peak);
  return against_reference(r, machine);
}

// Of launches one by one, what scatters is the host's share, on a machine that others use, too: no fault of a device.
bool is_unstable(const Result& r) {
  if (r.protocol.launch == "eager") return false;
  return has_data(r.status) && is_unsteady(r);
}

}  // namespace

bool is_usable(const Result& r, const HealthCase& machine) {
  return is_usable(r, peak_of(r, machine.record, machine.catalog));
}

void judge_unmeasured(const HealthCase& machine, Findings& findings) {
  for (const Gpu& gpu : machine.record.gpus) {
    const auto is_of_it = [&](const Result& r) {
      const std::vector<std::string> devices = devices_of(r.device);
      return std::find(devices.begin(), devices.end(), gpu.device) != devices.end() && is_usable(r, machine);
    };
    if (std::any_of(machine.record.results.begin(), machine.record.results.end(), is_of_it)) continue;
    findings.push_back(
        {.rule = "probe.not-measured",
         .health = Health::kUnknown,
         .device = gpu.device,
         .what = gpu.name,
         .measured = "no figure of it that can be used",
         .expected = "at least one",
         .source = "the inventory",
         .next = "see under \"Not measured\" what is missing; or --import what nccl-tests or nvbandwidth wrote"});
  }
}

void judge_results(const HealthCase& machine, Findings& findings) {
  std::map<std::string, std::vector<const Result*>> unstable;  // by device
  for (const Result& result : machine.record.results) {
    if (auto finding = judge(result, machine)) {
      findings.push_back(*std::move(finding));
    } else if (is_unstable(result)) {
      unstable[result.device].push_back(&result);
    }
  }
  for (const auto& [device, results] : unstable) {
    const double all = static_cast<double>(
        std::count_if(machine.record.results.begin(), machine.record.results.end(),
                      [&, of = device](const Result& r) { return r.device == of && r.figure.has_value(); }));
    if (static_cast<double>(results.size()) > kMostUnstable * all) findings.push_back(scattered(results));
  }
}

}  // namespace fathom::probe
