#include "timing/step_time.h"

#include <algorithm>

namespace fathom {

std::string to_string(Bound bound) {
  switch (bound) {
    case Bound::kMemory:
      return "memory";
    case Bound::kCompute:
      return "compute";
    case Bound::kFloor:
      return "latency";
    case Bound::kNetwork:
      return "network";
    case Bound::kHost:
      return "host memory";
  }
  return "?";
}

namespace {

bool is_fp8(Format f) { return f == Format::kFp8 || f == Format::kFp8Block128; }
bool is_fp4(Format f) { return f == Format::kNvfp4 || f == Format::kMxfp4; }
bool is_four_bit(Format f) { return bits_per_weight(f) < 6; }

Dtype dtype_of(Format math) {
  if (is_fp8(math)) return Dtype::kFp8;
  if (is_fp4(math)) return Dtype::kFp4;
  if (math == Format::kInt8) return Dtype::kInt8;
  if (math == Format::kFp32) return Dtype::kFp32;
  return math == Format::kFp16 ? Dtype::kFp16 : Dtype::kBf16;
}

}  // namespace

Format math_format(const Accelerator& accelerator, Format format, bool& weight_only) {
  const Format sixteen = accelerator.native.bf16 ? Format::kBf16 : Format::kFp16;
  weight_only = false;
  if (is_fp8(format)) {
    if (accelerator.native.fp8 && peak(accelerator, Dtype::kFp8)) return Format::kFp8;
    weight_only = true;
    return sixteen;
  }
  if (is_fp4(format) && accelerator.native.fp4 && peak(accelerator, Dtype::kFp4)) return format;
  if (format == Format::kInt8 && peak(accelerator, Dtype::kInt8)) return Format::kInt8;
  if (format == Format::kFp32) return Format::kFp32;
  weight_only = bits_per_weight(format) < 16;
  return sixteen;
}

FlopsPerSecond DeviceRates::peak(Format math_type) const {
  return peaks[static_cast<std::size_t>(dtype_of(math_type))];
}

namespace {

// What keeps products from the peak is mostly that operands arrive too late, so the loss grows with the arithmetic that a
// device has for each byte it can read. 1 / share - 1 is 0.0008 to 0.001 of the FLOP/B on A100, H100, B200 and Gaudi 3
// (0.87, 0.80, 0.78, 0.74 of the peak at 153, 295, 281 and 453 FLOP/B; mamf_bf16 in catalogs/accelerators.yaml). Gaudi 2 loses less, AMD's
// MI300X to MI355X two to five times as much, for other reasons.
constexpr double kUsualBalance = 295;  // H100 SXM, whose kind the engines' shares were measured on

double fed(double share, double hunger) { return share < 1 ? share / (share + (1 - share) * hunger) : share; }

}  // namespace

DeviceRates device_rates(const Pool& pool, const EngineProfile& engine) {
  DeviceRates r;
  const Accelerator& a = *pool.accelerator;
  r.pool = &pool;
  const double other = a.stack.rfind("CUDA", 0) == 0 ? 1 : engine.other_stack_factor.value;
  r.memory = a.memory_bandwidth->value * engine.memory_share.value * other;
  r.cache = a.memory_bandwidth->value * engine.cache_share.value * other;
  r.int4_memory_factor = engine.int4_memory_factor.value;
  r.grouped_memory = engine.grouped_memory.value;
  r.gemm_share = engine.gemm_share.value * other;
  r.fp8_gemm_share = engine.fp8_gemm_share.value * other;
  r.fp8_tensor_factor = engine.fp8_tensor_factor.value;
  r.fp4_gemm_share = engine.fp4_gemm_share.value * other;
  r.expanded_factor = engine.expanded_factor.value;
  r.grouped_factor = engine.grouped_factor.value;
  r.short_sum = engine.short_sum.value;
  r.narrow_output = engine.narrow_output.value;
  r.eager_launch = engine.eager_launch.value;
  r.attention_share = engine.attention_share.value * other;
  r.wire_share = engine.wire_share.value;
  r.host_memory_share = engine.host_memory_share.value;
  r.host_gemm_share = engine.host_gemm_share.value;
  r.operator_floor = engine.operator_floor.value;
  r.fp8_floor = engine.fp8_floor.value;
  r.grouped_floor = engine.grouped_floor.value;
  r.fp8_grouped_floor = engine.fp8_grouped_floor.value;
  r.mla_floor = engine.mla_floor.value;
  r.attention_floor = engine.attention_floor.value;
  r.element_floor = engine.element_floor.value;
  r.collective_floor = engine.collective_floor.value;
  r.decodes_in_graphs = engine.decodes_in_graphs;
  r.all_reduce = engine.all_reduce;
  if (engine.measured && engine.measured->accelerator == a.id) r.measured = engine.measured.get();
  r.measured_corner = engine.measured_corner;
  for (std::size_t f = 0; f < kFormats; ++f) {
    bool weight_only = false;
    r.math[f] = math_format(a, static_cast<Format>(f), weight_only);
  }
  for (Dtype d : {Dtype::kFp32, Dtype::kBf16, Dtype::kFp16, Dtype::kFp8, Dtype::kFp4, Dtype::kInt8}) {
    if (const Fact<FlopsPerSecond>* rate = peak(a, d)) r.peaks[static_cast<std::size_t>(d)] = rate->value;
  }
  if (const auto half = a.peak.find(PeakRate::kFp16); engine.half_sums && half != a.peak.end()) {
    for (Dtype d : {Dtype::kBf16, Dtype::kFp16}) r.peaks[static_cast<std::size_t>(d)] = half->second.value;
  }
  const FlopsPerSecond sixteen = r.peak(r.math[static_cast<std::size_t>(Format::kBf16)]);
  if (a.stack.rfind("CPU", 0) != 0 && sixteen > FlopsPerSecond(0))
    r.hunger = sixteen.value / a.memory_bandwidth->value.value / kUsualBalance;
  return r;
}

namespace {

// The type that weights of this storage are multiplied in on this device.
Format multiplied_in(const DeviceRates& r, Format storage) { return r.math[static_cast<std::size_t>(storage)]; }

OperatorTime roofline(Seconds compute, Seconds memory, Seconds floor) {
  const Seconds longer = std::max(compute, memory);
  const Bound bound = floor > longer ? Bound::kFloor : compute > memory ? Bound::kCompute : Bound::kMemory;
  return {.time = longer + floor, .bound = bound};
}

// How the engine multiplies: fp8 with block scales starts later and reaches less of its peak than 16 bits, and so does one
// product over many experts.
struct Product {
  FlopsPerSecond rate{};
  Seconds floor{};
};
Product product(const Operator& op, const DeviceRates& r) {
  const Format math = multiplied_in(r, op.math);
  const bool fp8 = is_fp8(math), blocks = op.math == Format::kFp8Block128;
  const bool grouped = op.kind == OperatorKind::kGroupedLinear;
  const double share = fp8            ? r.fp8_gemm_share * (blocks ? 1 : r.fp8_tensor_factor)
                       : is_fp4(math) ? r.fp4_gemm_share
                       : bits_per_weight(op.math) < bits_per_weight(math) ? r.gemm_share * r.expanded_factor
                                                                          : r.gemm_share;
  const bool slow_start = fp8 && blocks;
  const double shape = op.width_in / (op.width_in + r.short_sum) * op.width_out / (op.width_out + r.narrow_output);
  return {.rate = r.peak(math) * (fed(share * (grouped ? r.grouped_factor : 1), r.hunger) * (shape > 0 ? shape : 1)),
          .floor = grouped ? (slow_start ? r.fp8_grouped_floor : r.grouped_floor)
                           : (slow_start ? r.fp8_floor : r.operator_floor)};
}

OperatorTime matmul(const Operator& op, const DeviceRates& r) {
  const bool expands = is_four_bit(op.weights) && !is_fp4(multiplied_in(r, op.weights));
  const BytesPerSecond memory = r.memory * ((expands ? r.int4_memory_factor : 1) *
                                            (op.kind == OperatorKind::kGroupedLinear ? r.grouped_memory : 1));
  const Work work = busiest_work(op);
  const Product how = product(op, r);
  return roofline(work.flops_done / how.rate, work.weights / memory + work.others / r.memory, how.floor);
}

// Routed experts on the CPU: the ranks of a node share its memory and cores; tokens cross PCIe both ways.
OperatorTime on_host(const Operator& op, const DeviceRates& r, const Layout& layout) {
  const double sharers = std::min(r.pool->per_node, layout.devices_per_replica() * layout.replicas);
  const BytesPerSecond memory = r.pool->host_memory_bandwidth * r.host_memory_share / sharers;
  const FlopsPerSecond peak = r.pool->host_compute * r.host_gemm_share / sharers;
  const Seconds compute = peak > FlopsPerSecond(0) ? flops(op) / peak : Seconds(0);
  constexpr Seconds kHandOver = 20_us;  // wake the host threads, copy in and out
  return {.time = std::max(compute, op.weight_bytes / memory) + kHandOver, .bound = Bound::kHost};
}

// Directly to every rank with one of a token's experts, or once to each node, where the ranks pass it on over the links inside.
Seconds exchange_time(const Operator& op, const Span& group, Bytes payload) {
  const Seconds direct = all_to_all_time(group, payload);
  if (op.routing == nullptr || group.inner == group.outer || group.per_inner <= 1) return direct;
  const double nodes = static_cast<double>(group.ranks) / group.per_inner;
  const double copies = places_reached(*op.routing, nodes) / places_reached(*op.routing, group.ranks);
  return std::min(direct, forwarded_exchange_time(group, payload, payload * std::min(1.0, copies)));
}

OperatorTime collective(const Operator& op, const DeviceRates& r, const Layout& layout) {
  const Bytes payload = op.payload / r.wire_share;
  Seconds time{};
  if (op.kind == OperatorKind::kSendRecv) {
    const Span next = span(*r.pool, 2, layout.stage_width());
    if (next.inner == nullptr) return {};
    const Tier& inside = *next.inner;
    const Tier& across = *span(*r.pool, layout.pp, layout.stage_width()).outer;
    // Only the hop at the edge of an inner domain goes over the outer tier.
    const double crossing = &inside == &across ? 0 : static_cast<double>(layout.stage_width()) / inside.domain;
    time = send_time(inside, payload) * (1 - crossing) + send_time(across, payload) * crossing;
  } else {
    const Span group = span(*r.pool, op.ranks, 1);
    if (op.kind == OperatorKind::kAllReduce) time = all_reduce_time(group, payload, r.all_reduce);
    if (op.kind == OperatorKind::kAllGather) time = all_gather_time(group, payload);
    if (op.kind == OperatorKind::kAllToAll) time = exchange_time(op, group, payload);
  }
  if (time > Seconds(0)) time += r.collective_floor;
  return {.time = time, .bound = Bound::kNetwork};
}

double at_corner(double fast, double slow, Corner corner) {
  return corner == Corner::kFast ? fast : corner == Corner::kSlow ? slow : 1.0;
}

// From the profile, or with the origin `catalog` when it says nothing about this operator.
struct MeasuredTime {
  OperatorTime of;
  FigureOrigin origin = FigureOrigin::kCatalog;
};

// A profile's collectives were measured inside one node.
MeasuredTime measured_collective(const Operator& op, const DeviceRates& r, const Layout& layout) {
  const int reach = op.kind == OperatorKind::kSendRecv ? layout.devices_per_replica() : op.ranks;
  if (reach > r.pool->per_node) return {};
  if (const auto figure = r.measured->on_curves(op.kind, op.ranks, wire_bytes(op))) {
    return {.of = {.time = figure->time * at_corner(figure->fast, figure->slow, r.measured_corner),
                   .bound = Bound::kNetwork},
            .origin = figure->origin};
  }
  const ProfileCollective* row = r.measured->find(op.kind, op.ranks);
  if (row == nullptr) return {};
  return {
      .of = {.time = profile_time(*row, wire_bytes(op)) * at_corner(row->fit.fast, row->fit.slow, r.measured_corner),
             .bound = Bound::kNetwork},
      .origin = FigureOrigin::kInterpolated};
}

Bound longest(Seconds memory, Seconds compute, Seconds floor) {
  return floor > std::max(memory, compute) ? Bound::kFloor : compute > memory ? Bound::kCompute : Bound::kMemory;
}

// Weights of another format that the same kernels read are not what was measured.
MeasuredTime measured_product(const Operator& op, const ProductSurface& surface, Corner corner) {
  if (!reaches(surface, op.tokens)) return {};
  const ProductTime t = product_time(surface, product_shape(op));
  return {.of = {.time = t.figure.time * at_corner(t.figure.fast, t.figure.slow, corner),
                 .bound = longest(t.memory, t.compute, t.start)},
          .origin =
              surface.weights == op.weights ? t.figure.origin : std::min(t.figure.origin, FigureOrigin::kInterpolated)};
}

MeasuredTime measured_time(const Operator& op, const DeviceRates& r, const Layout& layout) {
  if (r.measured == nullptr || op.on_host) return {};
  if (is_collective(op.kind)) return measured_collective(op, r, layout);
  if (r.measured->part_of_another(plan_name(op), op.tokens)) return {.of = {}, .origin = FigureOrigin::kMeasured};
  if (op.kind == OperatorKind::kLinear) {
    if (const ProductSurface* surface = r.measured->surface(op.weights))
      return measured_product(op, *surface, r.measured_corner);
  }
  const ProfileRow* row = r.measured->find(op.kind, op.weights);
  if (row == nullptr) return {};
  const Work work = busiest_work(op);
  if (r.measured->alone && !reaches(*row, work.weights + work.others, work.flops_done)) return {};
  const ProfileTime t = profile_time(*row, work.weights + work.others, work.flops_done, op.tokens);
  return {.of = {.time = t.total * at_corner(row->fit.fast, row->fit.slow, r.measured_corner),
                 .bound = longest(t.memory, t.compute, t.floor)},
          .origin = FigureOrigin::kInterpolated};
}

}  // namespace

FigureOrigin origin_of(const Operator& op, const DeviceRates& r, const Layout& layout) {
  return measured_time(op, r, layout).origin;
}

OperatorTime operator_time(const Operator& op, const DeviceRates& r, const Layout& layout) {
  if (const MeasuredTime t = measured_time(op, r, layout); t.origin != FigureOrigin::kCatalog) return t.of;
  if (op.on_host) return op.kind == OperatorKind::kActivation ? OperatorTime{} : on_host(op, r, layout);
  switch (op.kind) {
    case OperatorKind::kLinear:
    case OperatorKind::kGroupedLinear:
      return matmul(op, r);
    case OperatorKind::kAttention:
    case OperatorKind::kMlaAttention:
    case OperatorKind::kIndexer: {
      const FlopsPerSecond peak =
          r.peak(r.math[static_cast<std::size_t>(Format::kBf16)]) * fed(r.attention_share, r.hunger);
      const Seconds floor = op.kind == OperatorKind::kMlaAttention ? r.mla_floor : r.attention_floor;
      return roofline(flops(op) / peak, (bytes_moved(op) - op.kv_bytes) / r.memory + op.kv_bytes / r.cache, floor);
    }
    case OperatorKind::kRouter: {
      const OperatorTime product = matmul(op, r);
      return {.time = product.time + r.element_floor, .bound = product.bound};  // scores, then top-k and permutation
    }
    case OperatorKind::kEmbed:
    case OperatorKind::kNorm:
    case OperatorKind::kRope:
    case OperatorKind::kActivation:
    case OperatorKind::kCombine:
    case OperatorKind::kSample:
      return roofline(Seconds(0), bytes_moved(op) / r.memory, r.element_floor);
    case OperatorKind::kAllReduce:
    case OperatorKind::kAllGather:
    case OperatorKind::kAllToAll:
    case OperatorKind::kSendRecv:
      return collective(op, r, layout);
  }
  return {};
}

Seconds stage_time(const std::vector<Operator>& operators, const DeviceRates& rates, const Layout& layout) {
  Seconds sum{};
  for (const Operator& op : operators) sum += operator_time(op, rates, layout).time * op.count;
  return sum;
}

}  // namespace fathom
