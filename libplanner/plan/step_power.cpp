#include "plan/step_power.h"

#include <algorithm>

#include "plan/measured_node.h"
#include "plan/step_times.h"

namespace fathom {

namespace {

// 0, 1, 2, 4 and on to `high`.
std::vector<double> doubling_axis(double high) {
  std::vector<double> axis = {0};
  for (double x = 1; x < high; x *= 2) axis.push_back(x);
  axis.push_back(high);
  return axis;
}

// How busy memory and arithmetic are while a step runs: means over the devices of a replica, shares of the data sheet's
// peaks.
class StepActivity {
 public:
  StepActivity(const Problem& p, const Candidate& c)
      : layout_(c.layout),
        engine_(on_device(p.engine, *c.pool->accelerator)),
        cut_(stages(p.architecture, p.tensors, c.layout)),
        timer_(p.architecture, p.tensors, c.layout, cut_, device_rates(*c.pool, engine_), host_work(engine_)),
        bandwidth_(c.pool->accelerator->memory_bandwidth->value),
        peak_(timer_.rates().peak(timer_.rates().math[static_cast<std::size_t>(Format::kBf16)])) {
    for (const Stage& stage : cut_) {
      const auto like = std::find_if(programs_.begin(), programs_.end(),
                                     [&](const Program& known) { return same_shape(known.of.stage(), stage); });
      if (like != programs_.end()) {
        ++like->stages;
      } else {
        programs_.push_back({.of = StageProgram(p.architecture, p.tensors, c.layout, stage), .stages = 1});
      }
    }
  }

  // A step is a round of m micro-batches, k of them with prompts, each once through every stage.
  Activity at(const StepWork& work) const {
    const double groups = layout_.attention_dp, chunk = engine_.chunk_tokens;
    const MicroBatches count = micro_batches(layout_, chunk, work);
    Batch batch{.sequences = work.sequences / count.all, .context = work.context};
    const Seconds time = round_time(timer_, layout_, chunk, work) * layout_.pp;  // of all stages
    Activity activity{.busy = 1};
    if (count.all > count.with_prompts) add(activity, batch, (count.all - count.with_prompts) / time.value);
    if (count.with_prompts > 0) {
      batch.prefill_tokens = work.prompt_tokens / count.with_prompts;
      batch.prefill_prompts = groups;
      add(activity, batch, count.with_prompts / time.value);
    }
    activity.memory = std::min(1.0, activity.memory);
    activity.compute = std::min(1.0, activity.compute);
    return activity;
  }

 private:
  struct Program {
    StageProgram of;
    int stages;
  };

  void add(Activity& activity, const Batch& batch, double per_second) const {
    for (const Program& program : programs_) {
      for (const Operator& op : program.of.operators(batch)) {
        if (op.on_host) continue;
        const double rate = op.count * program.stages * per_second;
        activity.memory += bytes_moved(op).value * rate / bandwidth_.value;
        if (peak_.value > 0) activity.compute += flops(op).value * rate / peak_.value;
      }
    }
  }

  const Layout& layout_;
  EngineProfile engine_;
  std::vector<Stage> cut_;
  ReplicaTimer timer_;
  BytesPerSecond bandwidth_;
  FlopsPerSecond peak_;
  std::vector<Program> programs_;
};

double nodes_of_replica(const Candidate& c) {
  return static_cast<double>(c.layout.devices_per_replica()) / c.pool->per_node;
}

}  // namespace

StepGrid step_watts(const Problem& p, const Candidate& c, const ServingPool& pool, const NodeParts& node) {
  const StepActivity activity(p, c);
  const std::vector<double> none = {0};
  const double most_tokens = pool.chunk_tokens * pool.attention_groups * pool.micro_batches;
  StepGrid grid{.x = pool.part == PoolPart::kPrefill ? none : doubling_axis(pool.most_sequences),
                .y = pool.part == PoolPart::kDecode ? none : doubling_axis(most_tokens),
                .values = {}};
  const double context = p.workload.input_tokens.mean + p.workload.output_tokens.mean / 2;
  for (const double n : grid.x) {
    for (const double tokens : grid.y) {
      const bool works = n + tokens > 0;
      const StepWork work{.sequences = n, .context = context, .prompt_tokens = tokens};
      const NodeWatts watts = node_power(node, works ? activity.at(work) : Activity{});
      grid.values.push_back((works ? watts.busy : watts.idle).likely.value * nodes_of_replica(c));
    }
  }
  return grid;
}

void add_watts(Plan& plan, const Problem& problem, const Solution& solution, const Cluster& cluster,
               const Catalog& catalog) {
  if (!plan.power) return;
  for (std::size_t i = 0; i < solution.pools.size(); ++i) {
    const Candidate& c = solution.pools[i];
    const Group& group = *c.pool->group;
    for (const GroupPower& power : plan.power->groups) {
      if (power.id != group.id || !power.node.unknown.empty()) continue;
      ServingPool& serving = *plan.pools[i].serving;
      serving.idle = power.node.idle.likely * nodes_of_replica(c);
      serving.busy = power.node.busy.likely * nodes_of_replica(c);
      serving.watts = step_watts(problem, c, serving, parts_of(group, cluster, catalog, problem.engine.measured.get()));
    }
  }
}

}  // namespace fathom
