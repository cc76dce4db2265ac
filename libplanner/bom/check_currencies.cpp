#include <algorithm>
#include <array>

#include "bom/read_parts.h"
#include "units/number.h"

namespace fathom::bom {

namespace {

constexpr std::array kMoneyKeys = {"price",           "annual",       "once",  "price_each",   "price_per_end",
                                   "price_per_metre", "per_gpu_hour", "input", "cached_input", "output"};
constexpr std::array kFactKeys = {"value", "typical", "low", "high"};

template <class Words>
bool contains(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

class CurrencyCheck {
 public:
  CurrencyCheck(const std::string& file, const Finance& finance) : file_(file), finance_(finance) {}

  void check(const Value& where, const std::string& currency) const {
    const bool exchanged =
        std::any_of(finance_.exchange.begin(), finance_.exchange.end(), [&](const ExchangeRate& rate) {
          return (rate.from == currency && rate.to == finance_.currency) ||
                 (rate.to == currency && rate.from == finance_.currency);
        });
    if (currency.empty() || currency == finance_.currency || exchanged) return;
    Context{file_, where}.fail(
        "there is no exchange rate between " + currency + " and " + finance_.currency,
        "add it to finance: exchange: [{from: " + currency + ", to: " + finance_.currency + ", rate: ..., date: ...}]");
  }

  // Everything that was read as money, at its place.
  void walk(const Value& value, bool is_money) const {
    for (const Value& item : value.items) walk(item, false);
    for (const Entry& entry : value.entries) {
      walk(entry.value, contains(kMoneyKeys, entry.key) || (is_money && contains(kFactKeys, entry.key)));
    }
    if (!is_money || value.kind != Value::Kind::kScalar) return;
    const bool per_unit = value.text.find('/') != std::string::npos;
    check(value, per_unit ? parse_unit_price(value.text).currency : parse_money(value.text).currency());
  }

 private:
  const std::string& file_;
  const Finance& finance_;
};

}  // namespace

void check_currencies(const std::string& file, const Value& root, const Cluster& cluster) {
  const CurrencyCheck currencies(file, cluster.finance);
  for (const char* section : {"sites", "groups", "fabrics", "storage", "items", "software", "yearly", "alternatives"}) {
    if (const Value* value = root.find(section)) currencies.walk(*value, false);
  }
  // What the catalog filled in stands under a name, not under an amount.
  for (std::size_t i = 0; i < cluster.sites.size(); ++i) {
    const auto& electricity = cluster.sites[i].electricity;
    if (electricity) currencies.check(*root.find("sites")->items[i].find("electricity"), electricity->value.currency);
  }
  for (std::size_t i = 0; i < cluster.alternatives.size(); ++i) {
    const Alternative& alternative = cluster.alternatives[i];
    const Value& at = root.find("alternatives")->items[i];
    if (alternative.per_gpu_hour) currencies.check(at, alternative.per_gpu_hour->value.currency);
    if (alternative.output) currencies.check(at, alternative.output->value.currency);
  }
}

}  // namespace fathom::bom
