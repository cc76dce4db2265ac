// Where software runs, what it is, what it does: catalogs/products.yaml and the stacks of catalogs/engines.yaml.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "check/claims_terms.h"
#include "units/number.h"

namespace fathom::claims {

namespace {

bool same(const std::string& a, const std::string& b) { return normalised_name(a) == normalised_name(b); }

// Engines say it in engines.yaml, others in the catalog of products.
std::vector<std::string> places_of(Terms& claim, const Product& product) {
  if (!product.runs_on.empty()) return product.runs_on;
  const EngineProfile* engine = claim.audit().engine(product.id);
  return engine != nullptr ? engine->stacks : std::vector<std::string>{};
}

Judgement runs_on(Terms& claim) {
  const Product& product = claim.entry_value<Product>();
  const NamedPart part = claim.part("part");
  if (part.cpu != nullptr && product.uniform_cores.value_or(false)) {
    const std::string text = fmt::format("{} needs processors whose cores are alike", product.name);
    if (part.cpu->uniform_cores.value_or(true)) return holds(text);
    return contradicted(fmt::format("{}, {} has two kinds{}", text, part.cpu->name,
                                    product.notes.empty() ? "" : ": " + product.notes.front()));
  }
  const std::vector<std::string> places = places_of(claim, product);
  if (places.empty()) return unchecked("where " + product.name + " runs is not in the catalog");
  const std::string here = part.accelerator != nullptr ? part.accelerator->stack : part.vendor() + " " + part.name();
  const bool runs = std::any_of(places.begin(), places.end(), [&](const std::string& place) {
    return here.find(place) != std::string::npos || (part.cpu != nullptr && place == "CPU");
  });
  const std::string text =
      fmt::format("{} runs on {}, {} is {}", product.name, listed(places, ", "), part.name(), here);
  return runs ? holds(text) : contradicted(text);
}

Judgement based_on(Terms& claim) {
  const Product& product = claim.entry<Product>("software");
  const std::string stated = claim.word_value();
  if (product.based_on.empty()) return unchecked("what " + product.name + " is based on is not in the catalog");
  const bool is = std::any_of(product.based_on.begin(), product.based_on.end(), [&](const std::string& base) {
    return normalised_name(base).find(normalised_name(stated)) != std::string::npos;
  });
  const std::string text = fmt::format("{} is based on {}", product.name, listed(product.based_on, ", "));
  return is ? holds(text) : contradicted(fmt::format("{}, not on {}", text, stated));
}

// What the entry of a feature says, when one of its keys is the feature.
const std::string* remark(const std::map<std::string, std::string>& remarks, const std::string& feature) {
  for (const auto& [key, text] : remarks) {
    if (same(key, feature)) return &text;
  }
  return nullptr;
}

Judgement offers(Terms& claim) {
  const Product& product = claim.entry<Product>("software");
  const std::string stated = claim.word_value();
  if (const std::string* text = remark(product.partly, stated))
    return misleading(fmt::format("{} in {}: {}", stated, product.name, *text));
  if (const std::string* text = remark(product.lacks, stated))
    return contradicted(fmt::format("no {} in {}: {}", stated, product.name, *text));
  const bool there = std::any_of(product.offers.begin(), product.offers.end(),
                                 [&](const std::string& feature) { return same(feature, stated); });
  if (there) return holds(fmt::format("{} offers {}", product.name, stated));
  return unchecked(fmt::format("whether {} offers {} is not in the catalog, which knows: {}", product.name, stated,
                               product.offers.empty() ? "nothing" : listed(product.offers, ", ")));
}

// Several engines for one model are a choice, not a stack.
Judgement alternatives(Terms& claim) {
  const std::vector<std::string> names = claim.list("software");
  claim.number_value();
  std::map<std::string, std::vector<std::string>> by_kind;
  for (const std::string& name : names) {
    try {
      const Product& product = claim.catalog().find<Product>(name);
      by_kind[product.kind].push_back(product.name);
    } catch (const LookupError& error) {
      claim.fail_term("software", error.what(),
                      error.candidates.empty() ? "" : "did you mean " + error.candidates.front() + "?");
    }
  }
  for (const auto& [kind, products] : by_kind) {
    if (products.size() > 1)
      return contradicted(fmt::format("{} are alternatives: each is an {}, and a copy of a model runs in one",
                                      listed(products, " and "), kind));
  }
  return holds("each of them does something else");
}

Judgement kind(Terms& claim) {
  const Product& product = claim.entry<Product>("software");
  const std::string stated = claim.word_value();
  const std::string text = fmt::format("{} is this: {}", product.name, product.kind);
  if (same(product.kind, stated)) return holds(text);
  for (const std::string& base : product.based_on) {
    try {
      const Product& part = claim.catalog().find<Product>(base);
      if (same(part.kind, stated))
        return misleading(fmt::format("{}; {} ({}) is only a part of it", text, part.name, part.kind));
    } catch (const LookupError&) {
      continue;  // words, no entry
    }
  }
  return contradicted(fmt::format("{}, not {}", text, stated));
}

bool starts_version(const std::string& version, const std::string& release) {
  return version == release || version.starts_with(release + ".");
}

const Release* release_of(const Product& product, const std::string& version) {
  for (const Release& release : product.releases) {
    if (starts_version(version, release.version)) return &release;
  }
  return nullptr;
}

Judgement release_name(Terms& claim) {
  const Product& product = claim.entry<Product>("software");
  const std::string version = claim.need<std::string>("version");
  const std::string stated = claim.word_value();
  const Release* release = release_of(product, version);
  if (release == nullptr || !release->name)
    return unchecked(fmt::format("the catalog has no name of {} {}", product.name, version));
  std::string text = fmt::format("{} {} is {}", product.name, version, *release->name);
  if (same(*release->name, stated)) return holds(text);
  for (const Release& other : product.releases) {
    if (other.name && same(*other.name, stated)) text += fmt::format(", {} is {}", *other.name, other.version);
  }
  return contradicted(text);
}

// A version that is older than the model cannot know it.
Judgement serves_model(Terms& claim) {
  const Product& product = claim.entry<Product>("software");
  const std::string version = claim.need<std::string>("version");
  const ModelEntry& model = claim.entry_value<ModelEntry>();
  const Release* release = release_of(product, version);
  if (release == nullptr || !release->year)
    return unchecked(fmt::format("when {} {} appeared is not in the catalog", product.name, version));
  std::string text =
      fmt::format("{} {} is of {}, {} of {}", product.name, version, *release->year, model.name, model.year);
  if (const std::string* partly = remark(product.partly, "language models")) text += "; " + *partly;
  return *release->year < model.year ? contradicted(text) : holds(text);
}

Judgement limit(Terms& claim) {
  const Product& product = claim.entry<Product>("software");
  const std::string of = claim.need<std::string>("of");
  const double stated = claim.number_value();
  const auto known = product.limits.find(of);
  if (known == product.limits.end())
    return unchecked(fmt::format("the catalog has no limit of {} for {}", of, product.name));
  const std::string text =
      fmt::format("{} {} of {} that {} copes with", number(stated), of, number(known->second.value), product.name);
  return stated <= known->second.value ? holds(text) : contradicted(text);
}

// A command line against the options of the program: unknown ones are errors, and known ones may do something else.
Judgement command(Terms& claim) {
  const Product& product = claim.entry<Product>("software");
  const auto purpose = claim.find<std::string>("purpose");
  const std::string line = claim.word_value();
  if (product.options.empty()) return unchecked("the options of " + product.name + " are not in the catalog");
  std::vector<std::string> words;
  for (std::size_t start = 0; start < line.size();) {
    const std::size_t end = std::min(line.find(' ', start), line.size());
    if (end > start) words.push_back(line.substr(start, end - start));
    start = end + 1;
  }
  if (!words.empty() && words.front() == product.id) words.erase(words.begin());
  std::string verb;  // "vgpu -c": options of a subcommand have its name in front
  if (!words.empty() && words.front()[0] != '-') verb = words.front() + " ";
  std::string done;
  for (const std::string& word : words) {
    const bool option = word.size() > 1 && word[0] == '-' && std::isdigit(static_cast<unsigned char>(word[1])) == 0;
    if (!option) continue;
    const auto known = product.options.find(verb + word.substr(0, word.find('=')));
    if (known == product.options.end())
      return contradicted(fmt::format("{} {}has no option {}", product.name, verb, word));
    done += fmt::format("{}{} {}", done.empty() ? "" : "; ", known->first, known->second);
    if (purpose && known->second.starts_with("lists") && !purpose->starts_with("list"))
      return contradicted(fmt::format("{} {}, it does not {}{}", known->first, known->second, *purpose,
                                      product.notes.empty() ? "" : ": " + product.notes.front()));
  }
  return holds(done.empty() ? "no option" : done);
}

}  // namespace

std::vector<Subject> software_claims() {
  return {{"software.runs_on", runs_on},           {"software.based_on", based_on}, {"software.offers", offers},
          {"software.alternatives", alternatives}, {"software.kind", kind},         {"software.release", release_name},
          {"software.serves_model", serves_model}, {"software.limit", limit},       {"software.command", command}};
}

}  // namespace fathom::claims
