#include "check/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "input/reader.h"
#include "input/utf8.h"
#include "units/number.h"

namespace fathom {

namespace {

namespace fs = std::filesystem;

constexpr const char* kName = ".fathom.yaml";
const std::vector<std::string> kLevels = {"off", "note", "warning", "error"};  // as Severity has them

// What is wrong with the name of a rule or family, and a hint; nullopt when nothing is.
std::optional<std::pair<std::string, std::string>> wrong_rule(const std::string& name, const RuleBook& book) {
  if (name == "schema.input")
    return {{"schema.input is always an error", "a file that cannot be read cannot be checked"}};
  std::vector<std::string> known = book.ids();
  for (const Rule& rule : book.rules()) known.push_back(rule.family());
  if (std::find(known.begin(), known.end(), name) != known.end()) return std::nullopt;
  const std::string close = did_you_mean(name, known);
  return {{"unknown rule " + in_quotes(name),
           close.empty() ? "fathom explain lists the rules" : fmt::format("did you mean \"{}\"?", close)}};
}

void read_levels(const Context& at, const RuleBook& book, RuleLevels& levels) {
  if (at.value.kind != Value::Kind::kMapping) fail_kind(at, "a mapping of rules to levels");
  MapReader rules(at.file, at.value, "the levels of rules");
  for (const Entry& entry : at.value.entries) {
    if (const auto wrong = wrong_rule(entry.key, book)) {
      throw InputError(at.file, entry.at, wrong->first, wrong->second);
    }
    levels[entry.key] = static_cast<Severity>(rules.choice(entry.key, kLevels));
  }
}

void read_condition(const Context& at, std::vector<Expression>& out) {
  std::string text;
  read(at, text);
  try {
    out.emplace_back(text, at.file);
  } catch (const InputError& error) {
    // On one line and without quotes, the place in the text is a place in the file.
    const int column = at.value.quoted ? at.value.at.column : at.value.at.column + error.at().column - 1;
    throw InputError(at.file, {at.value.at.line, column}, error.message(), error.hint());
  }
}

// columns: {qty: 数量}; rates: [{from: USD, to: CNY, rate: 7.2, date: 2025-03}]
void read_bill_settings(const Context& at, bill::ReadOptions& out) {
  MapReader reader(at.file, at.value, "the settings of bills");
  if (const Value* columns = reader.take("columns")) {
    MapReader fields(at.file, *columns, "the columns of a bill");
    constexpr auto kFields = words(bill::Field{});
    for (std::size_t i = 0; i < kFields.size(); ++i) {
      if (const auto header = fields.optional<std::string>(std::string(kFields[i])))
        out.columns.emplace_back(static_cast<bill::Field>(i), *header);
    }
    fields.finish();
  }
  if (const Value* rates = reader.take("rates")) {
    if (rates->kind != Value::Kind::kSequence) fail_kind(reader.context(*rates), "a list of exchange rates");
    for (const Value& item : rates->items) {
      MapReader rate(at.file, item, "an exchange rate");
      ExchangeRate one{.from = rate.required<std::string>("from"),
                       .to = rate.required<std::string>("to"),
                       .rate = rate.required<double>("rate"),
                       .date = rate.required<std::string>("date")};
      check_range(rate.context(rate.need("rate")), one.rate, 1e-9, 1e9, "an exchange rate");
      for (const char* key : {"from", "to"}) {
        const std::string& currency = key[0] == 'f' ? one.from : one.to;
        const auto& known = known_currencies();
        if (std::find(known.begin(), known.end(), currency) == known.end())
          rate.context(rate.need(key))
              .fail("unknown currency " + in_quotes(currency), "one of " + listed(known, " or "));
      }
      rate.finish();
      out.rates.push_back(std::move(one));
    }
  }
  reader.finish();
}

}  // namespace

CheckSettings parse_settings(const Document& document, const RuleBook& book) {
  MapReader file(document.file, document.root, "the settings");
  file.choice("format", {"fathom-settings/1"});
  CheckSettings settings;
  if (const Value* rules = file.take("rules")) read_levels(file.context(*rules), book, settings.levels);
  if (const Value* conditions = file.take("fail_if")) {
    if (conditions->kind != Value::Kind::kSequence) fail_kind(file.context(*conditions), "a list of conditions");
    for (const Value& item : conditions->items) read_condition(file.context(item), settings.fail_if);
  }
  if (const Value* value = file.take("bill")) read_bill_settings(file.context(*value), settings.bill);
  file.finish();
  return settings;
}

CheckSettings read_settings(const fs::path& path, const RuleBook& book) {
  return parse_settings(read_yaml(path), book);
}

std::optional<fs::path> find_settings(const fs::path& folder) {
  std::error_code ignored;
  fs::path at = fs::absolute(folder, ignored).lexically_normal();
  while (true) {
    if (fs::is_regular_file(at / kName, ignored)) return at / kName;
    const fs::path above = at.parent_path();
    if (fs::exists(at / ".git", ignored) || above == at || above.empty()) return std::nullopt;
    at = above;
  }
}

std::pair<std::string, Severity> parse_rule_level(const std::string& text, const RuleBook& book,
                                                  const std::string& option) {
  const auto fail = [&](std::size_t at, const std::string& message, const std::string& hint) {
    InputError error(option, {1, code_points(text.substr(0, at)) + 1}, message, hint);
    error.quoting(text);
    throw error;
  };
  const std::size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  if (equals == std::string::npos) fail(text.size(), "expected RULE=LEVEL", "power.supply=off");
  if (const auto wrong = wrong_rule(name, book)) fail(0, wrong->first, wrong->second);
  const std::string level = text.substr(equals + 1);
  const auto found = std::find(kLevels.begin(), kLevels.end(), level);
  if (found == kLevels.end()) {
    fail(equals + 1, "unknown level " + in_quotes(level), fmt::format("one of {}", listed(kLevels, " or ")));
  }
  return {name, static_cast<Severity>(found - kLevels.begin())};
}

RuleLevels joined(RuleLevels levels, const RuleLevels& stronger) {
  for (const auto& [name, level] : stronger) {
    if (name.find('.') == std::string::npos) {
      const std::string family = name + ".";
      std::erase_if(levels, [&](const auto& entry) { return entry.first.starts_with(family); });
    }
  }
  for (const auto& [name, level] : stronger) levels[name] = level;
  return levels;
}

}  // namespace fathom
