#include "score/engine_versions.h"

namespace fathom {

void date_versions(std::vector<Measurement>& rows, const std::vector<EngineSpan>& spans) {
  for (Measurement& row : rows) {
    if (!row.engine_version.empty() || row.date.empty()) continue;
    for (const EngineSpan& span : spans) {
      // ISO 8601: dates compare as text, and "2025-05" comes before every day of May.
      if (span.id == row.engine && !span.released.empty() && span.released <= row.date) row.engine_version = span.since;
    }
  }
}

std::vector<Measurement> read_measurements(const std::filesystem::path& file, const std::filesystem::path& data_dir) {
  std::vector<Measurement> rows = read_measurements(file);
  date_versions(rows, engine_spans(data_dir));
  return rows;
}

}  // namespace fathom
