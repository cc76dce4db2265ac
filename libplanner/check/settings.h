// What a team has agreed on: `.fathom.yaml`, in the folder of the checked file or one above it. docs/check.md#settings
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bill/bill.h"
#include "check/expression.h"
#include "check/findings.h"
#include "input/value.h"

namespace fathom {

struct CheckSettings {
  RuleLevels levels;
  std::vector<Expression> fail_if;
  bill::ReadOptions bill;  // columns and exchange rates
};

// Throws InputError: an unknown rule or level, a condition that cannot be read.
CheckSettings parse_settings(const Document& document, const RuleBook& book);
CheckSettings read_settings(const std::filesystem::path& path, const RuleBook& book);

// The nearest `.fathom.yaml` upwards from the folder, no higher than the root of its repository.
std::optional<std::filesystem::path> find_settings(const std::filesystem::path& folder);

// "power.supply=off", "cost=warning". Throws InputError in the name of the option.
std::pair<std::string, Severity> parse_rule_level(const std::string& text, const RuleBook& book,
                                                  const std::string& option);

// `stronger` decides where both speak of a rule, its family included.
RuleLevels joined(RuleLevels levels, const RuleLevels& stronger);

}  // namespace fathom
