#include "weights/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "input/error.h"
#include "weights/checkpoint_finder.h"
#include "weights/slice_memory.h"
#include "weights/stored_floats.h"

namespace fathom {

namespace {

using Entry = CheckpointFolder::Entry;
using Part = SafetensorsFile::Part;

bool is_int4(Format format) { return format == Format::kInt4G128 || format == Format::kInt4G128Asym; }

Part part_of(const TensorSlice& s, const TensorPlace& place) {
  return {place.first_row + s.row, s.row_count, s.col, s.col_count};
}

template <class T>
std::vector<T> read_all(const Entry& entry, const Part& part) {
  std::vector<T> items(static_cast<std::size_t>(part.rows * part.cols));
  entry.file->read(*entry.tensor, part, items.data());
  return items;
}

TileScales read_tile_scales(const Entry& entry, const TensorSlice& s) {
  const Part part{.row = s.row / kBlock,
                  .rows = blocks(s.row + s.row_count) - s.row / kBlock,
                  .col = s.col / kBlock,
                  .cols = blocks(s.col + s.col_count) - s.col / kBlock};
  TileScales scales{.first_row = part.row, .first_col = part.col, .across = part.cols, .values = {}};
  scales.values.resize(static_cast<std::size_t>(part.rows * part.cols));
  read_floats(*entry.file, *entry.tensor, part, scales.values.data());
  return scales;
}

// With act-order a group's columns lie apart, and the kernels know neighbours only.
void check_order(const Int4Place& place, const TensorSlice& s) {
  if (!place.group_index) return;
  const auto groups = read_all<std::int32_t>(place.group_index, {.row = s.col, .rows = s.col_count, .cols = 1});
  for (std::int64_t c = 0; c < s.col_count; ++c) {
    if (groups[static_cast<std::size_t>(c)] != (s.col + c) / kBlock) {
      throw InputError(place.weights.file->name(), {},
                       fmt::format("{} was quantised with act-order: input {} belongs to group {}, not {}", s.name,
                                   s.col + c, groups[static_cast<std::size_t>(c)], (s.col + c) / kBlock),
                       "quantise the model with desc_act false");
    }
  }
}

void load_int4(const CheckpointFinder& finder, const TensorSlice& s, const LoadedMatrix& m) {
  const Int4Place place = finder.int4(s);
  check_order(place, s);
  PackedInt4 packed{.packing = place.packing, .rows = s.row_count, .cols = s.col_count, .skipped = s.row % 8};
  const std::int64_t first_word = s.row / 8, words = packed.words_across();
  packed.weights = read_all<std::uint32_t>(place.weights, place.packing == Int4Packing::kAwq
                                                              ? Part{s.col, s.col_count, first_word, words}
                                                              : Part{s.col / 8, s.col_count / 8, s.row, s.row_count});
  packed.zeros = read_all<std::uint32_t>(place.zeros, {s.col / kBlock, s.col_count / kBlock, first_word, words});
  packed.scales = read_all<std::uint16_t>(place.scales, {s.col / kBlock, s.col_count / kBlock, s.row, s.row_count});
  const bool symmetric = s.format == Format::kInt4G128;
  for (std::int64_t r = 0; symmetric && r < s.row_count; ++r) {
    for (std::int64_t g = 0; g < s.col_count / kBlock; ++g) {
      if (packed.zero(r, g) == 8) continue;
      throw InputError(place.weights.file->name(), {},
                       fmt::format("{}: a group has zero {}, the plan wants {} with zero 8 throughout", s.name,
                                   packed.zero(r, g), to_string(s.format)),
                       "plan with int4 weights, whose groups have zeros of their own");
    }
  }
  repack(packed, m.codes.as<std::uint8_t>(), m.scales.as<std::uint16_t>(),
         symmetric ? nullptr : m.zeros.as<std::uint8_t>());
}

void load_fp8(const CheckpointFinder& finder, const TensorSlice& s, const LoadedMatrix& m) {
  const TensorPlace place = finder.fp8(s);
  place.entry.file->read(*place.entry.tensor, part_of(s, place), m.codes.data());
  const TileScales scales = read_tile_scales(finder.tile_scales(s, place), s);
  std::copy(scales.values.begin(), scales.values.end(), m.scales.as<float>());
}

template <class Out>
void load_floats(const CheckpointFinder& finder, const TensorSlice& s, Out* out) {
  const TensorPlace place = finder.floats(s);
  const SafetensorsFile& file = *place.entry.file;
  if (place.dtype() == "F8_E4M3") {
    const TileScales scales = read_tile_scales(finder.tile_scales(s, place), s);
    read_dequantized(file, *place.entry.tensor, part_of(s, place), scales, out);
  } else if constexpr (std::is_same_v<Out, float>) {
    read_floats(file, *place.entry.tensor, part_of(s, place), out);
  } else {
    read_bf16(file, *place.entry.tensor, part_of(s, place), out);
  }
}

}  // namespace

LoadedMatrix CheckpointWeights::matrix(const TensorSlice& s, Account& account) const {
  const CheckpointFinder finder(folder_);
  LoadedMatrix m = matrix_memory(s, account);
  switch (m.view.storage) {
    case host::Storage::kFp32:
      load_floats(finder, s, m.codes.as<float>());
      break;
    case host::Storage::kBf16:
      load_floats(finder, s, m.codes.as<std::uint16_t>());
      break;
    case host::Storage::kFp8Block128:
      load_fp8(finder, s, m);
      break;
    case host::Storage::kInt4G128:
    case host::Storage::kInt4G128Asym:
      load_int4(finder, s, m);
      break;
  }
  return m;
}

LoadedVector CheckpointWeights::vector(const TensorSlice& s, Account& account) const {
  const TensorPlace place = CheckpointFinder(folder_).vector(s);
  LoadedVector v = vector_memory(s, account);
  read_floats(*place.entry.file, *place.entry.tensor, {s.row, s.row_count, 0, 1}, v.values.as<float>());
  return v;
}

void CheckpointWeights::check(const std::vector<TensorSlice>& slices) const {
  check_storable(slices, folder_.name());
  const CheckpointFinder finder(folder_);
  for (const TensorSlice& s : slices) {
    if (s.vector) {
      finder.vector(s);
    } else if (is_int4(s.format)) {
      finder.int4(s);
    } else if (s.format == Format::kFp8Block128) {
      finder.fp8(s);
    } else {
      finder.floats(s);
    }
  }
}

std::string CheckpointWeights::describe() const { return "checkpoint " + folder_.name(); }

}  // namespace fathom
