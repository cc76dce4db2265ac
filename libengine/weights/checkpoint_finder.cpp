#include "weights/checkpoint_finder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "input/error.h"
#include "weights/slice_memory.h"
#include "weights/stored_floats.h"

namespace fathom {

namespace {

using Shape = std::vector<std::int64_t>;

const std::string kOtherModel = "the checkpoint must be of the planned model";

[[noreturn]] void fail(const std::string& file, const std::string& message, const std::string& hint = {}) {
  throw InputError(file, {}, message, hint);
}

std::string module_of(const std::string& weight) {  // "X" of "X.weight"
  constexpr std::string_view kEnd = ".weight";
  return weight.ends_with(kEnd) ? weight.substr(0, weight.size() - kEnd.size()) : weight;
}

// What to write under `weights:` for a checkpoint that holds this type.
std::string scheme_for(const std::string& dtype) {
  return dtype == "F8_E4M3" ? "fp8" : dtype == "I32" ? "int4" : "bf16";
}

}  // namespace

TensorPlace CheckpointFinder::vector(const TensorSlice& s) const {
  const TensorPlace place = locate(s);
  if (!is_float(place.dtype())) fail_type(place.entry, "BF16, F16 or F32");
  return place;
}

TensorPlace CheckpointFinder::floats(const TensorSlice& s) const {
  const TensorPlace place = locate(s);
  if (is_float(place.dtype())) return place;
  if (place.dtype() != "F8_E4M3" || place.fused) fail_type(place.entry, "BF16, F16, F32 or F8_E4M3 with scales");
  tile_scales(s, place);
  return place;
}

TensorPlace CheckpointFinder::fp8(const TensorSlice& s) const {
  const TensorPlace place = locate(s);
  if (place.dtype() != "F8_E4M3" || place.fused) fail_format(s, place.entry);
  tile_scales(s, place);
  return place;
}

CheckpointFinder::Entry CheckpointFinder::tile_scales(const TensorSlice& s, const TensorPlace& codes) const {
  const std::string name = s.name + "_scale_inv";
  const Entry scales = folder_.find(name);
  if (!scales) {
    fail(codes.entry.file->name(), fmt::format("{} is F8_E4M3, but there is no {}", s.name, name),
         "the engine reads fp8 weights with one scale per 128 x 128 tile, as DeepSeek and Qwen publish them");
  }
  check_shape(scales, {blocks(s.rows), blocks(s.cols)});
  if (!is_float(scales.tensor->dtype)) fail_type(scales, "F32");
  return scales;
}

// It may be another model: says what config.json there tells of it.
void CheckpointFinder::fail_model(const std::string& file, const std::string& message, const std::string& hint) const {
  const std::string& model = folder_.model();
  fail(file, message, hint + (model.empty() ? "" : fmt::format("; the checkpoint's config.json says {}", model)));
}

void CheckpointFinder::fail_missing(const std::string& name) const {
  const std::string similar = folder_.similar(name);
  fail_model(folder_.name(), fmt::format("there is no tensor {}", name),
             similar.empty() ? kOtherModel : fmt::format("did you mean {}?", similar));
}

void CheckpointFinder::fail_type(const Entry& entry, const std::string& expected) const {
  fail(entry.file->name(), fmt::format("{} is {}; expected {}", entry.tensor->name, entry.tensor->dtype, expected));
}

void CheckpointFinder::fail_format(const TensorSlice& s, const Entry& held) const {
  fail(held.file->name(),
       fmt::format("{}: the checkpoint holds {}, the plan wants {}", s.name,
                   held.tensor->dtype == "I32" ? "4-bit weights" : held.tensor->dtype, to_string(s.format)),
       fmt::format("plan with {} weights, or quantise the checkpoint first", scheme_for(held.tensor->dtype)));
}

CheckpointFinder::Entry CheckpointFinder::need(const std::string& name) const {
  const Entry entry = folder_.find(name);
  if (!entry) fail_missing(name);
  return entry;
}

void CheckpointFinder::check_shape(const Entry& entry, const Shape& expected) const {
  if (entry.tensor->shape == expected) return;
  fail_model(entry.file->name(),
             fmt::format("{} is {} {}; the planned model needs {}", entry.tensor->name, entry.tensor->dtype,
                         shape_text(entry.tensor->shape), shape_text(expected)),
             kOtherModel);
}

TensorPlace CheckpointFinder::locate(const TensorSlice& s) const {
  if (const Entry entry = folder_.find(s.name)) {
    check_shape(entry, s.vector ? Shape{s.rows} : Shape{s.rows, s.cols});
    return {entry};
  }
  if (s.expert >= 0) {
    if (const TensorPlace place = fused(s); place.entry) return place;
  }
  if (const Entry packed = folder_.find(module_of(s.name) + ".qweight"); packed && !s.vector) fail_format(s, packed);
  fail_missing(s.name);
}

// "P.experts.7.up_proj.weight" in "P.experts.gate_up_proj"; Mixtral's P too is "….mlp" there.
TensorPlace CheckpointFinder::fused(const TensorSlice& s) const {
  const std::string mark = fmt::format(".experts.{}.", s.expert);
  const std::size_t at = s.name.find(mark);
  if (at == std::string::npos) return {};
  std::string block = s.name.substr(0, at);
  constexpr std::string_view kMixtral = "block_sparse_moe";
  if (block.ends_with(kMixtral)) block.replace(block.size() - kMixtral.size(), kMixtral.size(), "mlp");
  const std::string matrix = module_of(s.name.substr(at + mark.size()));
  const bool down = matrix == "down_proj" || matrix == "w2", up = matrix == "up_proj" || matrix == "w3";
  const Entry entry = folder_.find(block + (down ? ".experts.down_proj" : ".experts.gate_up_proj"));
  if (!entry) return {};
  const std::int64_t rows = down ? s.rows : 2 * s.rows;  // of one expert
  const Shape& shape = entry.tensor->shape;
  if (shape.size() != 3 || shape[0] <= s.expert || shape[1] != rows || shape[2] != s.cols) {
    fail_model(entry.file->name(),
               fmt::format("{} is {} {}; the planned model needs [more than {}, {}, {}]", entry.tensor->name,
                           entry.tensor->dtype, shape_text(shape), s.expert, rows, s.cols),
               kOtherModel);
  }
  return {entry, s.expert * rows + (up ? s.rows : 0), true};
}

Int4Place CheckpointFinder::int4(const TensorSlice& s) const {
  const std::string module = module_of(s.name);
  const Entry weights = folder_.find(module + ".qweight");
  if (!weights) {
    const TensorPlace held = locate(s);  // says so when there is nothing at all
    fail_format(s, held.entry);
  }
  const std::string& file = weights.file->name();
  const Quantization& q = folder_.quantization();
  if (q.bits != 0 && q.bits != 4) {
    fail(file, fmt::format("{} holds {}-bit weights; the engine has kernels for 4 bits", s.name, q.bits));
  }
  const Shape gptq{s.cols / 8, s.rows}, awq{s.cols, s.rows / 8};
  const bool is_awq = q.method == "awq" || (q.method != "gptq" && weights.tensor->shape == awq);
  if (s.rows % 8 != 0) fail(file, fmt::format("{} has {} outputs, no multiple of 8", s.name, s.rows));
  check_shape(weights, is_awq ? awq : gptq);
  if (weights.tensor->dtype != "I32") fail_type(weights, "I32");
  std::string version = q.version;
  std::transform(version.begin(), version.end(), version.begin(), [](unsigned char c) { return std::tolower(c); });
  if (is_awq && !version.empty() && version != "gemm") {
    fail(file, fmt::format("AWQ packing \"{}\" is not known; expected gemm", q.version));
  }

  Int4Place place{.packing = is_awq                             ? Int4Packing::kAwq
                             : q.checkpoint_format == "gptq_v2" ? Int4Packing::kGptqV2
                                                                : Int4Packing::kGptq,
                  .weights = weights,
                  .zeros = need(module + ".qzeros"),
                  .scales = need(module + ".scales"),
                  .group_index = is_awq ? Entry{} : folder_.find(module + ".g_idx")};
  const Shape& scales = place.scales.tensor->shape;
  if (scales.size() == 2 && scales[0] > 0 && scales[0] != s.cols / kBlock && s.cols % scales[0] == 0) {
    fail(file, fmt::format("{} has groups of {}; the engine has kernels for groups of 128", s.name, s.cols / scales[0]),
         "quantise the model with group size 128");
  }
  check_shape(place.scales, {s.cols / kBlock, s.rows});
  if (place.scales.tensor->dtype != "F16") fail_type(place.scales, "F16");
  check_shape(place.zeros, {s.cols / kBlock, s.rows / 8});
  if (place.zeros.tensor->dtype != "I32") fail_type(place.zeros, "I32");
  if (place.group_index) {
    check_shape(place.group_index, {s.cols});
    if (place.group_index.tensor->dtype != "I32") fail_type(place.group_index, "I32");
  }
  return place;
}

}  // namespace fathom
