#include "checklist/power_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

#include "units/text.h"

namespace fathom::probe {

namespace {

// Of the UPSs that answer, what speaks against them.
std::string trouble_with_ups(const MachineRecord& record, const Requirements& required) {
  static const std::pair<const char*, const char*> kTroubles[] = {
      {"OB", "is on battery"},      {"LB", "has a low battery"}, {"RB", "asks for a new battery"},
      {"OVER", "carries too much"}, {"BYPASS", "is bypassed"},   {"OFF", "is off"},
      {"FSD", "is being shut down"}};
  for (const Ups& ups : record.ups) {
    if (ups.status.empty()) continue;
    std::istringstream text(ups.status);
    const std::set<std::string> words{std::istream_iterator<std::string>(text), {}};
    for (const auto& [word, meaning] : kTroubles) {
      if (words.contains(word)) return fmt::format("{} {}: {}", ups.name, meaning, ups.status);
    }
    if (!words.contains("OL")) return fmt::format("{} is not on line: {}", ups.name, ups.status);
    if (ups.runtime && *ups.runtime < required.ups_runtime.value) {
      return fmt::format("{} lasts {} at this load, required are {}", ups.name, to_string(*ups.runtime),
                         to_string(required.ups_runtime.value));
    }
  }
  return {};
}

// ---------------------------------------------------------------------------------------------------------------------
// Supplies

std::vector<PowerSupply> present(const NodePower& power) {
  std::vector<PowerSupply> found;
  std::copy_if(power.supplies.begin(), power.supplies.end(), std::back_inserter(found),
               [](const PowerSupply& s) { return s.state != "Absent"; });
  return found;
}

bool is_well(const std::string& word, const char* good) { return word.empty() || word == good; }

std::string trouble_with_supplies(const NodePower& power) {
  const std::vector<PowerSupply> supplies = present(power);
  if (supplies.size() < 2) return fmt::format("there is {} power supply", supplies.empty() ? "no" : "one");
  for (const PowerSupply& s : supplies) {
    if (!is_well(s.state, "Enabled")) return fmt::format("{} is {}", s.name, s.state);
    if (!is_well(s.health, "OK")) return fmt::format("the health of {} is {}", s.name, s.health);
    if (!is_well(s.input, "Normal")) return fmt::format("the input of {} is {}", s.name, s.input);
  }
  for (const SupplyGroup& g : power.groups) {
    if (g.kind == "NotRedundant") return "its supplies are not redundant, says the controller";
    if (!is_well(g.health, "OK")) return fmt::format("the redundancy of its supplies is {}", g.health);
    const int there = static_cast<int>(supplies.size()), members = g.members > 0 ? std::min(g.members, there) : there;
    if (g.needed && *g.needed > members / 2) {
      return fmt::format("{} of {} supplies are needed: a feed that is lost takes half of them", *g.needed, members);
    }
  }
  return {};
}

// What half of the supplies can give; absent when one of them does not say.
std::optional<Watts> left_after_a_feed(const NodePower& power) {
  const std::vector<PowerSupply> supplies = present(power);
  std::vector<Watts> each;
  for (const PowerSupply& s : supplies) {
    if (!s.capacity) return std::nullopt;
    each.push_back(*s.capacity);
  }
  std::sort(each.begin(), each.end());
  Watts sum{};
  for (std::size_t i = 0; i < each.size() / 2; ++i) sum += each[i];
  return sum;
}

// By their limits, and so the least that the node may draw; absent when it has none, or one does not tell its limit.
std::optional<Watts> drawn_by_gpus(const MachineRecord& record) {
  Watts sum{};
  for (const Gpu& gpu : record.gpus) {
    if (!gpu.power_limit) return std::nullopt;
    sum += *gpu.power_limit;
  }
  return record.gpus.empty() ? std::nullopt : std::optional(sum);
}

void judge_supplies(const NodePower& power, const MachineRecord& record, double most_load, ChecklistLine& line) {
  const std::optional<Watts> left = left_after_a_feed(power), drawn = drawn_by_gpus(record);
  const std::size_t supplies = present(power).size();
  line.measured = fmt::format("{} {}", supplies, supplies == 1 ? "supply" : "supplies");
  if (left) line.measured += fmt::format(", {} without one feed", to_string(*left));
  if (drawn) line.measured += fmt::format(", GPUs may draw {}", to_string(*drawn));
  line.status = Status::kFailed;
  line.next = "mend the supplies, or put them on two feeds that can each carry the node";
  line.why = trouble_with_supplies(power);
  if (!line.why.empty()) return;
  if (left && drawn && drawn->value > most_load * left->value) {
    line.why = fmt::format("the GPUs alone may draw {}, and half of the supplies may give {}", to_string(*drawn),
                           to_string(*left * most_load));
    return;
  }
  const bool told = !power.groups.empty() && std::all_of(power.groups.begin(), power.groups.end(),
                                                         [](const SupplyGroup& g) { return g.needed.value_or(0) > 0; });
  line.status = left && drawn && told ? Status::kPassed : Status::kNeedsAttestation;
  line.why = line.status == Status::kPassed ? "" : "the controller does not tell enough to be sure";
  line.next = line.status == Status::kPassed ? "" : "hold the drill: --attestation FILE";
}

void judge_attestation(const Attestation& a, const MachineRecord& record, const Requirements& required,
                       ChecklistLine& line) {
  const auto drill = day_of(a.date), now = day_of(record.date);
  const double age = drill && now ? std::chrono::duration<double>(*now - *drill).count() : -1;
  line.measured = fmt::format("attested by {} on {}: {}", a.person, a.date, a.evidence);
  if (age < 0) {
    line.status = Status::kUnknown;
    line.why = "the date of the drill is no day before this record's";
  } else if (Seconds(age) > required.attestation_age.value) {
    line.status = Status::kUnknown;
    line.why = fmt::format("the drill is older than {}", to_string(required.attestation_age.value));
  } else {
    line.status = Status::kPassed;
    line.why.clear();
    line.next.clear();
  }
}

}  // namespace

ChecklistLine power_line(const MachineRecord& record, const Requirements& required) {
  ChecklistLine line{.id = "power",
                     .item = "power redundancy",
                     .required = "a lost feed is survived, shown by supplies or by a drill",
                     .status = Status::kNeedsAttestation,
                     .measured = record.ups.empty() ? "" : fmt::format("{} UPS known", record.ups.size()),
                     .why = record.no_power.empty()
                                ? "no instrument here can cut the power, and no controller was named"
                                : record.no_power,
                     .next =
                         "name the management controller: --redfish URL; or hold the drill, write who, when and the "
                         "evidence into a file, and "
                         "give it: --attestation FILE"};
  if (const std::string trouble = trouble_with_ups(record, required); !trouble.empty()) {
    line.status = Status::kFailed;
    line.why = trouble;
    line.next = "mend the UPS before the drill";
    return line;
  }
  const auto silent =
      std::find_if(record.ups.begin(), record.ups.end(), [](const Ups& ups) { return ups.status.empty(); });
  if (silent != record.ups.end()) {
    line.status = Status::kUnknown;
    line.why = fmt::format("{} gave no answer{}", silent->name, silent->why.empty() ? "" : ": " + silent->why);
    line.next = "mend the connection to the UPS: upsc " + silent->name;
    return line;
  }
  if (record.power) judge_supplies(*record.power, record, required.feed_load.value, line);
  if (record.power_attestation && line.status != Status::kFailed) {
    judge_attestation(*record.power_attestation, record, required, line);
  }
  return line;
}

}  // namespace fathom::probe
