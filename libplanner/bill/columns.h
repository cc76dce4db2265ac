// Which header names which field.
#pragma once

#include <optional>
#include <string_view>

#include "bill/bill.h"

namespace fathom::bill {

// 单价（万元） is kPrice. Absent when nobody would know.
std::optional<Field> field_of(std::string_view header);

// Numbers of rows, lead times, warranties: columns that no rule asks for.
bool is_known_to_be_unused(std::string_view header);

// The columns that a row names, in its order; of two headers for one field the plainer, else the first.
std::vector<std::optional<Field>> fields_of(const CsvRow& row, const ReadOptions& options);

// Whether these are the columns of a bill: something named and something counted.
bool is_header(const std::vector<std::optional<Field>>& fields);

}  // namespace fathom::bill
