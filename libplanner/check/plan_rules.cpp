#include "check/plan_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <vector>

#include "input/content.h"
#include "input/fnv64.h"
#include "input/utf8.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom {

namespace {

namespace fs = std::filesystem;

// Numbers are written with all their digits; sums of rounded ones differ in the last.
constexpr double kRounding = 1e-6;
constexpr double kNarrow = 0.9;  // of a limit: less than a tenth is left for what the model of time leaves out

Spot spot(const Value& value) { return {value.at, value.kind == Value::Kind::kScalar ? code_points(value.text) : 0}; }

std::optional<double> number(const Value* value) {
  if (value == nullptr || value->kind != Value::Kind::kScalar) return std::nullopt;
  const auto scanned = scan_number(value->text);
  return scanned && scanned->rest.empty() && scanned->in_range ? std::optional(scanned->value) : std::nullopt;
}

// "cost.total" of a plan, or of one of its parts.
const Value* at(const Value& root, std::string_view path) {
  const Value* value = &root;
  while (value != nullptr && !path.empty()) {
    const std::size_t end = std::min(path.find('.'), path.size());
    value = value->find(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return value;
}
std::optional<double> number(const Value& root, std::string_view path) { return number(at(root, path)); }

bool is_true(const Value* value) { return value != nullptr && value->text == "true"; }

bool same(double a, double b) { return std::abs(a - b) <= kRounding * std::max({std::abs(a), std::abs(b), 1.0}); }

std::string shown(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15 ? grouped(static_cast<long long>(value))
                                                              : fmt::format("{:.6g}", value);
}

class PlanCheck {
 public:
  PlanCheck(const Document& plan, Findings& out) : plan_(plan.root), file_(plan.file), out_(out) {}

  void run(const std::string& version) {
    format();
    verdict();
    limits();
    bands(plan_, "");
    if (const Value* memory = at(plan_, "memory")) check_memory(*memory);
    if (const Value* layout = at(plan_, "layout")) check_layout(*layout);
    if (const Value* pools = at(plan_, "pools")) {
      for (const Value& pool : pools->items) check_pool(pool);
    }
    cost();
    power();
    origin(version);
  }

 private:
  // A plan of another major format means other things by the same keys.
  void format() {
    const Value* version = plan_.find("format_version");
    if (version == nullptr || plan_.find("verdict") == nullptr)
      throw InputError(file_, plan_.at, "this is not a saved plan", "fathom plan CLUSTER.yaml -o PLAN.json writes one");
    if (!version->text.starts_with("1."))
      throw InputError(file_, version->at,
                       fmt::format("this program reads plans of format 1, found {}", in_quotes(version->text)),
                       "run fathom plan CLUSTER.yaml -o PLAN.json again");
  }

  void verdict() {
    const Value* fits = at(plan_, "verdict.fits");
    const Value* meets = at(plan_, "verdict.meets");
    std::vector<std::string> reasons;
    if (const Value* list = at(plan_, "verdict.reasons")) {
      for (const Value& reason : list->items) reasons.push_back(reason.text);
    }
    const Value* nearest = at(plan_, "verdict.nearest");
    const std::string help = nearest == nullptr ? std::string() : nearest->text;
    if (fits != nullptr && !is_true(fits)) {
      out_.add("plan.fits", spot(*fits),
               {.message = "the plan says that the model does not fit", .terms = reasons, .help = help});
    } else if (meets != nullptr && !is_true(meets)) {
      out_.add("plan.slo", spot(*meets),
               {.message = "the plan says that the service level is missed", .terms = reasons, .help = help});
    }
    const Value* saturated = at(plan_, "verdict.saturated");
    if (is_true(saturated))
      out_.add("plan.margin", spot(*saturated),
               {.message = "the load is more than the cluster answers: queues grow without end"});
    if (fits == nullptr || !is_true(fits)) return;
    if (const Value* list = at(plan_, "verdict.caveats")) {
      for (const Value& caveat : list->items)
        out_.add("plan.margin", Severity::kNote, spot(caveat), {.message = caveat.text});
    }
  }

  // What is likely against what was asked for.
  void limits() {
    for (const char* key : {"ttft_s", "tpot_s", "e2e_s"}) {
      const auto limit = number(plan_, fmt::format("workload.slo.{}", key));
      const Value* likely = at(plan_, fmt::format("predictions.{}.likely", key));
      const auto value = number(likely);
      if (!limit || !value || *limit <= 0) continue;
      const std::string text = fmt::format("{}: {} of {}, {}", key, to_string(Seconds(*value)),
                                           to_string(Seconds(*limit)), percent(*value / *limit));
      if (*value > *limit * (1 + kRounding)) {
        if (is_true(at(plan_, "verdict.meets")))
          out_.add("plan.slo", spot(*likely),
                   {.message = text + ": more than the service level, and the verdict says that it is met"});
      } else if (*value > kNarrow * *limit) {
        out_.add("plan.margin", spot(*likely), {.message = text + ": less than a tenth is left"});
      }
    }
  }

  // Every {min, likely, max}, wherever it stands.
  void bands(const Value& value, const std::string& path) {
    const auto low = number(value, "min"), likely = number(value, "likely"), high = number(value, "max");
    if (low && likely && high && !(*low <= *likely && *likely <= *high))
      out_.add("plan.bands", spot(*value.find("likely")),
               {.message =
                    fmt::format("{}: {} <= {} <= {} does not hold", path, shown(*low), shown(*likely), shown(*high))});
    for (const Entry& entry : value.entries) bands(entry.value, path.empty() ? entry.key : path + "." + entry.key);
    for (std::size_t i = 0; i < value.items.size(); ++i) bands(value.items[i], fmt::format("{}[{}]", path, i));
  }

  void wrong(const Value& value, const std::string& message) {
    out_.add("plan.arithmetic", spot(value), {.message = message});
  }

  void check_memory(const Value& memory) {
    const auto used = number(memory, "used_bytes"), capacity = number(memory, "capacity_bytes"),
               withheld = number(memory, "withheld_bytes"), room = number(memory, "kv_room_bytes");
    if (const Value* rows = memory.find("rows"); rows != nullptr && used) {
      double sum = 0;
      for (const Value& row : rows->items) sum += number(row, "bytes").value_or(0);
      // Rows are whole bytes, and so is their sum.
      if (std::abs(sum - *used) > 1.0 + static_cast<double>(rows->items.size()))
        wrong(*memory.find("used_bytes"), fmt::format("the rows add to {} bytes, not {}", shown(sum), shown(*used)));
    }
    if (used && capacity && withheld && room && std::abs(*capacity - *withheld - *used - *room) > 4)
      wrong(*memory.find("kv_room_bytes"),
            fmt::format("capacity {} - withheld {} - used {} = {}, not {}", shown(*capacity), shown(*withheld),
                        shown(*used), shown(*capacity - *withheld - *used), shown(*room)));
    if (used && capacity && *used > *capacity && is_true(at(plan_, "verdict.fits")))
      out_.add("plan.fits", spot(*memory.find("used_bytes")),
               {.message = fmt::format("{} of {} are used, and the verdict says that it fits",
                                       to_string_binary(Bytes(*used)), to_string_binary(Bytes(*capacity)))});
  }

  void check_layout(const Value& layout) {
    const auto tp = number(layout, "tp"), pp = number(layout, "pp"), dp = number(layout, "attention_dp"),
               each = number(layout, "devices_per_replica"), replicas = number(layout, "replicas"),
               all = number(layout, "devices"), idle = number(layout, "idle_devices");
    if (tp && pp && dp && each && *tp * *pp * *dp != *each)
      wrong(*layout.find("devices_per_replica"),
            fmt::format("tp {} x attention_dp {} x pp {} = {} devices, not {}", *tp, *dp, *pp, *tp * *dp * *pp, *each));
    if (!each || !replicas || !all) return;
    const double taken = *each * *replicas, there = *all;
    if (taken > there)
      out_.add(
          "plan.fits", spot(*layout.find("devices")),
          {.message = fmt::format("{} replicas x {} devices = {}, and there are {}", *replicas, *each, taken, there)});
    else if (idle && taken + *idle != there)
      wrong(*layout.find("devices"), fmt::format("{} replicas x {} devices + {} idle = {}, not {}", *replicas, *each,
                                                 *idle, taken + *idle, there));
  }

  void check_pool(const Value& pool) {
    if (const Value* layout = pool.find("layout")) check_layout(*layout);
    const Value* memory = pool.find("memory");
    if (memory == nullptr) return;
    check_memory(*memory);
    const auto sequences = number(pool, "decode_sequences"), most = number(*memory, "max_sequences"),
               replicas = number(pool, "layout.replicas");
    if (sequences && most && replicas && *sequences > 0 && *sequences <= *most && *sequences > kNarrow * *most)
      out_.add("plan.margin", spot(*memory->find("max_sequences")),
               {.message = fmt::format(
                    "{:.3g} sequences run at once on a replica, its cache holds {:.3g}: less than a tenth is left",
                    *sequences, *most)});
  }

  void cost() {
    const Value* cost = plan_.find("cost");
    if (cost == nullptr) return;
    const auto capex = number(*cost, "capex"), opex = number(*cost, "opex_per_year"), total = number(*cost, "total"),
               years = number(*cost, "horizon_years");
    if (const Value* lines = cost->find("lines"); lines != nullptr && capex) {
      double sum = 0;
      for (const Value& line : lines->items) sum += number(line, "amount").value_or(0);
      if (std::abs(sum - *capex) > 0.01 * static_cast<double>(1 + lines->items.size()))
        wrong(*cost->find("capex"), fmt::format("the lines add to {:.2f}, not {:.2f}", sum, *capex));
    }
    if (!capex || !opex || !total || !years) return;
    // What the hardware is worth at the end is taken off, and is no more than the hardware cost.
    const double most = *capex + *opex * *years, least = *opex * *years;
    const double slack = 0.01 * (2 + *years);
    if (*total > most + slack || *total < least - slack)
      wrong(*cost->find("total"),
            fmt::format("capex {:.2f} + {:g} years x {:.2f} = {:.2f}, less what is sold again; not {:.2f}", *capex,
                        *years, *opex, most, *total));
  }

  void power() {
    const auto it = number(plan_, "power.it_mean_w"), pue = number(plan_, "power.pue"),
               site = number(plan_, "power.site_mean_w");
    if (it && pue && site && !same(*it * *pue, *site))
      wrong(*at(plan_, "power.site_mean_w"), fmt::format("{} x PUE {:g} = {}, not {}", to_string(Watts(*it)), *pue,
                                                         to_string(Watts(*it * *pue)), to_string(Watts(*site))));
    const auto peak = number(plan_, "power.it_peak_w");
    if (it && peak && *it > *peak * (1 + kRounding))
      wrong(*at(plan_, "power.it_peak_w"),
            fmt::format("the mean {} is above the peak {}", to_string(Watts(*it)), to_string(Watts(*peak))));
  }

  // Who made it of what: another program, or a design that has changed since.
  void origin(const std::string& version) {
    const Value* by = at(plan_, "provenance.version");
    if (by != nullptr && !version.empty() && !by->text.empty() && by->text != version)
      out_.add("plan.version", spot(*by),
               {.message = fmt::format("made by fathom {}, this is {}: figures may have changed", by->text, version),
                .help = "run fathom plan again"});
    const Value* inputs = at(plan_, "provenance.inputs");
    if (inputs == nullptr) return;
    for (const Value& input : inputs->items) {
      const Value *path = input.find("path"), *hash = input.find("fnv64");
      if (path == nullptr || hash == nullptr || hash->text.empty()) continue;
      const auto now = hash_of(path->text);
      if (now && *now != hash->text)
        out_.add("plan.stale", spot(*path),
                 {.message = fmt::format("{} has changed since this plan was made", path->text),
                  .help = "run fathom plan again"});
    }
  }

  // The file that the plan names, from where the program runs, else beside the plan.
  std::optional<std::string> hash_of(const std::string& path) const {
    for (const fs::path& file : {fs::path(path), fs::path(file_).parent_path() / fs::path(path).filename()}) {
      std::error_code ignored;
      if (!fs::is_regular_file(file, ignored)) continue;
      try {
        Fnv64 hash;
        hash.add(text_of_file(file));
        return hash.hex();
      } catch (const InputError&) {
        return std::nullopt;  // not readable: nothing is known
      }
    }
    return std::nullopt;
  }

  const Value& plan_;
  const std::string& file_;
  Findings& out_;
};

}  // namespace

void check_saved_plan(const Document& plan, const std::string& version, Findings& findings) {
  PlanCheck(plan, findings).run(version);
}

}  // namespace fathom
