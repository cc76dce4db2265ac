// A score as a drawing: predicted over measured, one panel per kind of figure, both axes logarithmic.
#pragma once

#include <string>

#include "score/score.h"

namespace fathom {

std::string score_svg(const Score& score);

}  // namespace fathom
