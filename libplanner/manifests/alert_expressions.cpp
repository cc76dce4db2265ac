#include "manifests/alert_expressions.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "units/number.h"

namespace fathom::manifests {

namespace {

using Kind = PromNode::Kind;

void each(const PromNode& node, const std::function<void(const PromNode&)>& visit) {
  visit(node);
  for (const PromNode& part : node.parts) each(part, visit);
}

const Metric* metric_of(const PromNode& node, const Vocabulary& words) {
  if (node.kind != Kind::kSelector) return nullptr;
  const Exporter* exporter = words.exporter_of(node.name);
  if (exporter == nullptr) return nullptr;
  const auto it = exporter->metrics.find(node.name);
  return it == exporter->metrics.end() ? nullptr : &it->second;
}

// The selector that a comparison is about, through functions that keep its values: max by (x) (avg_over_time(m[5m])).
const PromNode* kept_selector(const PromNode& node) {
  if (node.kind == Kind::kSelector) return &node;
  static const std::vector<std::string> kKeeping = {"max",           "min",           "avg",           "max_over_time",
                                                    "min_over_time", "avg_over_time", "last_over_time"};
  const bool keeps = std::find(kKeeping.begin(), kKeeping.end(), node.name) != kKeeping.end();
  return keeps && node.parts.size() == 1 ? kept_selector(node.parts[0]) : nullptr;
}

struct Bounds {
  double low = 0, high = 0;
};

// x / (x + y) of amounts that are never negative.
bool is_share(const PromNode& node) {
  if (node.kind != Kind::kBinary || node.name != "/") return false;
  const PromNode& below = node.parts[1];
  if (below.kind != Kind::kBinary || below.name != "+") return false;
  const std::string above = to_string(node.parts[0]);
  return node.parts[0].kind == Kind::kSelector &&
         (above == to_string(below.parts[0]) || above == to_string(below.parts[1]));
}

std::optional<Bounds> scaled(std::optional<Bounds> b, double factor) {
  if (!b || factor <= 0) return std::nullopt;
  return Bounds{b->low * factor, b->high * factor};
}

// Between which values an expression lies, whatever happens; nullopt when nothing is known.
std::optional<Bounds> bounds(const PromNode& node, const Vocabulary& words) {
  if (is_share(node)) return Bounds{0, 1};
  if (const PromNode* selector = kept_selector(node)) {
    if (selector->name == "up") return Bounds{0, 1};
    const Metric* metric = metric_of(*selector, words);
    if (metric == nullptr) return std::nullopt;
    if (metric->kind == MetricKind::kRatio) return Bounds{0, 1};
    if (metric->kind == MetricKind::kPercent) return Bounds{0, 100};
    return std::nullopt;
  }
  static const std::vector<std::string> kKeeping = {"max", "min", "avg"};
  if (node.parts.size() == 1 && std::find(kKeeping.begin(), kKeeping.end(), node.name) != kKeeping.end()) {
    return bounds(node.parts[0], words);
  }
  if (node.kind != Kind::kBinary) return std::nullopt;
  const PromNode &left = node.parts[0], &right = node.parts[1];
  if (node.name == "*" && right.kind == Kind::kNumber) return scaled(bounds(left, words), right.number);
  if (node.name == "*" && left.kind == Kind::kNumber) return scaled(bounds(right, words), left.number);
  if (node.name == "/" && right.kind == Kind::kNumber && right.number > 0)
    return scaled(bounds(left, words), 1 / right.number);
  if (node.name == "-" && left.kind == Kind::kNumber) {
    if (const auto b = bounds(right, words)) return Bounds{left.number - b->high, left.number - b->low};
  }
  return std::nullopt;
}

// What a comparison comes to for every value within the bounds; empty when it depends.
std::string always(const std::string& op, const Bounds& b, double n) {
  const bool never = (op == ">" && n >= b.high) || (op == ">=" && n > b.high) || (op == "<" && n <= b.low) ||
                     (op == "<=" && n < b.low) || (op == "==" && (n < b.low || n > b.high));
  const bool ever = (op == ">" && n < b.low) || (op == ">=" && n <= b.low) || (op == "<" && n > b.high) ||
                    (op == "<=" && n >= b.high) || (op == "!=" && (n < b.low || n > b.high));
  return never ? "never" : ever ? "always" : "";
}

struct Comparison {
  const PromNode* node = nullptr;
  bool guarded = false;  // another condition has to hold as well
};

void comparisons(const PromNode& node, bool guarded, std::vector<Comparison>& out) {
  if (is_comparison(node) && node.parts[1].kind == Kind::kNumber) out.push_back({&node, guarded});
  const bool both = node.kind == Kind::kBinary && (node.name == "and" || node.name == "unless");
  for (const PromNode& part : node.parts) comparisons(part, guarded || both, out);
}

std::string lower(std::string name) {
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return name;
}

bool speaks_of(const std::string& alert, std::initializer_list<const char*> words) {
  const std::string name = lower(alert);
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return name.find(word) != std::string::npos; });
}

class Threshold {
 public:
  Threshold(const AlertExpression& e, const Comparison& c, Remarks& out)
      : e_(e), left_(c.node->parts[0]), op_(c.node->name), number_(c.node->parts[1]), guarded_(c.guarded), out_(out) {}

  void check() {
    range();
    if (const PromNode* selector = kept_selector(left_)) {
      percent(*selector);
      counter(*selector);
      temperature(*selector);
      performance_state(*selector);
      scrape_health(*selector);
    }
    memory();
  }

 private:
  void report(const char* rule, std::string message, std::string help = {}) {
    out_.push_back(
        {.rule = rule, .mark = e_.place(number_), .message = std::move(message), .terms = {}, .help = std::move(help)});
  }
  bool above() const { return op_ == ">" || op_ == ">="; }

  void range() {
    const auto b = bounds(left_, e_.vocabulary);
    if (!b) return;
    const std::string when = always(op_, *b, number_.number);
    // ">= 0" and the like are how people say "there is one".
    if (when.empty() || (when == "always" && number_.number == b->low)) return;
    report("prometheus.range",
           fmt::format("{} lies between {:g} and {:g}: {} {:g} is {} true", words_of_left(), b->low, b->high, op_,
                       number_.number, when),
           b->high == 1 && number_.number > 1 && number_.number <= 100
               ? fmt::format("as a share it is {:g}", number_.number / 100)
               : "");
  }

  std::string words_of_left() const {
    const PromNode* selector = kept_selector(left_);
    return selector != nullptr ? selector->name : "the left side";
  }

  void percent(const PromNode& selector) {
    const Metric* metric = metric_of(selector, e_.vocabulary);
    if (metric == nullptr || metric->kind != MetricKind::kPercent || number_.number <= 0 || number_.number >= 1) return;
    report("prometheus.percent",
           fmt::format("{} counts from 0 to 100: {:g} is less than one percent", selector.name, number_.number),
           fmt::format("{:g}", number_.number * 100));
  }

  void counter(const PromNode& selector) {
    const Metric* metric = metric_of(selector, e_.vocabulary);
    if (metric == nullptr || metric->kind != MetricKind::kCounter || !above() || selector.range) return;
    report("prometheus.counter",
           fmt::format("{} only grows: once it is over {:g} it stays there until the process ends", selector.name,
                       number_.number),
           fmt::format("increase({}[10m]) {} …", selector.name, op_));
  }

  void temperature(const PromNode& selector) {
    const Vocabulary& v = e_.vocabulary;
    if (selector.name != "DCGM_FI_DEV_GPU_TEMP" || !above() || number_.number <= v.slowdown_c) return;
    report("prometheus.temperature",
           fmt::format("{} slows itself down at {:g} C and stops at {:g} C: {:g} C comes too late", v.hot_device,
                       v.slowdown_c, v.shutdown_c, number_.number),
           "below the temperature at which nvidia-smi -q says it slows down");
  }

  // P0 is the state of the highest performance, P15 that of the lowest.
  void performance_state(const PromNode& selector) {
    if (selector.name != "DCGM_FI_DEV_PSTATE") return;
    const bool fast = (op_ == "==" && number_.number == 0) || op_ == "<" || op_ == "<=";
    const bool wrong = (fast && speaks_of(e_.alert, {"throttl", "slow", "idle", "saving", "lowpower", "low_power"})) ||
                       (above() && speaks_of(e_.alert, {"highperf", "high_perf", "fullspeed", "full_speed", "boost"}));
    if (!wrong) return;
    report("prometheus.pstate",
           fmt::format("{} is about state P{:g} and {}, and P0 is the highest performance", e_.alert, number_.number,
                       fast ? "below" : "above"),
           "turn the comparison round");
  }

  void scrape_health(const PromNode& selector) {
    if (selector.name != "up" || !selector.range) return;
    report("prometheus.up", "up says that metrics could be fetched, not that requests were answered",
           "the share of requests that failed");
  }

  void memory() {
    if (!above() || guarded_ || number_.number > 0.95 || number_.number < 0.5) return;
    const PromNode* selector = is_share(left_) ? &left_.parts[0] : nullptr;
    if (selector == nullptr || selector->name != "DCGM_FI_DEV_FB_USED") return;
    report(
        "prometheus.memory",
        fmt::format("vLLM takes 0.9 of the memory when it starts, unless told otherwise: {} {:g} speaks all the time",
                    op_, number_.number),
        "vllm:kv_cache_usage_perc together with requests that wait");
  }

  const AlertExpression& e_;
  const PromNode& left_;
  const std::string& op_;
  const PromNode& number_;
  bool guarded_;
  Remarks& out_;
};

const PromNode* histogram_in(const PromNode& node) {
  if (node.kind == Kind::kSelector) return node.name.ends_with("_bucket") ? &node : nullptr;
  for (const PromNode& part : node.parts) {
    if (const PromNode* found = histogram_in(part)) return found;
  }
  return nullptr;
}

bool loses_le(const PromNode& node) {
  if (node.kind != Kind::kAggregate || node.name != "sum") return false;
  const bool named = std::find(node.labels.begin(), node.labels.end(), "le") != node.labels.end();
  return node.keeps || !node.grouped ? !named : named;
}

// A time in seconds held against a number: below the first bucket nothing is known, and hundreds are milliseconds.
void check_latency(const AlertExpression& e, const PromNode& quantile, const PromNode& number, Remarks& out) {
  const PromNode* selector = histogram_in(quantile.parts[1]);
  const Metric* metric = selector == nullptr ? nullptr : metric_of(*selector, e.vocabulary);
  if (metric == nullptr || metric->lowest_s <= 0) return;
  const std::string name = selector->name.substr(0, selector->name.size() - 7);
  if (number.number < metric->lowest_s && number.number > 0) {
    out.push_back({.rule = "prometheus.bucket",
                   .mark = e.place(number),
                   .message = fmt::format("the first bucket of {} ends at {:g} s: {:g} s cannot be told from less",
                                          name, metric->lowest_s, number.number),
                   .terms = {},
                   .help = "vllm:inter_token_latency_seconds, when the time between tokens is meant"});
  } else if (number.number >= 100 && metric->lowest_s < 0.3) {
    out.push_back({.rule = "prometheus.unit",
                   .mark = e.place(number),
                   .message = fmt::format("{} is in seconds: {:g} of them", name, number.number),
                   .terms = {},
                   .help = fmt::format("{:g}, when milliseconds are meant", number.number / 1000)});
  }
}

}  // namespace

void check_metrics(const AlertExpression& e, Remarks& out) {
  each(e.root, [&](const PromNode& node) {
    if (node.kind == Kind::kCall && node.parts.size() == 1 &&
        (node.name == "rate" || node.name == "increase" || node.name == "irate")) {
      const Metric* metric = metric_of(node.parts[0], e.vocabulary);
      const bool level =
          metric != nullptr && (metric->kind == MetricKind::kGauge || metric->kind == MetricKind::kRatio ||
                                metric->kind == MetricKind::kPercent);
      if (level) {
        out.push_back({.rule = "prometheus.gauge_rate",
                       .mark = e.place(node.parts[0]),
                       .message = fmt::format("{} goes up and down, and {}() is for what only grows",
                                              node.parts[0].name, node.name),
                       .help = "delta(), deriv() or changes()"});
      }
    }
    if (node.kind != Kind::kSelector || e.recorded.contains(node.name)) return;
    const Exporter* exporter = e.vocabulary.exporter_of(node.name);
    if (exporter == nullptr) return;
    const Metric* metric = metric_of(node, e.vocabulary);
    if (metric != nullptr && metric->kind != MetricKind::kGone) return;
    if (metric != nullptr) {
      out.push_back(
          {.rule = "prometheus.metric_gone",
           .mark = e.place(node),
           .message = fmt::format("{} has no {} any more: the alert is silent for ever", exporter->name, node.name),
           .help = "instead of it: " + metric->instead});
      return;
    }
    std::vector<std::string> names;
    for (const auto& [name, known] : exporter->metrics) names.push_back(name);
    // Names are long, so that "close" alone is not enough: a letter or two, and not another word in the middle.
    const std::string close = did_you_mean(node.name, names);
    const bool misspelt =
        !close.empty() && close.size() <= node.name.size() + 3 && node.name.size() <= close.size() + 3;
    out.push_back({.rule = misspelt ? "prometheus.metric_misspelt" : "prometheus.metric",
                   .mark = e.place(node),
                   .message = fmt::format("fathom knows no {} of {}: where nothing exports it, the alert is silent",
                                          node.name, exporter->name),
                   .terms = {},
                   .help = misspelt ? fmt::format("did you mean \"{}\"?", close) : ""});
  });
}

void check_comparisons(const AlertExpression& e, Remarks& out) {
  std::vector<Comparison> found;
  comparisons(e.root, false, found);
  for (const Comparison& c : found) {
    Threshold(e, c, out).check();
    const PromNode& left = c.node->parts[0];
    if (left.kind == Kind::kCall && left.name == "histogram_quantile" && left.parts.size() == 2)
      check_latency(e, left, c.node->parts[1], out);
  }
}

void check_quantiles(const AlertExpression& e, Remarks& out) {
  each(e.root, [&](const PromNode& node) {
    if (node.kind != Kind::kCall || node.name != "histogram_quantile" || node.parts.size() != 2) return;
    const PromNode &share = node.parts[0], &buckets = node.parts[1];
    if (share.kind == Kind::kNumber && (share.number < 0 || share.number > 1)) {
      out.push_back({.rule = "prometheus.quantile",
                     .mark = e.place(share),
                     .message = fmt::format("a quantile lies between 0 and 1, and {:g} gives infinity", share.number),
                     .help = share.number <= 100 ? fmt::format("{:g}", share.number / 100) : ""});
    }
    if (loses_le(buckets) && histogram_in(buckets) != nullptr) {
      out.push_back({.rule = "prometheus.quantile",
                     .mark = e.place(buckets),
                     .message = "the sum loses the label le, by which histogram_quantile tells the buckets apart",
                     .help = "sum by (le, …)"});
    }
  });
}

}  // namespace fathom::manifests
