// Reads part of a stored tensor of any float type as fp32 or bf16.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weights/safetensors.h"

namespace fathom {

bool is_float(const std::string& dtype);  // F32, F16 or BF16

void read_floats(const SafetensorsFile& file, const StoredTensor& tensor, const SafetensorsFile::Part& part,
                 float* out);
void read_bf16(const SafetensorsFile& file, const StoredTensor& tensor, const SafetensorsFile::Part& part,
               std::uint16_t* out);

// F8_E4M3 codes times the fp32 scale of their 128x128 tile. `part.row` and `.col` count from the tensor's first tile.
struct TileScales {
  std::int64_t first_row = 0, first_col = 0;  // of the tiles kept
  std::int64_t across = 0;                    // tiles kept per row of tiles
  std::vector<float> values;
};
void read_dequantized(const SafetensorsFile& file, const StoredTensor& tensor, const SafetensorsFile::Part& part,
                      const TileScales& scales, float* out);
void read_dequantized(const SafetensorsFile& file, const StoredTensor& tensor, const SafetensorsFile::Part& part,
                      const TileScales& scales, std::uint16_t* out);

}  // namespace fathom
