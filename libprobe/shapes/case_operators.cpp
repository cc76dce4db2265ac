#include "shapes/case_operators.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace fathom::probe {

namespace {

// A number of the shape as a count of something.
class Shape {
 public:
  explicit Shape(const Result& result) : result_(result) {}

  double at(const char* key, double most = 1e9) {  // nothing has more, and what is computed of it fits an integer
    const std::optional<double> number = number_of(result_, key);
    if (number && *number >= 1 && *number <= most) return *number;
    missing_ += (missing_.empty() ? "it does not tell " : ", ") + std::string(key);
    return 1;
  }
  Format format() {
    const auto text = result_.shape.find("dtype");
    for (std::size_t i = 0; text != result_.shape.end() && i < kFormats; ++i) {
      if (to_string(static_cast<Format>(i)) == text->second) return static_cast<Format>(i);
    }
    if (missing_.empty()) missing_ = "no weights are stored so";
    return Format::kBf16;
  }
  CaseOperators done(std::vector<Operator> list) const {
    if (!missing_.empty()) return {.list = {}, .why = missing_};
    return {.list = std::move(list), .why = {}};
  }

 private:
  const Result& result_;
  std::string missing_;
};

Operator named(std::string_view name, OperatorKind kind) {
  Operator op;
  op.name = name;
  op.kind = kind;
  return op;
}

Operator product_of(OperatorKind kind, Format weights, double m, double n, double k, double matrices = 1) {
  Operator op = named("product", kind);
  op.weights = op.math = weights;
  op.tokens = m;
  op.width_in = k;
  op.width_out = n;
  op.weight_elements = n * k;
  op.weight_bytes = bytes(weights, static_cast<std::int64_t>(n), static_cast<std::int64_t>(k)) * matrices;
  return op;
}

CaseOperators linear(Shape shape) {
  return shape.done({product_of(OperatorKind::kLinear, shape.format(), shape.at("m"), shape.at("n"), shape.at("k"))});
}

// Gate and up of the experts that are expected to be hit, then down; every token is that of one group.
CaseOperators experts(Shape shape) {
  const double m = shape.at("m"), held = shape.at("experts"), all = shape.at("of"), chosen = shape.at("chosen");
  const double hidden = shape.at("hidden"), inner = shape.at("inner");
  const Format format = shape.format();
  Moe moe;
  moe.routed_experts = static_cast<int>(std::max(all, chosen));
  moe.experts_per_token = static_cast<int>(chosen);
  const double routed = m * chosen * held / all, touched = distinct_experts(moe, held, m);
  std::vector<Operator> list = {product_of(OperatorKind::kGroupedLinear, format, routed, 2 * inner, hidden, touched),
                                product_of(OperatorKind::kGroupedLinear, format, routed, hidden, inner, touched)};
  for (Operator& op : list) op.held_bytes = op.weight_bytes * (held / touched);
  return shape.done(std::move(list));
}

// Rows of queries over a cache: each of `batch` sequences has one, or a prompt has `m` with the mask's triangle.
struct Queries {
  double rows = 1, pairs = 1, cached_tokens = 1;
};
Queries decoding(Shape& shape) {
  const double batch = shape.at("batch"), context = shape.at("context");
  return {.rows = batch, .pairs = batch * context, .cached_tokens = batch * context};
}
Queries prompt(Shape& shape) {
  const double m = shape.at("m"), context = std::max(m, shape.at("context"));
  return {.rows = m, .pairs = m * (context - m) + m * (m + 1) / 2, .cached_tokens = context};
}

Operator attention(OperatorKind kind, const Queries& queries, double heads, double key, double value,
                   double cached_bytes_per_token) {
  Operator op = named("attention", kind);
  op.tokens = queries.rows;
  op.pairs = queries.pairs;
  op.heads = heads;
  op.pair_flops = 2 * (key + value);
  op.kv_bytes = Bytes(cached_bytes_per_token * queries.cached_tokens);
  op.width_in = heads * key;
  op.width_out = heads * value;
  return op;
}

CaseOperators grouped_attention(Shape shape, Queries (*queries)(Shape&)) {
  const double width = shape.at("head_dim"), kv_heads = shape.at("kv_heads");
  return shape.done({attention(OperatorKind::kAttention, queries(shape), shape.at("heads"), width, width,
                               2 * 2 * kv_heads * width)});  // keys and values in bf16
}

// The latent cache of DeepSeek's models, the only one there is: 512 values and 64 of position; prompts expand it to heads of 192
// and 128.
constexpr double kLatent = 512, kLatentRow = 576, kKey = 192, kValue = 128;

CaseOperators latent_decode(Shape shape) {
  return shape.done({attention(OperatorKind::kMlaAttention, decoding(shape), shape.at("heads"), kLatentRow, kLatent,
                               2 * kLatentRow)});
}
CaseOperators latent_prefill(Shape shape) {
  return shape.done(
      {attention(OperatorKind::kMlaAttention, prompt(shape), shape.at("heads"), kKey, kValue, 2 * kLatentRow)});
}

// `bytes` of a record are those of nccl-tests: of a gather what every rank has at the end.
CaseOperators collective(Shape shape, OperatorKind kind) {
  Operator op = named("collective", kind);
  const double message = shape.at("bytes", 1e15), ranks = shape.at("ranks", 1e6);
  op.ranks = static_cast<int>(std::max(2.0, ranks));
  op.payload = Bytes(kind == OperatorKind::kAllGather ? message / ranks : message);
  return shape.done({op});
}

}  // namespace

CaseOperators operators_of(const Result& r) {
  const Shape shape(r);
  if (r.name == "gpu.gemm" || r.name == "gpu.linear") return linear(shape);
  if (r.name == "gpu.experts") return experts(shape);
  if (r.name == "gpu.attention.decode") return grouped_attention(shape, decoding);
  if (r.name == "gpu.attention.prefill") return grouped_attention(shape, prompt);
  if (r.name == "gpu.attention.mla_decode") return latent_decode(shape);
  if (r.name == "gpu.attention.mla_prefill") return latent_prefill(shape);
  if (r.name == "collective.all_reduce") return collective(shape, OperatorKind::kAllReduce);
  if (r.name == "collective.all_gather") return collective(shape, OperatorKind::kAllGather);
  if (r.name == "collective.all_to_all") return collective(shape, OperatorKind::kAllToAll);
  if (r.name == "collective.send_recv") return collective(shape, OperatorKind::kSendRecv);
  return {};
}

std::optional<Seconds> time_of(const Result& result, double figure, const std::vector<Operator>& operators) {
  Flops computed{};
  Bytes cached{};
  for (const Operator& op : operators) computed += flops(op), cached += op.kv_bytes;
  switch (result.unit) {
    case Unit::kTime:
      return Seconds(figure);
    case Unit::kFlopsPerSecond:
      return computed > Flops(0) ? std::optional(computed / FlopsPerSecond(figure)) : std::nullopt;
    case Unit::kBytesPerSecond:
      return cached > Bytes(0) ? std::optional(cached / BytesPerSecond(figure)) : std::nullopt;
    case Unit::kOperationsPerSecond:
    case Unit::kTokensPerSecond:
    case Unit::kWatts:
      break;
  }
  return std::nullopt;
}

}  // namespace fathom::probe
