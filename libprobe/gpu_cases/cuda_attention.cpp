// Attention by the kernels that the engine runs: one new token over cached pages (GQA and MLA), and prompts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cuda/prefill_attention.h"
#include "cuda/random_numbers.h"
#include "gpu_cases/card_weights.h"
#include "gpu_cases/gpu_cases.h"
#include "host/convert.h"

namespace fathom::probe {

namespace {

constexpr std::int64_t kPage = cuda::kPageTokens, kLatent = 512, kLatentRow = 576;
constexpr int kKey = 192, kValue = 128, kExpanded = 256;  // of a head, expanded: key without its rotary part, and value
constexpr double kMostDistance = 0.02;                    // probabilities are rounded to bf16: some thousandths
constexpr std::size_t kMostPages = std::size_t{8} << 30;  // bytes

struct Decoding {
  int sequences, context;
};
std::vector<Decoding> decodings(const GpuRules& rules) {
  using Sizes = std::vector<int>;
  const bool few = rules.detail == Detail::kFew;
  std::vector<Decoding> all;
  for (const int sequences : few ? Sizes{1, 8, 64} : Sizes{1, 4, 16, 64, 256}) {
    for (const int context : few ? Sizes{256, 2048, 16384} : Sizes{128, 512, 2048, 8192, 32768}) {
      all.push_back({sequences, context});
    }
  }
  return all;
}

// The last `rows` tokens of `context`.
struct Prompt {
  int rows, context;
  int cached() const { return context - rows; }
  double pairs() const { return 1.0 * rows * cached() + 0.5 * rows * (rows + 1.0); }  // that the mask leaves
};
std::vector<Prompt> prompts(const GpuRules& rules) {
  if (rules.detail == Detail::kFew) return {{512, 512}, {2048, 2048}, {8192, 8192}};
  return {{128, 128}, {512, 512}, {2048, 2048}, {4096, 4096}, {8192, 8192}, {16384, 16384}, {512, 8192}, {2048, 16384}};
}
constexpr int kManyRows = 2048;  // of a prompt: from here on arithmetic may run into the power limit

// Pages of random numbers, and tables by which every launch reads others than the ones before it.
class Pages {
 public:
  Pages(const Card& card, const Decoding& d, std::int64_t page_values)
      : per_sequence_((d.context + static_cast<int>(kPage) - 1) / static_cast<int>(kPage)),
        page_values_(page_values),
        turns_(copies_beyond_cache(card, bytes_of(d))),
        memory_(static_cast<std::size_t>(turns_) * bytes_of(d)),
        table_(CardMemory::of(numbers(d))),
        lengths_(CardMemory::of(std::vector<std::int32_t>(static_cast<std::size_t>(d.sequences), d.context))),
        lines_(std::int64_t{d.sequences} * per_sequence_) {
    cuda::fill_normal({.stream = card.stream()}, memory_.as<void>(), memory_.bytes() / 2, cuda::NumberType::kBf16, 11);
    card.stream().wait();
  }

  static bool fits(const Decoding& d, std::int64_t page_values) {
    return static_cast<double>(d.sequences) * d.context / kPage * static_cast<double>(page_values) * 2 <
           static_cast<double>(kMostPages);
  }

  const std::uint16_t* pages() const { return memory_.as<std::uint16_t>(); }
  std::int64_t page_values() const { return page_values_; }
  const std::int32_t* table(int turn) const { return table_.as<std::int32_t>() + turn % turns_ * lines_; }
  int table_stride() const { return per_sequence_; }
  const std::int32_t* lengths() const { return lengths_.as<std::int32_t>(); }
  int turns() const { return turns_; }
  std::size_t turn_bytes() const { return memory_.bytes() / static_cast<std::size_t>(turns_); }
  // Where the turn of `run` has the tokens of a sequence, page by page.
  const std::uint16_t* page(int run, int sequence, std::int64_t page) const {
    return pages() + number(run % turns_, sequence * per_sequence_ + page) * page_values_;
  }

 private:
  std::size_t bytes_of(const Decoding& d) const {
    return static_cast<std::size_t>(d.sequences * per_sequence_ * page_values_) * 2;
  }
  // Pages of a turn lie scattered, as after many requests.
  std::int64_t number(std::int64_t turn, std::int64_t line) const { return turn * count_ + line * 7919 % count_; }
  std::vector<std::int32_t> numbers(const Decoding& d) {
    count_ = std::int64_t{d.sequences} * per_sequence_;
    if (count_ % 7919 == 0) throw std::invalid_argument("as many pages as the step between them");
    std::vector<std::int32_t> all;
    for (std::int64_t turn = 0; turn < turns_; ++turn) {
      for (std::int64_t line = 0; line < count_; ++line) all.push_back(static_cast<std::int32_t>(number(turn, line)));
    }
    return all;
  }

  int per_sequence_;
  std::int64_t page_values_;
  int turns_;
  CardMemory memory_;
  std::int64_t count_ = 0;  // pages of a turn
  CardMemory table_, lengths_;
  std::int64_t lines_;
};

// Keys and values of one head, token by token.
struct Context {
  std::vector<std::vector<double>> keys, values;
};

// softmax(q k^T) v in double.
std::vector<double> attended(const std::vector<double>& q, const Context& context, std::size_t seen, double scale) {
  std::vector<double> scores(seen), out(context.values.front().size());
  double most = -1e300, sum = 0;
  for (std::size_t t = 0; t < seen; ++t) {
    double score = 0;
    for (std::size_t i = 0; i < q.size(); ++i) score += q[i] * context.keys[t][i];
    scores[t] = score * scale;
    most = std::max(most, scores[t]);
  }
  for (double& score : scores) sum += score = std::exp(score - most);
  for (std::size_t t = 0; t < seen; ++t) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += scores[t] / sum * context.values[t][i];
  }
  return out;
}

using Rows = std::vector<std::vector<double>>;

// Rows of `width` values, `stride` apart.
Rows rows_at(const std::uint16_t* from, std::int64_t count, std::int64_t stride, std::int64_t width) {
  std::vector<std::uint16_t> codes(static_cast<std::size_t>(count * width));
  const auto bytes = static_cast<std::size_t>(width) * sizeof(std::uint16_t);
  cuda_ok(cudaMemcpy2D(codes.data(), bytes, from, static_cast<std::size_t>(stride) * sizeof(std::uint16_t), bytes,
                       static_cast<std::size_t>(count), cudaMemcpyDeviceToHost),
          "a copy from the device");
  Rows rows(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < codes.size(); ++i) {
    rows[i / static_cast<std::size_t>(width)].push_back(static_cast<double>(host::from_bf16(codes[i])));
  }
  return rows;
}

void append(Rows& to, Rows rows, std::int64_t most) {
  for (std::vector<double>& row : rows) {
    if (std::ssize(to) < most) to.push_back(std::move(row));
  }
}

// Of GQA's pages: keys of all heads, then values.
Context grouped_context(const Pages& pages, int run, const HeadsShape& shape, int sequence, int kv_head, int tokens) {
  Context context;
  const std::int64_t of_head = kPage * shape.head_dim;
  for (std::int64_t page = 0; page * kPage < tokens; ++page) {
    const std::uint16_t* keys = pages.page(run, sequence, page) + kv_head * of_head;
    append(context.keys, rows_at(keys, kPage, shape.head_dim, shape.head_dim), tokens);
    append(context.values, rows_at(keys + shape.kv_heads * of_head, kPage, shape.head_dim, shape.head_dim), tokens);
  }
  return context;
}

Context latent_context(const Pages& pages, int run, int sequence, int tokens) {
  Context context;
  for (std::int64_t page = 0; page * kPage < tokens; ++page) {
    append(context.keys, rows_at(pages.page(run, sequence, page), kPage, kLatentRow, kLatentRow), tokens);
    append(context.values, rows_at(pages.page(run, sequence, page), kPage, kLatentRow, kLatent), tokens);
  }
  return context;
}

CardMemory normal_bf16(const Card& card, std::int64_t count, std::uint64_t seed) {
  CardMemory memory(static_cast<std::size_t>(count) * 2);
  cuda::fill_normal({.stream = card.stream()}, memory.as<void>(), static_cast<std::size_t>(count),
                    cuda::NumberType::kBf16, seed);
  card.stream().wait();
  return memory;
}

std::vector<cuda::PrefillTile> tiles_of(const Prompt& p) {
  std::vector<cuda::PrefillTile> tiles;
  for (int first = 0; first < p.rows; first += cuda::kPrefillRows) {
    tiles.push_back({.first_row = first,
                     .rows = std::min(cuda::kPrefillRows, p.rows - first),
                     .sequence = 0,
                     .position = p.cached() + first});
  }
  std::reverse(tiles.begin(), tiles.end());  // the longest contexts first, as the engine cuts them
  return tiles;
}

class Attention {
 public:
  Attention(Card& card, const GpuRules& rules) : card_(card), rules_(rules) {}

  Result decode(const HeadsShape& shape, const Decoding& d) {
    const Pages pages(card_, d, page_values(shape));
    const std::int64_t row = std::int64_t{shape.heads} * shape.head_dim;
    const CardMemory q = normal_bf16(card_, d.sequences * row, 13), out = normal_bf16(card_, d.sequences * row, 17);
    cuda::DecodeAttention op{.sequences = d.sequences,
                             .heads = shape.heads,
                             .kv_heads = shape.kv_heads,
                             .head_dim = shape.head_dim,
                             .scale = static_cast<float>(1 / std::sqrt(shape.head_dim))};
    auto [r, run] = decoded("gpu.attention.decode", op, pages, d, q, out, cuda::decode_attention,
                            4.0 * shape.kv_heads * shape.head_dim, shape_of(shape, d));
    const int head = shape.heads - 1, sequence = d.sequences - 1;
    const Context context = grouped_context(pages, run, shape, sequence, shape.kv_heads - 1, d.context);
    const std::int64_t at = sequence * row + std::int64_t{head} * shape.head_dim;
    check_row(r, q, out, at, at, context, static_cast<std::size_t>(d.context), shape.head_dim, op.scale);
    return r;
  }

  Result decode(const LatentShape& shape, const Decoding& d) {
    const Pages pages(card_, d, kPage * kLatentRow);
    const CardMemory q = normal_bf16(card_, std::int64_t{d.sequences} * shape.heads * kLatentRow, 13),
                     out = normal_bf16(card_, std::int64_t{d.sequences} * shape.heads * kLatent, 17);
    cuda::LatentAttention op{.sequences = d.sequences, .heads = shape.heads, .scale = 1.0f / 24};
    auto [r, run] = decoded("gpu.attention.mla_decode", op, pages, d, q, out, cuda::latent_attention, 2.0 * kLatentRow,
                            {{"dtype", "bf16"},
                             {"heads", fmt::format("{}", shape.heads)},
                             {"batch", fmt::format("{}", d.sequences)},
                             {"context", fmt::format("{}", d.context)}});
    const std::int64_t last = std::int64_t{d.sequences} * shape.heads - 1;
    check_row(r, q, out, last * kLatentRow, last * kLatent, latent_context(pages, run, d.sequences - 1, d.context),
              static_cast<std::size_t>(d.context), kLatentRow, op.scale);
    return r;
  }

  Result prefill(const HeadsShape& shape, const Prompt& p) {
    const Pages pages(card_, {1, p.context}, page_values(shape));
    const std::int64_t row = std::int64_t{shape.heads} * shape.head_dim;
    const CardMemory q = normal_bf16(card_, p.rows * row, 13), out = normal_bf16(card_, p.rows * row, 17);
    const std::vector<cuda::PrefillTile> tiles = tiles_of(p);
    const CardMemory tile = CardMemory::of(tiles);
    cuda::PrefillAttention op{.tiles = static_cast<int>(tiles.size()),
                              .tile = tile.as<cuda::PrefillTile>(),
                              .rows = p.rows,
                              .heads = shape.heads,
                              .kv_heads = shape.kv_heads,
                              .head_dim = shape.head_dim,
                              .scale = static_cast<float>(1 / std::sqrt(shape.head_dim)),
                              .q = q.as<std::uint16_t>(),
                              .pages = pages.pages(),
                              .page_stride = pages.page_values(),
                              .table_stride = pages.table_stride(),
                              .out = out.as<std::uint16_t>()};
    const auto run = [&](const cuda::Launch& how, int turn) {
      op.table = pages.table(turn);
      cuda::prefill_attention(how, op);
    };
    Result r = card_result("gpu.attention.prefill", card_, Unit::kFlopsPerSecond, shape_of(shape, p));
    const int last =
        timed(r, run, 1, 4.0 * shape.head_dim * shape.heads * p.pairs(), "prefill_attention", repeat_of(p));
    const int checked = p.rows / 2, head = shape.heads - 1;
    const std::int64_t at = checked * row + std::int64_t{head} * shape.head_dim;
    check_row(r, q, out, at, at, grouped_context(pages, last, shape, 0, shape.kv_heads - 1, p.context),
              static_cast<std::size_t>(p.cached() + checked + 1), shape.head_dim, op.scale);
    return r;
  }

  Result prefill(const LatentShape& shape, const Prompt& p) {
    const std::int64_t q_row = std::int64_t{shape.heads} * kKey, out_row = std::int64_t{shape.heads} * kValue;
    const CardMemory q = normal_bf16(card_, p.rows * q_row, 13), out = normal_bf16(card_, p.rows * out_row, 17),
                     expanded = normal_bf16(card_, std::int64_t{p.context} * shape.heads * kExpanded, 19),
                     rotary = normal_bf16(card_, p.context * kLatentRow, 23),
                     first = CardMemory::of(std::vector<std::int32_t>{0});
    const std::vector<cuda::PrefillTile> tiles = tiles_of(p);
    const CardMemory tile = CardMemory::of(tiles);
    const cuda::ExpandedAttention op{.tiles = static_cast<int>(tiles.size()),
                                     .tile = tile.as<cuda::PrefillTile>(),
                                     .rows = p.rows,
                                     .tokens = p.context,
                                     .heads = shape.heads,
                                     .scale = static_cast<float>(1 / std::sqrt(kKey)),
                                     .q = q.as<std::uint16_t>(),
                                     .expanded = expanded.as<std::uint16_t>(),
                                     .rotary = rotary.as<std::uint16_t>(),
                                     .rotary_stride = kLatentRow,
                                     .first_expanded = first.as<std::int32_t>(),
                                     .out = out.as<std::uint16_t>()};
    Result r = card_result("gpu.attention.mla_prefill", card_, Unit::kFlopsPerSecond,
                           {{"dtype", "bf16"},
                            {"heads", fmt::format("{}", shape.heads)},
                            {"m", fmt::format("{}", p.rows)},
                            {"context", fmt::format("{}", p.context)}});
    timed(
        r, [&](const cuda::Launch& how, int) { cuda::expanded_attention(how, op); }, 1,
        2.0 * (kKey + kValue) * shape.heads * p.pairs(), "expanded_attention", repeat_of(p));
    const int checked = p.rows / 2, head = shape.heads - 1;
    const std::size_t seen = static_cast<std::size_t>(p.cached() + checked + 1);
    check_row(r, q, out, checked * q_row + head * kKey, checked * out_row + head * kValue,
              expanded_context(expanded, rotary, shape, head, static_cast<std::int64_t>(seen)), seen, kKey, op.scale);
    return r;
  }

  static std::int64_t page_values(const HeadsShape& shape) {
    return 2 * std::int64_t{shape.kv_heads} * kPage * shape.head_dim;
  }

 private:
  static std::map<std::string, std::string> shape_of(const HeadsShape& shape) {
    return {{"dtype", "bf16"},
            {"heads", fmt::format("{}", shape.heads)},
            {"kv_heads", fmt::format("{}", shape.kv_heads)},
            {"head_dim", fmt::format("{}", shape.head_dim)}};
  }
  static std::map<std::string, std::string> shape_of(const HeadsShape& shape, const Decoding& d) {
    auto all = shape_of(shape);
    all["batch"] = fmt::format("{}", d.sequences);
    all["context"] = fmt::format("{}", d.context);
    return all;
  }
  static std::map<std::string, std::string> shape_of(const HeadsShape& shape, const Prompt& p) {
    auto all = shape_of(shape);
    all["m"] = fmt::format("{}", p.rows);
    all["context"] = fmt::format("{}", p.context);
    return all;
  }

  RepeatRules repeat_of(const Prompt& p) const {
    return p.rows < kManyRows ? rules_.repeat_point() : rules_.repeat_heavy(p.rows == kManyRows);
  }

  // Returns the last run, whose output is there.
  int timed(Result& r, const CardBody& run, int turns, double work, const char* kernel, const RepeatRules& repeat,
            const std::string& cache = "keys and values as they fit") {
    const TimedOnCard times = time_on_card(card_, {.repeat = repeat, .least_runs = turns}, run);
    fill(r, {.amount = work, .engine = our_kernels(), .kernel = kernel, .pattern = "normal", .cache = cache}, times);
    return times.last_run;
  }

  struct Decoded {
    Result result;
    int run;  // whose output is there
  };

  template <class Op>
  Decoded decoded(const char* name, Op& op, const Pages& pages, const Decoding& d, const CardMemory& q,
                  const CardMemory& out, void (*kernel)(const cuda::Launch&, const Op&, const cuda::Workspace&),
                  double token_bytes, std::map<std::string, std::string> shape) {
    op.q = q.as<std::uint16_t>();
    op.pages = pages.pages();
    op.page_stride = pages.page_values();
    op.table_stride = pages.table_stride();
    op.lengths = pages.lengths();
    op.longest = d.context;
    op.out = out.as<std::uint16_t>();
    if (cuda::attention_workspace_bytes(op, card_.traits()) > card_.workspace().bytes) throw std::bad_alloc();
    const auto run = [&](const cuda::Launch& how, int turn) {
      op.table = pages.table(turn);
      kernel(how, op, card_.workspace());
    };
    Result r = card_result(name, card_, Unit::kBytesPerSecond, std::move(shape));
    const int last = timed(r, run, pages.turns(), token_bytes * d.sequences * d.context, name, rules_.repeat_point(),
                           cache_of(card_, pages.turn_bytes(), pages.turns()));
    r.protocol.kernel = std::is_same_v<Op, cuda::DecodeAttention> ? "decode_attention" : "latent_attention";
    return {std::move(r), last};
  }

  static Context expanded_context(const CardMemory& expanded, const CardMemory& rotary, const LatentShape& shape,
                                  int head, std::int64_t tokens) {
    const std::int64_t stride = std::int64_t{shape.heads} * kExpanded;
    const Rows own = rows_at(expanded.as<std::uint16_t>() + head * kExpanded, tokens, stride, kExpanded),
               shared = rows_at(rotary.as<std::uint16_t>(), tokens, kLatentRow, kKey - kValue);
    Context context;
    for (std::size_t t = 0; t < own.size(); ++t) {
      std::vector<double> key(own[t].begin(), own[t].begin() + kValue);
      key.insert(key.end(), shared[t].begin(), shared[t].end());
      context.keys.push_back(std::move(key));
      context.values.emplace_back(own[t].begin() + kValue, own[t].end());
    }
    return context;
  }

  static void check_row(Result& r, const CardMemory& q, const CardMemory& out, std::int64_t q_at, std::int64_t out_at,
                        const Context& context, std::size_t seen, std::int64_t width, float scale) {
    const auto query = bf16_on_host(q.as<std::uint16_t>() + q_at, static_cast<std::size_t>(width));
    const auto got = bf16_on_host(out.as<std::uint16_t>() + out_at, context.values.front().size());
    check(r, "a row against sums in double", distance(got, attended(query, context, seen, static_cast<double>(scale))),
          kMostDistance);
  }

  Card& card_;
  const GpuRules& rules_;
};

std::vector<Result> measure(Card& card, const GpuRules& rules, const ModelShapes& shapes) {
  std::vector<Result> results;
  Attention attention(card, rules);
  const auto add = [&](const char* name, const auto& shape, const auto& what, const auto& measured) {
    attempt(results, name, card, [&] { results.push_back(measured(shape, what)); });
  };
  const auto decode = [&](const auto& shape, const Decoding& d) { return attention.decode(shape, d); };
  const auto prefill = [&](const auto& shape, const Prompt& p) { return attention.prefill(shape, p); };
  for (const HeadsShape& shape : shapes.heads) {
    for (const Decoding& d : decodings(rules)) {
      if (Pages::fits(d, Attention::page_values(shape))) add("gpu.attention.decode", shape, d, decode);
    }
    for (const Prompt& p : prompts(rules)) add("gpu.attention.prefill", shape, p, prefill);
  }
  for (const LatentShape& shape : shapes.latents) {
    for (const Decoding& d : decodings(rules)) {
      if (Pages::fits(d, kPage * kLatentRow)) add("gpu.attention.mla_decode", shape, d, decode);
    }
    for (const Prompt& p : prompts(rules)) add("gpu.attention.mla_prefill", shape, p, prefill);
  }
  return results;
}

}  // namespace

std::vector<Result> measure_gpu_attention(const Cards& cards, const GpuRules& rules, const ModelShapes& shapes) {
  return on_every_card(cards, "gpu.attention", [&](Card& card) { return measure(card, rules, shapes); });
}

}  // namespace fathom::probe
