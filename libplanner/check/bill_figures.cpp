// Names and figures on the lines of a bill against the catalog. A figure is wrong only when no part that the name may mean
// has it.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "check/bill_rules.h"
#include "check/part_figures.h"
#include "check/part_names.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::bill_rules {

namespace {

using namespace bill;

// What stands on a line about the thing itself; `notes` may speak of what it goes with.
void for_measures(const Row& row, std::initializer_list<Field> fields,
                  const std::function<void(const Measure&, const CsvCell&)>& visit) {
  for (const Field field : fields) {
    const auto cell = row.cells.find(field);
    if (cell == row.cells.end()) continue;
    for (const Measure& measure : measures_in(cell->second.text)) visit(measure, cell->second);
  }
}
constexpr auto kOfItself = {Field::kItem, Field::kModel, Field::kSpec};
constexpr auto kWithNotes = {Field::kItem, Field::kModel, Field::kSpec, Field::kNotes};

bool contains_any(const std::string& text, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return text.find(word) != std::string::npos; });
}

// ---------------------------------------------------------------------------------------------------------------------
// Names

// "NYUDA A100": the part is known without its first word, and that word is none of its maker's.
template <class T>
void spelling(const Checked& checked, const Part& part, const std::vector<const T*>& meant, Findings& out) {
  if (meant.empty() || part.called.empty()) return;
  const std::size_t blank = part.called.find(' ');
  const std::string first = part.called.substr(0, blank);
  const std::string rest = blank == std::string::npos ? part.called : part.called.substr(blank + 1);
  // Of several variants the writer's own word is the name.
  const std::string name = meant.size() > 1 && part.kind == PartKind::kAccelerator ? rest : meant.front()->name;
  const auto tell = [&](const std::string& words, const CsvCell& cell) {
    const auto wrong = misspelt_word(checked.catalog, meant.front()->vendor, name, words);
    if (wrong) out.add("part.name", spot(cell), {.message = *wrong});
  };
  const bool prefixed = blank != std::string::npos && !checked.catalog.meant_by<T>(rest).empty();
  if (prefixed) tell(first, part.row->first);
  const std::string vendor = part.row->text(Field::kVendor);
  if (vendor.empty() || (prefixed && vendor == first)) return;
  // Resellers and board makers may stand there too: only what is known for a spelling of the maker counts.
  if (!checked.catalog.meant_by<T>(vendor + " " + rest).empty()) tell(vendor, part.row->cell(Field::kVendor));
}

void variants(const Part& part, Findings& out) {
  if (part.kind != PartKind::kAccelerator || part.accelerators.size() < 2) return;
  std::vector<std::string> names;
  for (const Accelerator* a : part.accelerators) {
    names.push_back(
        a->tdp ? fmt::format("{} ({}, {})", a->name, to_string(a->tdp->value), to_string_binary(a->memory.value))
               : a->name);
  }
  out.add("part.variant", spot(part.row->first),
          {.message = fmt::format("{} may be {}", part.called, listed(names, " or ")),
           .help = "the maker's full name of the part"});
}

// ---------------------------------------------------------------------------------------------------------------------
// Accelerators and processors

void memory(const Part& part, Findings& out) {
  if (part.accelerators.empty() || part.kind != PartKind::kAccelerator) return;
  std::optional<Bytes> wrong;
  const CsvCell* at = nullptr;
  bool right = false;
  const auto look = [&](const Measure& measure, const CsvCell& cell) {
    const std::string unit = lower(measure.unit);
    if (unit != "gb" && unit != "gib") return;
    const Bytes stated(measure.value * (unit == "gb" ? 1e9 : 0x1p30));
    for (const Accelerator* a : part.accelerators) {
      const double all = part.row->quantity ? part.row->quantity->low : 1;
      right |= memory_agrees(*a, stated) || (all > 1 && memory_agrees(*a, stated / all));
    }
    if (at == nullptr) {
      wrong = stated;
      at = &cell;
    }
  };
  for_measures(*part.row, kOfItself, look);
  for_measures(*part.row, {Field::kNotes}, [&](const Measure& measure, const CsvCell& cell) {
    if (measure.behind.starts_with("显存") || contains_any(measure.behind.substr(0, 8), {"hbm", "gddr", "vram"}))
      look(measure, cell);
  });
  if (right || at == nullptr) return;
  const Accelerator& a = *part.accelerators.front();
  out.add("part.memory", spot(*at),
          {.message = fmt::format("{} has {}, not {}", a.name, to_string_binary(a.memory.value), to_string(*wrong))});
}

// Of one; watts in a note are of the part when the note says nothing else.
void power(const Part& part, Findings& out) {
  const bool card = part.kind == PartKind::kAccelerator, cpu = part.kind == PartKind::kCpu;
  if (!card && !cpu) return;
  std::vector<std::pair<std::string, const Fact<Watts>*>> known;
  for (const Accelerator* a : part.accelerators) {
    if (card && a->tdp) known.emplace_back(a->name, &*a->tdp);
  }
  for (const Cpu* c : part.cpus) {
    if (cpu && c->tdp) known.emplace_back(c->name, &*c->tdp);
  }
  if (known.empty()) return;
  const double count = std::max(1.0, part.count);
  for_measures(*part.row, {Field::kItem, Field::kModel, Field::kSpec, Field::kNotes, Field::kPower},
               [&](const Measure& measure, const CsvCell& cell) {
                 const std::string unit = lower(measure.unit);
                 const bool column = &cell == &part.row->cell(Field::kPower) && part.row->cells.contains(Field::kPower);
                 if (unit != "w" && unit != "kw" && !(column && unit.empty())) return;
                 const Watts stated(measure.value * (unit == "kw" ? 1000 : 1));
                 for (const auto& [name, fact] : known) {
                   if (power_agrees(*fact, stated) || power_agrees(*fact, stated / count)) return;
                 }
                 out.add("part.power", spot(cell),
                         {.message = fmt::format("{}, not {}", power_of(known.front().first, *known.front().second),
                                                 to_string(stated))});
               });
}

// "Kunpeng 920-5250" is another processor than the one that the catalog knows of its family.
bool another_model(const Part& part) {
  const std::string words = part.row->words();
  for (std::size_t at = 0; at + 4 <= words.size(); ++at) {
    const auto digit = [&](std::size_t i) {
      return i < words.size() && std::isdigit(static_cast<unsigned char>(words[i])) != 0;
    };
    const bool number = digit(at) && digit(at + 1) && digit(at + 2) && digit(at + 3) && !digit(at + 4) &&
                        (at == 0 || (!digit(at - 1) && words[at - 1] != '.' && words[at - 1] != ','));
    if (!number) continue;
    const std::string model = words.substr(at, 4);
    const bool known = std::any_of(part.cpus.begin(), part.cpus.end(),
                                   [&](const Cpu* c) { return c->name.find(model) != std::string::npos; });
    const bool date = model.starts_with("19") || model.starts_with("20");
    if (!known && !date) return true;
  }
  return false;
}

void cores_and_clock(const Part& part, Findings& out) {
  if (part.cpus.empty() || another_model(part)) return;
  const Cpu& cpu = *part.cpus.front();
  for_measures(*part.row, kWithNotes, [&](const Measure& measure, const CsvCell& cell) {
    const std::string unit = lower(measure.unit);
    if (unit == "核" || unit.starts_with("core") || (unit == "c" && measure.behind.empty())) {
      const bool right = std::any_of(part.cpus.begin(), part.cpus.end(),
                                     [&](const Cpu* c) { return !c->cores || *c->cores == measure.value; });
      if (!right)
        out.add("part.cores", spot(cell),
                {.message = fmt::format("{} has {} cores, not {}", cpu.name, *cpu.cores, plain_number(measure.value))});
    }
    if (unit != "ghz") return;
    const double stated = measure.value * 1e9;
    const bool right = std::any_of(part.cpus.begin(), part.cpus.end(), [&](const Cpu* c) {
      if (!c->base_clock) return true;
      const double base = c->base_clock->value.value;
      return agrees(stated, base) ||
             (stated > base && (!c->boost_clock || stated <= c->boost_clock->high_or_value().value * 1.02));
    });
    if (!right)
      out.add("part.base_clock", spot(cell),
              {.message = fmt::format("{} runs at {:g} GHz, not at {:g}", cpu.name, cpu.base_clock->value.value / 1e9,
                                      measure.value)});
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Network

const CsvCell* cell_with(const Row& row, std::initializer_list<Field> fields,
                         const std::function<bool(const std::string&)>& fits) {
  for (const Field field : fields) {
    const auto cell = row.cells.find(field);
    if (cell != row.cells.end() && fits(cell->second.text)) return &cell->second;
  }
  return nullptr;
}

void switch_ports(const Part& part, Findings& out) {
  if (part.switches.empty() || part.kind != PartKind::kSwitch) return;
  const CsvCell* cell = cell_with(*part.row, kWithNotes, [](const std::string& text) {
    const auto ports = ports_in(text);
    return ports && ports->rate;
  });
  if (cell == nullptr) return;
  const StatedPorts stated = *ports_in(cell->text);
  for (const Switch* device : part.switches) {
    if (device->ports.empty() || ports_at(*device, *stated.rate) >= stated.count) return;
    for (const SwitchPorts& group : device->ports) {  // cages of two ports: "32 x 800G" are 64 x 400
      if (group.count == 2 * stated.count && agrees(stated.rate->value, 2 * group.rate.value)) return;
    }
  }
  out.add(
      "part.ports", spot(*cell),
      {.message = fmt::format("{} has {}, not {} x {}", part.switches.front()->name, ports_of(*part.switches.front()),
                              plain_number(stated.count), gigabits(*stated.rate))});
}

// "Spectrum-4 SN4000": chip and series named together must belong together.
void chip(const Checked& checked, const Part& part, Findings& out) {
  if (part.kind != PartKind::kSwitch) return;
  const std::string words = normalised_name(part.row->words());
  for (const SwitchAsic& asic : checked.catalog.all<SwitchAsic>()) {
    if (words.find(normalised_name(asic.id)) == std::string::npos) continue;
    for (const Switch* device : part.switches) {
      if (!device->asic || normalised_name(*device->asic) == normalised_name(asic.id)) return;
    }
    if (part.switches.empty()) {
      // No series is named: the ports must be those of one of its switches.
      const auto stated = ports_in(part.row->words());
      if (!stated || !stated->rate) return;
      std::vector<std::string> others;
      for (const Switch& device : checked.catalog.all<Switch>()) {
        if (!device.asic || device.ports.empty()) continue;
        const bool has = ports_at(device, *stated->rate) == stated->count && device.ports.front().rate == *stated->rate;
        if (!has) continue;
        if (normalised_name(*device.asic) == normalised_name(asic.id)) return;
        others.push_back(fmt::format("{} is {}", device.name, *device.asic));
      }
      if (others.empty()) return;
      std::string name = asic.id;  // "spectrum-4"
      name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
      out.add("part.asic", spot(part.row->first),
              {.message = fmt::format("no {} switch with {} x {} in the catalog: {}", name, plain_number(stated->count),
                                      gigabits(*stated->rate), listed(others, ", ")),
               .help = fmt::format("the series: {} carry {}", listed(asic.products, ", "), name)});
      return;
    }
    const Switch& device = *part.switches.front();
    out.add("part.asic", spot(part.row->first),
            {.message = fmt::format("{} carries {}, not {}", device.name, *device.asic, asic.id)});
    return;
  }
}

std::optional<double> gigabits_stated(const Measure& measure) {
  const std::string unit = lower(measure.unit);
  for (const char* word : {"g", "gbps", "gb/s", "gbit/s", "gbe", "gb", "gige"}) {
    if (unit == word && (unit != "gb" || measure.behind.starts_with("ps"))) return measure.value;
  }
  return std::nullopt;
}

// A card may run below its fastest rate, not above it.
void card_rate(const Part& part, Findings& out) {
  if (part.kind != PartKind::kNic || part.nics.empty()) return;
  const bool both =
      contains_any(lower(part.row->words()), {"双", "dual", "2-port"});  // the rates of two ports together
  for_measures(*part.row, kWithNotes, [&](const Measure& measure, const CsvCell& cell) {
    const auto stated = gigabits_stated(measure);
    if (!stated) return;
    const NetworkCard* fastest = nullptr;
    for (const NetworkCard* card : part.nics) {
      if (!card->rate || card->rate->value.value * 8e-9 * (both ? 2 : 1) >= *stated * 0.98) return;
      fastest = card;
    }
    if (fastest != nullptr)
      out.add("nic.rate", spot(cell),
              {.message = fmt::format("{} runs at {} at most, not at {} Gb/s", fastest->name,
                                      gigabits(fastest->rate->value), plain_number(*stated))});
  });
}

bool has_word(const std::string& text, const std::string& word) {
  const auto letter = [&](std::size_t i) {
    return i < text.size() && std::isalnum(static_cast<unsigned char>(text[i])) != 0;
  };
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    if ((at == 0 || !letter(at - 1)) && !letter(at + word.size())) return true;
  }
  return false;
}

// "200Gbps EDR": EDR is 100 Gb/s. Twin-port cages of NDR and later carry two links, and two ports may be counted together.
void link_names(const Checked& checked, const Row& row, Findings& out) {
  for (const Field field : kWithNotes) {
    const auto cell = row.cells.find(field);
    if (cell == row.cells.end()) continue;
    const std::string text = plain_text(cell->second.text);
    const std::vector<Measure> all = measures_in(text);
    for (const LinkGeneration& link : checked.catalog.all<LinkGeneration>()) {
      if (link.family != LinkFamily::kInfiniband || !has_word(text, link.name) ||
          contains_any(lower(text), {"双", "dual", "twin", "2x"}))
        continue;
      const double known = link.rate.value.value * 8e-9;
      std::optional<double> wrong;
      bool right = false;
      for (const Measure& measure : all) {
        const auto stated = gigabits_stated(measure);
        if (!stated) continue;
        const bool twin = known >= 400 && agrees(*stated, 2 * known);
        right |= agrees(*stated, known) || twin;
        if (!wrong) wrong = *stated;
      }
      if (right || !wrong) continue;
      std::string other;
      for (const LinkGeneration& same : checked.catalog.all<LinkGeneration>()) {
        if (same.family == LinkFamily::kInfiniband && agrees(*wrong, same.rate.value.value * 8e-9)) other = same.name;
      }
      out.add("link.rate", spot(cell->second),
              {.message = fmt::format("{} is {:g} Gb/s, not {}", link.name, known, plain_number(*wrong)),
               .help = other.empty() ? "" : fmt::format("{} Gb/s is {}", plain_number(*wrong), other)});
      return;
    }
  }
}

const char* fibre_of(const std::string& text) {
  for (const char* grade : {"om1", "om2", "om3", "om4", "om5", "多模", "multimode", "multi-mode", "sr4", "sr8", "sr2",
                            "2sr", "vr4", "vr8", "2vr"}) {
    if (text.find(grade) != std::string::npos) return "MMF";
  }
  for (const char* grade : {"os1", "os2", "单模", "single-mode", "singlemode", "g.652", "g.657", "dr4", "dr8", "fr4",
                            "fr8", "lr4", "lr8"}) {
    if (text.find(grade) != std::string::npos) return "SMF";
  }
  return nullptr;
}

// Where all fibre of a bill is of one class and all of its optics need the other, nothing links.
void fibres(const Checked& checked, Findings& out) {
  const Part *fibre = nullptr, *optic = nullptr;
  const char *bought = nullptr, *needed = nullptr;
  for (const Part& part : checked.parts) {
    const std::string text = lower(part.row->words());
    if (part.kind == PartKind::kCable && fibre_of(text) != nullptr) {
      if (bought != nullptr && std::string_view(bought) != fibre_of(text)) return;
      bought = fibre_of(text);
      fibre = &part;
    }
    if (part.kind == PartKind::kOptic) {
      const char* takes =
          fibre_of(text);  // what the bill says counts more than the one that the catalog knows of a speed
      for (const Optic* known : part.optics) {
        if (takes == nullptr) takes = known->fibre == "SMF" ? "SMF" : known->fibre == "MMF" ? "MMF" : nullptr;
      }
      if (takes == nullptr || (needed != nullptr && std::string_view(needed) != takes)) return;
      needed = takes;
      optic = &part;
    }
  }
  if (bought == nullptr || needed == nullptr || std::string_view(bought) == needed) return;
  const bool single = std::string_view(needed) == "SMF";
  out.add("link.fibre", spot(optic->row->first),
          {.message = fmt::format("{} takes {} fibre, and the fibre of the bill ({}) is {}", optic->row->name(),
                                  single ? "single-mode" : "multimode", name_of(*fibre->row),
                                  single ? "multimode" : "single-mode"),
           .help = single ? "OS2 fibre, or SR modules where the distance allows" : "OM4 fibre, or LR modules"});
}

}  // namespace

void check_figures(const Checked& checked, Findings& findings) {
  for (const Part& part : checked.parts) {
    spelling(checked, part, part.accelerators, findings);
    spelling(checked, part, part.cpus, findings);
    variants(part, findings);
    memory(part, findings);
    power(part, findings);
    cores_and_clock(part, findings);
    switch_ports(part, findings);
    chip(checked, part, findings);
    card_rate(part, findings);
    link_names(checked, *part.row, findings);
  }
  fibres(checked, findings);
}

}  // namespace fathom::bill_rules
