// A score for people.
#pragma once

#include <string>

#include "report/text_table.h"
#include "score/calibrate.h"
#include "score/score.h"

namespace fathom {

struct ScoreTextOptions {
  TextStyle style = TextStyle::kTerminal;
  bool colour = false;
  bool every_row = false;  // otherwise the ten with the largest errors
};

std::string score_text(const Score& score, const ScoreTextOptions& options);

// What a fit moved.
std::string calibration_text(const EnginesCalibration& calibration);
std::string calibration_text(const Calibration& calibration);

}  // namespace fathom
