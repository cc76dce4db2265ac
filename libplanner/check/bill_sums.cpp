// Line totals, sums, tax and shares of a bill.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "check/bill_rules.h"
#include "units/number.h"

namespace fathom::bill_rules {

namespace {

using namespace bill;

// ---------------------------------------------------------------------------------------------------------------------
// One line

bool within(double stated, double low, double high, double tolerance) {
  const double slack = tolerance + 1e-9 * std::max(std::abs(stated), std::abs(high));
  return stated >= low - slack && stated <= high + slack;
}

enum class LineTotal {
  kUnknown,  // no quantity, no price or no total
  kExact,    // to the last place that is written
  kRounded,  // as the unit price is rounded
  kWrong
};

LineTotal judge(const Bill& bill, const Row& row) {
  const auto product = product_of(bill, row);
  if (!product || !row.total) return LineTotal::kUnknown;
  const Amount& total = *row.total;
  const double tolerance = total.half_place + (row.price->about || total.about ? 0.1 * total.high : 0);
  for (const double times : {1.0, row.term.value_or(1)}) {
    const double low = product->low * times, high = product->high * times;
    if (total.is_range() ? within(total.low, low, low, tolerance) && within(total.high, high, high, tolerance)
                         : within(total.low, low, high, tolerance))
      return product->low == product->high ? LineTotal::kExact : LineTotal::kRounded;
    const double reach = tolerance + product->price_rounding * times;
    if (within(total.low, low, high, std::min(reach, 0.005 * high))) return LineTotal::kRounded;
    // Unit prices in 万 are rounded to thousands of yuan; the total may come from the full ones.
    if (row.price->scale > 1 && within(total.low, low, high, reach)) return LineTotal::kRounded;
  }
  // A price per metre may also stand behind 120 km.
  if (row.price->per.empty() && lower(row.quantity->unit) == "km" &&
      within(total.low, 1000 * product->low, 1000 * product->high, tolerance))
    return LineTotal::kExact;
  if (bill.discounts && total.high < product->low) return LineTotal::kUnknown;
  return LineTotal::kWrong;
}

// What a factor of ten tells about how it came about.
std::string lost_factor(double stated, double right, const Row& row) {
  if (!(stated > 0) || !(right > 0)) return {};
  const double power = std::log10(right / stated);
  const double whole = std::round(power);
  if (whole == 0 || std::abs(power - whole) > 0.002) return {};
  const std::string direction = whole > 0 ? "too low" : "too high";
  const double size = std::abs(whole);
  if (size == 4) return fmt::format("{} by 10,000: one of them counts in 元, the other in 万", direction);
  if (size == 3) return fmt::format("{} by 1,000: a k, or a kilometre priced as a metre", direction);
  if (size == 8) return fmt::format("{} by 10^8: 亿 lost", direction);
  const bool unit = row.quantity && !row.quantity->unit.empty() && row.price && !row.price->per.empty();
  return fmt::format("{} by a factor of {}: a digit of the decimal point{}", direction,
                     plain_number(std::pow(10.0, size)), unit ? ", or the unit that is priced" : "");
}

std::string as_if_taxed(double stated, double right) {
  for (const double rate : {0.03, 0.06, 0.09, 0.13, 0.19, 0.2, 0.21}) {
    if (std::abs(stated / right - 1 - rate) < 5e-4)
      return fmt::format("{:g} % too high: tax is in the total and not in the price", 100 * rate);
  }
  return {};
}

// ---------------------------------------------------------------------------------------------------------------------
// Sums

struct Sum {
  double low = 0, high = 0;
  double rounding = 0;   // half places of what is added
  bool complete = true;  // every line has an amount
  bool exact = true;     // and every one is quantity x price to the last place
  int lines = 0;
  std::string currency;
};

// What each line adds and whether it is right, worked out once.
struct Ledger {
  const Bill& bill;
  std::vector<std::optional<Amount>> amounts = {};
  std::vector<LineTotal> judged = {};
};

std::optional<Amount> amount_of(const Bill& bill, const Row& row) {
  if (row.total) return row.total;
  const auto product = product_of(bill, row);
  if (!product) return std::nullopt;
  Amount out = *row.price;
  out.low = product->low;
  out.high = product->high;
  return out;
}

Ledger ledger_of(const Bill& bill) {
  Ledger out{.bill = bill};
  for (const Row& row : bill.rows) {
    out.amounts.push_back(amount_of(bill, row));
    out.judged.push_back(row.kind == RowKind::kItem ? judge(bill, row) : LineTotal::kUnknown);
  }
  return out;
}

void add(const Ledger& ledger, std::size_t at, const std::string& currency, Sum& sum) {
  const Row& row = ledger.bill.rows[at];
  const std::optional<Amount>& amount = ledger.amounts[at];
  if (!amount) {
    if (!row.priced_elsewhere && row.quantity) sum.complete = false;
    return;
  }
  double rate = 1;
  if (!amount->currency.empty() && !currency.empty() && amount->currency != currency) {
    try {
      rate = convert(Money::from_major(1e6, amount->currency), currency, ledger.bill.rates).major() / 1e6;
      sum.exact = false;
    } catch (const MoneyError&) {
      sum.complete = false;
      return;
    }
  }
  sum.low += amount->low * rate;
  sum.high += amount->high * rate;
  sum.rounding += amount->half_place * rate;
  sum.exact &= row.total && !amount->about && ledger.judged[at] == LineTotal::kExact;
  ++sum.lines;
}

// The stretches of lines that a total may stand for.
struct Stretch {
  std::size_t first = 0;
  bool taxes = false;
  const char* what = "";
};

struct Candidate {
  Sum sum;
  Stretch stretch;
};

std::vector<Candidate> candidates(const Ledger& ledger, std::size_t at) {
  const Bill& bill = ledger.bill;
  const Row& total = bill.rows[at];
  std::size_t since_total = 0, since_subtotal = 0, section = at;
  bool taxes = false;
  for (std::size_t i = 0; i < at; ++i) {
    if (bill.rows[i].option != total.option) since_total = since_subtotal = i + 1;
    if (bill.rows[i].kind == RowKind::kTotal) since_total = i + 1;
    if (bill.rows[i].kind == RowKind::kTotal || bill.rows[i].kind == RowKind::kSubtotal) since_subtotal = i + 1;
    taxes |= bill.rows[i].kind == RowKind::kTax && bill.rows[i].total;
  }
  while (section > 0 && bill.rows[section - 1].section == total.section &&
         bill.rows[section - 1].kind != RowKind::kTotal)
    --section;
  std::size_t option = 0;
  while (option < at && bill.rows[option].option != total.option) ++option;
  std::vector<Stretch> stretches;
  for (const bool with : {false, true}) {
    if (with && !taxes) break;
    stretches.push_back({option, with, "all lines above"});
    stretches.push_back({since_total, with, "the lines since the last total"});
    stretches.push_back({since_subtotal, with, "the lines since the last subtotal"});
    stretches.push_back({section, with, "the lines of this section"});
  }
  std::vector<Candidate> out;
  for (const Stretch& stretch : stretches) {
    Candidate candidate{.sum = {}, .stretch = stretch};
    for (std::size_t i = stretch.first; i < at; ++i) {
      const Row& row = bill.rows[i];
      const bool counts = row.kind == RowKind::kItem || (stretch.taxes && row.kind == RowKind::kTax);
      if (counts && row.option == total.option) add(ledger, i, total.total->currency, candidate.sum);
    }
    if (candidate.sum.lines > 0) out.push_back(std::move(candidate));
  }
  return out;
}

// Spreadsheets add what they do not show, so sums of rounded lines may differ by their rounding; exact lines may not.
bool holds(const Amount& stated, const Sum& sum) {
  const double tolerance = stated.half_place + (sum.exact ? 0 : sum.rounding) + (stated.about ? 0.05 * stated.high : 0);
  if (stated.is_range())
    return within(stated.low, sum.low, sum.low, tolerance) && within(stated.high, sum.high, sum.high, tolerance);
  return within(stated.low, sum.low, sum.high, tolerance);
}

// Before everything else, a line whose amount is exactly the difference: left out, or counted twice.
std::string who_differs(const Ledger& ledger, const Candidate& candidate, std::size_t at, double difference,
                        double tolerance) {
  std::vector<std::string> names;
  for (std::size_t i = candidate.stretch.first; i < at; ++i) {
    const Row& row = ledger.bill.rows[i];
    const std::optional<Amount>& amount = ledger.amounts[i];
    if (row.kind != RowKind::kItem || !amount) continue;
    if (std::abs(std::abs(difference) - amount->low) <= tolerance + 1e-9 * amount->low) names.push_back(name_of(row));
  }
  if (names.empty() || names.size() > 2) return {};
  return fmt::format("the difference is what {} comes to: {}", listed(names, " or "),
                     difference > 0 ? "counted twice?" : "left out?");
}

void report_sum(const Ledger& ledger, std::size_t at, const std::vector<Candidate>& all, Findings& out) {
  const Bill& bill = ledger.bill;
  const Amount& stated = *bill.rows[at].total;
  const auto nearest = std::min_element(all.begin(), all.end(), [&](const Candidate& a, const Candidate& b) {
    return std::abs(a.sum.high - stated.high) < std::abs(b.sum.high - stated.high);
  });
  const Sum& sum = nearest->sum;
  // With lines missing, only a total below what is there is certainly wrong.
  if (!sum.complete && stated.high >= sum.low - stated.half_place - sum.rounding) return;
  const double difference = stated.low - sum.low;
  const std::string right = sum.low == sum.high
                                ? counted(sum.low, stated)
                                : fmt::format("{} to {}", counted(sum.low, stated), counted(sum.high, stated));
  Findings::Said said{
      .message = fmt::format("{} add to {}, not {}", nearest->stretch.what, right,
                             stated.is_range()
                                 ? fmt::format("{} to {}", counted(stated.low, stated), counted(stated.high, stated))
                                 : counted(stated.low, stated)),
      .terms = {fmt::format("{} {} by {}", sum.lines == 1 ? "one line" : fmt::format("{} lines", sum.lines),
                            difference > 0 ? "are exceeded" : "are missed", counted(std::abs(difference), stated))}};
  if (const std::string who = who_differs(ledger, *nearest, at, difference, stated.half_place); !who.empty())
    said.terms.push_back(who);
  if (const std::string lost = lost_factor(stated.low, sum.low, bill.rows[at]); !lost.empty())
    said.terms.push_back(lost);
  if (sum.complete && sum.exact && sum.low == sum.high && !stated.about) {
    said.mend = mend_number(stated, sum.low, bill.decimal_comma);
    said.help = counted(sum.low, stated);
  }
  out.add("arithmetic.sum", spot(stated.cell), std::move(said));
}

void totals(const Ledger& ledger, Findings& out) {
  const Bill& bill = ledger.bill;
  for (std::size_t i = 0; i < bill.rows.size(); ++i) {
    const Row& row = bill.rows[i];
    if ((row.kind != RowKind::kTotal && row.kind != RowKind::kSubtotal) || !row.total) continue;
    const std::vector<Candidate> all = candidates(ledger, i);
    const bool right =
        std::any_of(all.begin(), all.end(), [&](const Candidate& c) { return holds(*row.total, c.sum); });
    if (!right && !all.empty()) report_sum(ledger, i, all, out);
  }
}

// For each wrong line total the product, where a total of the bill is right with it and wrong without it; else NaN.
std::vector<double> confirmed_products(const Ledger& ledger) {
  const Bill& bill = ledger.bill;
  std::vector<double> out(bill.rows.size(), std::numeric_limits<double>::quiet_NaN());
  // Several wrong lines could make up for each other in one total.
  if (std::count(ledger.judged.begin(), ledger.judged.end(), LineTotal::kWrong) != 1) return out;
  for (std::size_t i = 0; i < bill.rows.size(); ++i) {
    if (ledger.judged[i] != LineTotal::kWrong) continue;
    const Product product = *product_of(bill, bill.rows[i]);
    for (std::size_t at = i + 1; at < bill.rows.size(); ++at) {
      const Row& total = bill.rows[at];
      if (total.kind != RowKind::kTotal || !total.total || total.total->about || total.total->is_range()) continue;
      for (const Candidate& candidate : candidates(ledger, at)) {
        const double with = candidate.sum.low - bill.rows[i].total->low + product.low;
        const bool covers =
            candidate.stretch.first <= i && candidate.sum.complete && candidate.sum.low == candidate.sum.high;
        if (covers && within(total.total->low, with, with, total.total->half_place)) out[i] = product.low;
      }
    }
  }
  return out;
}

void line_totals(const Ledger& ledger, const std::vector<double>& confirmed, Findings& out) {
  const Bill& bill = ledger.bill;
  for (std::size_t i = 0; i < bill.rows.size(); ++i) {
    const Row& row = bill.rows[i];
    if (ledger.judged[i] != LineTotal::kWrong) continue;
    const Product product = *product_of(bill, row);
    const Amount& total = *row.total;
    std::vector<std::string> terms;
    std::string why = lost_factor(total.low, product.low, row);
    if (why.empty()) why = as_if_taxed(total.low, product.low);
    if (!why.empty()) terms.push_back(why);
    Amount as_total = total;
    const std::string right = product.low == product.high ? counted(product.low, as_total)
                                                          : fmt::format("{} to {}", counted(product.low, as_total),
                                                                        counted(product.high, as_total));
    Findings::Said said{
        .message = fmt::format("{}: {} = {}, not {}", row.name(), product.equation, right, counted(total.low, total)),
        .terms = terms,
        .help = "the quantity, the unit price or the total: one of them is another"};
    if (confirmed[i] == product.low && product.low == product.high) {
      said.mend = mend_number(total, product.low, bill.decimal_comma);
      if (said.mend) said.help = fmt::format("{}: with it the total below is right", counted(product.low, total));
    }
    out.add("arithmetic.product", spot(total.cell), std::move(said));
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Tax and shares

std::optional<double> rate_of(const Row& row) {
  for (const auto& [field, cell] : row.cells) {
    for (const Measure& measure : measures_in(cell.text)) {
      if (measure.unit.empty() && measure.behind.starts_with("%") && measure.value > 0 && measure.value < 50)
        return measure.value / 100;
    }
  }
  return std::nullopt;
}

void taxes(const Ledger& ledger, Findings& out) {
  const Bill& bill = ledger.bill;
  for (std::size_t i = 0; i < bill.rows.size(); ++i) {
    const Row& row = bill.rows[i];
    const auto rate = rate_of(row);
    if (row.kind != RowKind::kTax || !row.total || !rate || row.total->is_range()) continue;
    const std::vector<Candidate> all = candidates(ledger, i);
    bool right = all.empty(), complete = true;
    for (const Candidate& c : all) {
      complete &= c.sum.complete;
      const double tolerance = row.total->half_place + *rate * c.sum.rounding;
      right |= within(row.total->low, *rate * c.sum.low, *rate * c.sum.high, tolerance);
      right |= within(row.total->low, *rate / (1 + *rate) * c.sum.low, *rate / (1 + *rate) * c.sum.high, tolerance);
    }
    if (right || !complete) continue;
    const Sum& sum = all.front().sum;
    out.add("bill.tax", spot(row.total->cell),
            {.message = fmt::format("{:g} % of {} are {}, not {}", 100 * *rate, counted(sum.low, *row.total),
                                    counted(*rate * sum.low, *row.total), counted(row.total->low, *row.total)),
             .terms = {fmt::format("if the prices hold it already, it is {}",
                                   counted(*rate / (1 + *rate) * sum.low, *row.total))}});
  }
}

struct Whole {
  double amount = 0;
  bool known = false;
};

// What shares are of: the sum of the lines, whatever the total says.
Whole whole_of(const Ledger& ledger) {
  Sum sum;
  for (std::size_t i = 0; i < ledger.bill.rows.size(); ++i) {
    if (ledger.bill.rows[i].kind == RowKind::kItem) add(ledger, i, {}, sum);
  }
  return {.amount = sum.low, .known = sum.complete && sum.lines > 0 && sum.low == sum.high && sum.low > 0};
}

void shares(const Ledger& ledger, Findings& out) {
  const Bill& bill = ledger.bill;
  const Whole whole = whole_of(ledger);
  double sum = 0, half_place = 0;
  int count = 0, wrong = 0;
  const Share* last = nullptr;
  for (std::size_t i = 0; i < bill.rows.size(); ++i) {
    const Row& row = bill.rows[i];
    if (row.kind != RowKind::kItem || !row.share) continue;
    sum += row.share->percent;
    half_place = std::max(half_place, row.share->half_place);
    last = &*row.share;
    ++count;
    const std::optional<Amount>& amount = ledger.amounts[i];
    if (!whole.known || !amount) continue;
    const double right = 100 * amount->low / whole.amount;
    if (std::abs(right - row.share->percent) <= row.share->half_place + 1e-9) continue;
    ++wrong;
    const int places = row.share->half_place < 0.05 ? 2 : row.share->half_place < 0.5 ? 1 : 0;
    const bool cut = right > row.share->percent && right - row.share->percent < 2 * row.share->half_place;
    out.add("arithmetic.share", spot(row.share->cell),
            {.message = fmt::format("{}: {} / {} = {:.{}f} %, not {}", row.name(), counted(amount->low, *amount),
                                    counted(whole.amount, *amount), right, places + 2, row.share->cell.text),
             .terms = {fmt::format("rounded {:.{}f} %{}", right, places, cut ? "; it is cut off instead" : "")}});
  }
  if (count < 2 || last == nullptr) return;
  // Rounded one by one they may miss 100; where no share is wrong by itself, nothing is.
  const double missed = std::abs(sum - 100);
  if (missed <= 2 * half_place || (whole.known && wrong == 0) || missed <= (wrong == 0 ? count * half_place : 0))
    return;
  out.add("arithmetic.sum", spot(last->cell),
          {.message = fmt::format("the shares add to {} %, not 100 %", plain_number(sum))});
}

}  // namespace

void check_sums(const Bill& bill, Findings& findings) {
  const Ledger ledger = ledger_of(bill);
  line_totals(ledger, confirmed_products(ledger), findings);
  totals(ledger, findings);
  taxes(ledger, findings);
  shares(ledger, findings);
}

}  // namespace fathom::bill_rules
