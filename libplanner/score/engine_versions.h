// Which version of an engine a measurement was made with, where its source does not say.
#pragma once

#include <filesystem>
#include <vector>

#include "score/measurement.h"
#include "timing/engine_profile.h"

namespace fathom {

// Rows without a version get that of the newest span which was released by their date; rows without a date stay as they are.
void date_versions(std::vector<Measurement>& rows, const std::vector<EngineSpan>& spans);

// The rows of a file, with the versions that engines.yaml in `data_dir` knows. Throws InputError.
std::vector<Measurement> read_measurements(const std::filesystem::path& file, const std::filesystem::path& data_dir);

}  // namespace fathom
