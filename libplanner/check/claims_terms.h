// The value and the terms of one claim, typed: a missing term, a wrong unit, an unknown part or a name that nobody asked
// for is an InputError at its place. Internal to the audit of claims.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "check/amount.h"
#include "check/claims.h"
#include "input/reader.h"
#include "model/format.h"
#include "plan/plan.h"
#include "timing/engine_profile.h"
#include "units/text.h"  // percent

namespace fathom::claims {

// What the audit of one file computes at most once.
struct Audit {
  const Design& design;
  std::optional<Plan> made = {};
  std::map<std::string, std::optional<EngineProfile>> engines = {};  // those that were asked for

  const Plan& plan();
  const EngineProfile* engine(const std::string& id);  // nullptr when engines.yaml does not have it
};

struct Judgement {
  Verdict verdict = Verdict::kCannotBeChecked;
  std::string computation;
};
Judgement holds(std::string computation);
Judgement misleading(std::string computation);
Judgement contradicted(std::string computation);
Judgement unchecked(std::string computation);

// A part of the catalog, whatever its kind; one of the pointers is set.
struct NamedPart {
  const Accelerator* accelerator = nullptr;
  const Cpu* cpu = nullptr;
  const NetworkCard* nic = nullptr;
  const Switch* net_switch = nullptr;

  std::string vendor() const;
  std::string name() const;
};

// A quantity of any unit as it is written, for sums and products.
struct WrittenAmount {
  std::string text;
  Amount amount;
  double half_place = 0;  // half of its last decimal place, in the unit of `amount`
  bool percent = false;
};

[[noreturn]] void fail_lookup(const Context& at, const LookupError& error);

template <class T>
const T& find_in_catalog(const Context& at, const Catalog& catalog) {
  std::string name;
  read(at, name);
  try {
    return catalog.find<T>(name);
  } catch (const LookupError& error) {
    fail_lookup(at, error);
  }
}

class Terms {
 public:
  Terms(Audit& audit, std::size_t index);

  Audit& audit() { return audit_; }
  const Claim& claim() const { return claim_; }
  const Cluster& cluster() const { return audit_.design.cluster; }
  const Catalog& catalog() const { return audit_.design.catalog; }
  const std::string& value_text() const { return claim_.value; }

  // --- the value ---
  template <class T>
  T value() {
    T out{};
    read(value_context(), out);
    return out;
  }
  double number_value();  // "1000", "3.8 x", "2 nodes": a number and at most one word
  double share_value();   // "40 %" or 0.4
  std::string word_value();
  WrittenAmount amount_value();
  WeightScheme scheme_value();
  template <class T>
  const T& entry_value() {
    return find_in_catalog<T>(value_context(), catalog());
  }
  [[noreturn]] void fail_value(const std::string& message, const std::string& hint = {});

  // --- the terms ---
  template <class T>
  T need(const std::string& key) {
    return terms_.required<T>(key);
  }
  template <class T>
  std::optional<T> find(const std::string& key) {
    return terms_.optional<T>(key);
  }
  template <class T>
  T get(const std::string& key, T fallback) {
    return terms_.get<T>(key, std::move(fallback));
  }
  double count(const std::string& key);  // at least 1
  double count(const std::string& key, double fallback);
  double share(const std::string& key);  // "40 %" or 0.4
  std::optional<WeightScheme> find_scheme(const std::string& key);
  WeightScheme scheme(const std::string& key);
  double bits(const std::string& key);  // of a number format, scales left out
  std::size_t choice(const std::string& key, const std::vector<std::string>& words) {
    return terms_.choice(key, words);
  }
  WrittenAmount amount(const std::string& key);
  std::vector<std::pair<std::string, WrittenAmount>> all_amounts();  // every term
  bool has(const std::string& key) { return terms_.take(key) != nullptr; }
  std::vector<std::string> list(const std::string& key);  // "a, b, c"
  const Group& group(const std::string& key);
  NamedPart part(const std::string& key);
  Architecture model(const std::string& key = "model");  // of the catalog, or the workload's own
  template <class T>
  const T& entry(const std::string& key) {
    return find_in_catalog<T>(term_context(key), catalog());
  }
  template <class T>
  const T* find_entry(const std::string& key) {
    return terms_.take(key) == nullptr ? nullptr : &entry<T>(key);
  }
  [[noreturn]] void fail_term(const std::string& key, const std::string& message, const std::string& hint = {});

  Fact<double> constant(const std::string& id) const;  // of catalogs/constants.yaml, in SI units

  void finish() { terms_.finish(); }  // terms that nobody asked for
  Spot spot() const;                  // of the value, else of the claim

 private:
  Context value_context();
  Context term_context(const std::string& key);

  Audit& audit_;
  std::size_t index_;
  const Claim& claim_;
  const Value& item_;
  Value none_;  // stands for terms that are not there
  MapReader terms_;
};

std::string times(double ratio);   // "3.2 times"
std::string number(double value);  // "1,342.05", "0.734"

using Judge = Judgement (*)(Terms&);
struct Subject {
  const char* about;
  Judge judge;
};
// One table per family of claims.
std::vector<Subject> arithmetic_claims();
std::vector<Subject> bill_claims();
std::vector<Subject> money_claims();
std::vector<Subject> power_claims();
std::vector<Subject> memory_claims();
std::vector<Subject> model_claims();
std::vector<Subject> part_claims();
std::vector<Subject> part_figure_claims();
std::vector<Subject> link_claims();
std::vector<Subject> fabric_claims();
std::vector<Subject> latency_claims();
std::vector<Subject> queueing_claims();
std::vector<Subject> serving_claims();
std::vector<Subject> layout_claims();
std::vector<Subject> storage_claims();
std::vector<Subject> software_claims();
std::vector<Subject> evidence_claims();
std::vector<Subject> operation_claims();
std::vector<Subject> plan_claims();

}  // namespace fathom::claims
