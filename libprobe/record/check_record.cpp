#include "record/check_record.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "harness/case_units.h"
#include "harness/contradictions.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

class RecordCheck {
 public:
  RecordCheck(const MachineRecord& record, const Context& root)
      : record_(record), root_(root), results_(root.value.find("results")) {}

  void run() const {
    check_case_times();
    check_links();
    for (std::size_t i = 0; i < record_.results.size(); ++i) {
      check_devices(i);
      check_unit(i);
      const std::string contradiction = contradiction_in(record_.results[i]);
      if (!contradiction.empty()) at(result(i)).fail(contradiction);
    }
    check_twins();
  }

 private:
  Context at(const Value& value) const { return {root_.file, value}; }
  const Value& result(std::size_t i) const { return results_->items[i]; }

  static std::string named(const Result& r) {
    const std::string shape = r.shape_text();
    return fmt::format("{} on {}{}{}", r.name, r.device, shape.empty() ? "" : ", ", shape);
  }

  void check_case_times() const {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < record_.case_times.size(); ++i) {
      const std::string& name = record_.case_times[i].name;
      if (!seen.insert(name).second)
        at(root_.value.find("case_durations")->items[i]).fail("two durations of the case " + in_quotes(name));
    }
  }

  void check_links() const {
    const Value* inventory = root_.value.find("inventory");
    const Value* links = inventory == nullptr ? nullptr : inventory->find("links");
    std::set<std::pair<std::string, std::string>> seen;
    for (std::size_t i = 0; i < record_.links.size(); ++i) {
      const Link& link = record_.links[i];
      const Context here = at(links->items[i]);
      for (const std::string& end : {link.from, link.to}) {
        if (record_.gpu(end) == nullptr) here.fail("the inventory has no " + in_quotes(end));
      }
      if (link.from == link.to) here.fail(fmt::format("a link joins {} to itself", in_quotes(link.from)));
      if (!seen.emplace(link.from, link.to).second)
        here.fail(fmt::format("the link from {} to {} is there twice", in_quotes(link.from), in_quotes(link.to)));
    }
  }

  // Every figure is of a part that the inventory has; "2 nodes" and other words are nobody's key.
  void check_devices(std::size_t i) const {
    if (record_.gpus.empty()) return;
    for (const std::string& part : devices_of(record_.results[i].device)) {
      if (is_gpu_key(part) && record_.gpu(part) == nullptr)
        at(result(i)).fail("the inventory has no " + in_quotes(part));
    }
  }

  void check_unit(std::size_t i) const {
    const Result& r = record_.results[i];
    const std::optional<Unit> unit = unit_of(r);
    if (!r.figure || !unit || *unit == r.unit) return;
    at(*result(i).find(key_of(r.unit)))
        .fail(fmt::format("{} is measured in {}, found {}", named(r), in_quotes(key_of(*unit)),
                          in_quotes(key_of(r.unit))),
              "a figure's key is its unit: convert the figure, or measure again");
  }

  void check_twins() const {
    for (const auto& [first, later] : find_twins(record_.results)) {
      const Result &one = record_.results[first], &two = record_.results[later];
      at(result(later))
          .fail(fmt::format("{} has two figures under one protocol: {} in line {} and {} here", named(two),
                            text_of(one.unit, one.figure->median), result(first).at.line,
                            text_of(two.unit, two.figure->median)),
                "keep the one that is right");
    }
  }

  const MachineRecord& record_;
  const Context& root_;
  const Value* results_;
};

}  // namespace

void check_record(const MachineRecord& record, const Context& root) { RecordCheck(record, root).run(); }

}  // namespace fathom::probe
