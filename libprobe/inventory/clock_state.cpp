#include "inventory/clock_state.h"

#include <cmath>

#include "units/number.h"

namespace fathom::probe {

namespace {

std::vector<std::string> split(std::string_view line, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = line.find(separator);
    parts.emplace_back(trimmed(line.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    line.remove_prefix(end + 1);
  }
}

// NaN where the text is no number: the caller refuses the whole line then.
double number_of(const std::string& text) {
  const auto number = scan_number(text);
  return number && number->in_range && number->rest.empty() ? number->value : std::nan("");
}

}  // namespace

std::optional<ClockState> parse_tracking(const std::string& text, double now) {
  const std::vector<std::string> field = split(trimmed(text), ',');
  if (field.size() != 14) return std::nullopt;
  const double stratum = number_of(field[2]), reference_time = number_of(field[3]);
  ClockState c{.tool = "chronyc",
               .reference_id = field[0],
               .stratum = 0,
               .leap = field[13],
               .offset_s = number_of(field[4]),
               .rms_offset_s = number_of(field[6]),
               .root_delay_s = number_of(field[10]),
               .root_dispersion_s = number_of(field[11]),
               .reference_age_s = now - reference_time,
               .update_interval_s = number_of(field[12])};
  const bool whole = std::isfinite(stratum) && stratum >= 0 && stratum <= 255;
  for (double value :
       {c.offset_s, c.rms_offset_s, c.root_delay_s, c.root_dispersion_s, c.reference_age_s, c.update_interval_s}) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  if (!whole || c.reference_id.size() != 8) return std::nullopt;
  c.stratum = static_cast<int>(stratum);
  return c;
}

void find_clock(const System& system, double now, MachineRecord& record) {
  const CommandOutcome said = system.run({"chronyc", "-c", "tracking"}, Seconds(10));
  if (!said.succeeded()) {
    record.no_clock = trouble_with("chronyc", said);
    return;
  }
  record.clock = parse_tracking(said.out, now);
  if (!record.clock) record.no_clock = "chronyc answered with something else than its fourteen values";
}

}  // namespace fathom::probe
