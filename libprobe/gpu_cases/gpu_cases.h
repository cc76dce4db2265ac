// The cases of GPUs, by name as docs/probe.md has them. Each runs on the cards given; all of them are of one machine.
#pragma once

#include "gpu_cases/gpu_case.h"
#include "shapes/model_shapes.h"

namespace fathom::probe {

std::vector<Result> measure_gpu_memory(const Cards& cards, const GpuRules& rules);
std::vector<Result> measure_gpu_gemm(const Cards& cards, const GpuRules& rules, const ModelShapes& shapes);
std::vector<Result> measure_gpu_linear(const Cards& cards, const GpuRules& rules, const ModelShapes& shapes);
std::vector<Result> measure_gpu_experts(const Cards& cards, const GpuRules& rules, const ModelShapes& shapes);
std::vector<Result> measure_gpu_attention(const Cards& cards, const GpuRules& rules, const ModelShapes& shapes);
std::vector<Result> measure_gpu_launch(const Cards& cards, const GpuRules& rules);
std::vector<Result> measure_gpu_copies(const Cards& cards, const GpuRules& rules);
std::vector<Result> measure_gpu_peers(const Cards& cards, const GpuRules& rules);
std::vector<Result> measure_gpu_power(const Cards& cards, const GpuRules& rules);
std::vector<Result> measure_nccl(const Cards& cards, const GpuRules& rules);  // of two cards and more
std::vector<Result> measure_small_sums(const Cards& cards, const GpuRules& rules);

}  // namespace fathom::probe
