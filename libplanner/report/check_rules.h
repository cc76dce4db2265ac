// The rule book for people and programs: `fathom explain`.
#pragma once

#include <string>
#include <vector>

#include "check/rule_book.h"

namespace fathom {

std::string rule_list(const std::vector<Rule>& rules);  // by family, one line each
std::string rule_text(const Rule& rule, bool colour);
std::string rules_json(const std::vector<Rule>& rules);

}  // namespace fathom
