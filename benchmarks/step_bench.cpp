// The inner loop of the search: one step as operators, their times, the imbalance of experts.
#include <benchmark/benchmark.h>

#include "catalog/catalog.h"
#include "operators/operator.h"

namespace fathom {
namespace {

const Architecture& r1() {
  static const Catalog shipped("catalogs");
  return shipped.model("deepseek-r1");
}

void list_tensors(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(tensors(r1()));
}
BENCHMARK(list_tensors);

void cut_stages(benchmark::State& state) {
  const std::vector<Tensor> list = tensors(r1());
  const Layout layout{.tp = 8, .pp = static_cast<int>(state.range(0)), .ep = 8};
  for (auto _ : state) benchmark::DoNotOptimize(stages(r1(), list, layout));
}
BENCHMARK(cut_stages)->Arg(1)->Arg(10)->Arg(61);

void list_operators(benchmark::State& state) {
  const std::vector<Tensor> list = tensors(r1());
  const Layout layout{.tp = 8, .ep = 8};
  const StageProgram program(r1(), list, layout, stages(r1(), list, layout).front());
  for (auto _ : state) benchmark::DoNotOptimize(program.operators({.sequences = 32, .context = 2000}));
}
BENCHMARK(list_operators);

void imbalance(benchmark::State& state) {
  const Moe& moe = *r1().moe;
  for (auto _ : state) benchmark::DoNotOptimize(expert_imbalance(moe, static_cast<int>(state.range(0)), 32));
}
BENCHMARK(imbalance)->Arg(4)->Arg(64);

}  // namespace
}  // namespace fathom
