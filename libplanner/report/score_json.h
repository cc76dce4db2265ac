// A score as the JSON that scripts read.
#pragma once

#include <string>

#include "score/score.h"

namespace fathom {

// `details`: one entry per row under rows_detail.
std::string score_json(const Score& score, bool details);

}  // namespace fathom
