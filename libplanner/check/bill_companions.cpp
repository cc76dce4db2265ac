// What goes with what: ports and cards, cards and machines, supplies and watts, racks and heights. A bill may be for a part of
// a cluster, so that what is missing is never an error.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "check/bill_rules.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::bill_rules {

namespace {

using namespace bill;

// The parts of one alternative, or of the whole bill.
struct Scope {
  std::vector<const Part*> parts;

  std::vector<const Part*> of(PartKind kind) const {
    std::vector<const Part*> out;
    for (const Part* part : parts) {
      if (part->kind == kind) out.push_back(part);
    }
    return out;
  }
  bool has(PartKind kind) const { return !of(kind).empty(); }
  double count(PartKind kind) const {
    double out = 0;
    for (const Part* part : of(kind)) out += part->count;
    return out;
  }
};

std::vector<Scope> scopes_of(const Checked& checked) {
  std::set<int> options;
  for (const Part& part : checked.parts) options.insert(part.row->option);
  const bool alternatives = options.size() > 1 || (options.size() == 1 && *options.begin() != 0);
  if (alternatives) options.erase(0);  // what stands outside belongs to each of them
  std::vector<Scope> out;
  for (const int option : options) {
    Scope scope;
    for (const Part& part : checked.parts) {
      if (part.row->option == option || part.row->option == 0) scope.parts.push_back(&part);
    }
    out.push_back(std::move(scope));
  }
  return out;
}

// ---------------------------------------------------------------------------------------------------------------------
// Network

double ports_each(const Part& part) {
  if (const auto stated = ports_in(part.row->words())) return stated->count;
  if (part.kind == PartKind::kSwitch && !part.switches.empty()) {
    double ports = 0;
    for (const SwitchPorts& group : part.switches.front()->ports) ports += group.count;
    return ports;
  }
  return part.kind == PartKind::kNic ? 1 : 0;
}

void network(const Scope& scope, Findings& out) {
  const std::vector<const Part*> cards = scope.of(PartKind::kNic), switches = scope.of(PartKind::kSwitch);
  double plugs = 0, ports = 0;
  bool ports_known = true;
  std::vector<std::string> terms;
  for (const Part* card : cards) plugs += card->count * ports_each(*card);
  for (const Part* device : switches) {
    const double each = ports_each(*device);
    ports_known &= each > 0 && device->count > 0;
    ports += each * device->count;
    terms.push_back(fmt::format("{} x {} ports of {} = {}", plain_number(device->count), plain_number(each),
                                device->row->name(), plain_number(each * device->count)));
  }
  if (switches.empty() && plugs > 2) {
    out.add("bill.switches", spot(cards.front()->row->first),
            {.message = fmt::format("{} ports of network cards, and no switch on the bill", plain_number(plugs)),
             .help = "switches, with their optics or cables; or a note that they are there already"});
  } else if (!switches.empty() && ports_known && plugs > ports) {
    out.add(
        "fabric.ports", Severity::kWarning, spot(switches.front()->row->first),
        {.message = fmt::format("{} ports of network cards, {} of switches", plain_number(plugs), plain_number(ports)),
         .terms = terms,
         .help = "links between switches take further ports"});
  }
  const bool linked = scope.has(PartKind::kOptic) || scope.has(PartKind::kCable);
  if (!linked && scope.count(PartKind::kSwitch) >= 1) {
    out.add("bill.companions", Severity::kNote, spot(switches.front()->row->first),
            {.message = fmt::format("{} switches, and neither optics nor cables on the bill",
                                    plain_number(scope.count(PartKind::kSwitch)))});
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Machines

struct Companion {
  std::string what;
  std::vector<PartKind> kinds;  // any of them
};

// Cards and processors are bought to be put into something. Machines bring memory and disks with them.
void machines(const Scope& scope, Findings& out) {
  const std::vector<const Part*> cards = scope.of(PartKind::kAccelerator);
  if (cards.empty()) return;
  const double count = scope.count(PartKind::kAccelerator);
  const bool host = scope.has(PartKind::kHost);
  const std::string many = count > 0 ? plain_number(count) + " accelerators" : "accelerators";
  std::vector<std::string> missing;
  if (!host) missing.push_back("chassis and boards to put them into");
  for (const Companion& companion :
       {Companion{"processors", {PartKind::kCpu}}, Companion{"host memory", {PartKind::kMemory}},
        Companion{"disks", {PartKind::kDisk, PartKind::kStorage}}}) {
    const bool there =
        std::any_of(companion.kinds.begin(), companion.kinds.end(), [&](PartKind kind) { return scope.has(kind); });
    if (!host && !there) missing.push_back(companion.what);
  }
  if (missing.empty()) return;
  // A list of cards alone is an order for cards; with processors, network or racks beside them it means to be a cluster.
  const bool cluster = scope.has(PartKind::kCpu) || scope.has(PartKind::kNic) || scope.has(PartKind::kRack) ||
                       scope.has(PartKind::kSwitch);
  out.add("bill.hosts", cluster ? Severity::kWarning : Severity::kNote, spot(cards.front()->row->first),
          {.message = fmt::format("{}, and no {} on the bill", many, listed(missing, " or ")),
           .help = "servers, or a note that they are there already"});
}

// What every cluster needs sooner or later, said once.
void absent(const Checked& checked, const Scope& scope, Findings& out) {
  const bool cluster = scope.has(PartKind::kAccelerator) || scope.has(PartKind::kHost);
  const bool priced = checked.bill.column(Field::kPrice) != nullptr || checked.bill.column(Field::kTotal) != nullptr;
  if (!cluster || !priced || scope.parts.size() < 4) return;
  // A word anywhere on a line is enough: machines are sold with disks, and offers with three years of support.
  const auto says = [&](std::initializer_list<const char*> words) {
    return std::any_of(scope.parts.begin(), scope.parts.end(), [&](const Part* part) {
      const std::string text = lower(part->row->words());
      return std::any_of(words.begin(), words.end(),
                         [&](const char* word) { return text.find(word) != std::string::npos; });
    });
  };
  std::vector<std::string> missing;
  if (!says({"存储", "硬盘", "磁盘", "盘位", "storage", "ssd", "hdd", "nvme", "disk", "nas"}))
    missing.push_back("storage");
  if (!says({"备件", "备品", "备用", "冗余机", "spare"})) missing.push_back("spares");
  if (!says({"维保", "维护", "质保", "保修", "运维", "服务费", "技术支持", "团队", "support", "warranty", "maintenance",
             "service"}))
    missing.push_back("support");
  if (!scope.has(PartKind::kLicence) &&
      !says({"软件", "授权", "平台", "操作系统", "licen", "software", "subscription"}))
    missing.push_back("software");
  if (missing.empty()) return;
  out.add("bill.absent", spot(scope.parts.front()->row->first),
          {.message = fmt::format("no line for {}", listed(missing, " or ")),
           .help = "lines for them, or a note that they come from elsewhere"});
}

// ---------------------------------------------------------------------------------------------------------------------
// Power, cooling, height

// Watts of one, as the line states them: "1600W", "10kVA", "40 kW".
double watts_stated(const Row& row, bool volt_amperes) {
  for (const Measure& measure :
       measures_in(row.text(Field::kPower) + " | " + row.text(Field::kItem) + " | " + row.text(Field::kModel) + " | " +
                   row.text(Field::kSpec) + " | " + row.text(Field::kNotes))) {
    const std::string unit = lower(measure.unit);
    if (unit == "w") return measure.value;
    if (unit == "kw" || (volt_amperes && unit == "kva")) return measure.value * 1000;
  }
  return 0;
}

double watts_each(const Part& part) {
  double watts = 0;
  for (const Accelerator* a : part.accelerators) watts = std::max(watts, a->tdp ? a->tdp->value.value : 0);
  if (part.kind == PartKind::kHost) {
    if (!part.servers.empty() && part.servers.front()->power_max) return part.servers.front()->power_max->value.value;
    const double stated = watts_stated(*part.row, false);
    return stated > 0 ? stated : watts * part.accelerators_each;
  }
  for (const Cpu* cpu : part.cpus) watts = std::max(watts, cpu->tdp ? cpu->tdp->value.value : 0);
  const double stated = watts_stated(*part.row, false);
  return stated > 0 ? stated : watts;
}

struct Load {
  double watts = 0;
  std::vector<std::string> terms;
};

// What the bill states or the catalog knows: a lower bound of what is drawn.
Load load_of(const Scope& scope) {
  Load out;
  for (const Part* part : scope.parts) {
    const bool draws = part->kind == PartKind::kAccelerator || part->kind == PartKind::kCpu ||
                       part->kind == PartKind::kHost || part->kind == PartKind::kSwitch;
    const double each = draws ? watts_each(*part) : 0;
    if (each <= 0 || part->count <= 0) continue;
    out.watts += each * part->count;
    out.terms.push_back(fmt::format("{} x {} ({}) = {}", plain_number(part->count), to_string(Watts(each)),
                                    part->row->name(), to_string(Watts(each * part->count))));
  }
  return out;
}

// Supplies, strips, batteries and coolers must carry at least that; where one of them does not say what it carries, nothing is
// known.
void capacity(const Scope& scope, PartKind kind, const std::string& rule, const std::string& verb, const Load& load,
              Findings& out) {
  const std::vector<const Part*> parts = scope.of(kind);
  double there = 0;
  for (const Part* part : parts) {
    const double each = watts_stated(*part->row, kind == PartKind::kUps || kind == PartKind::kPdu);
    if (each <= 0 || part->count <= 0) return;
    there += each * part->count;
  }
  if (parts.empty() || load.watts <= there) return;
  out.add(rule, Severity::kWarning, spot(parts.front()->row->first),
          {.message = fmt::format("{} {} at most, the parts of the bill draw {} and more", verb,
                                  to_string(Watts(there)), to_string(Watts(load.watts))),
           .terms = load.terms});
}

double height_of(const Part& part) {
  const auto column = part.row->cells.find(Field::kHeight);
  if (column != part.row->cells.end()) {
    const auto figure = read_figure(column->second.text, FigureKind::kCount, false);
    if (figure && !figure->is_range()) return figure->low;
  }
  for (const Measure& measure : measures_in(part.row->words())) {
    if (measure.unit == "U" || measure.unit == "u" || measure.unit == "RU") return measure.value;
  }
  if (!part.servers.empty()) return part.servers.front()->height_u.value_or(0);
  return part.switches.empty() ? 0 : part.switches.front()->height_u.value_or(0);
}

void racks(const Scope& scope, Findings& out) {
  const std::vector<const Part*> racks = scope.of(PartKind::kRack);
  double there = 0, needed = 0;
  for (const Part* rack : racks) {
    if (height_of(*rack) < 10 || rack->count <= 0) return;  // no height is stated
    there += height_of(*rack) * rack->count;
  }
  std::vector<std::string> terms;
  for (const Part* part : scope.parts) {
    if (part->kind == PartKind::kRack || part->count <= 0 || height_of(*part) <= 0) continue;
    needed += height_of(*part) * part->count;
    terms.push_back(fmt::format("{} x {} U ({}) = {} U", plain_number(part->count), plain_number(height_of(*part)),
                                part->row->name(), plain_number(height_of(*part) * part->count)));
  }
  if (racks.empty() || needed <= there) return;
  out.add("bill.racks", spot(racks.front()->row->first),
          {.message = fmt::format("racks of {} U for devices of {} U", plain_number(there), plain_number(needed)),
           .terms = terms});
}

}  // namespace

void check_companions(const Checked& checked, Findings& findings) {
  for (const Scope& scope : scopes_of(checked)) {
    network(scope, findings);
    machines(scope, findings);
    absent(checked, scope, findings);
    racks(scope, findings);
    const Load load = load_of(scope);
    capacity(scope, PartKind::kPsu, "power.supply", "the supplies give", load, findings);
    capacity(scope, PartKind::kPdu, "bill.power", "the distribution carries", load, findings);
    capacity(scope, PartKind::kUps, "bill.power", "the UPS carries", load, findings);
    capacity(scope, PartKind::kCooling, "bill.power", "the cooling takes away", load, findings);
  }
}

}  // namespace fathom::bill_rules
