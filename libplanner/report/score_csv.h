// A score as a table, one line per predicted row, for spreadsheets.
#pragma once

#include <string>

#include "score/score.h"

namespace fathom {

std::string score_csv(const Score& score);

}  // namespace fathom
