// A score as a table, one line per row, for spreadsheets: those that were predicted, then those that were not, with the reason.
#pragma once

#include <string>

#include "score/score.h"

namespace fathom {

std::string score_csv(const Score& score);

}  // namespace fathom
