// What a design says it contains, how many of it, and what it refers to, against its own bill.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/claims_terms.h"
#include "units/number.h"

namespace fathom::claims {

namespace {

std::string plain(std::string_view text) { return normalised_name(text); }  // without case, blanks and hyphens

// Everything that the bill names: parts as the catalog and as the design call them, items, software, storage, fabrics.
std::vector<std::string> names_in_bill(const Cluster& cluster) {
  std::vector<std::string> names;
  for (const Group& group : cluster.groups) {
    if (const Accelerator* a = group.node.accelerator) {
      for (const std::string& word : {a->id, a->name, a->vendor, a->stack}) names.push_back(word);
    }
    if (const Cpu* cpu = group.node.cpu) {
      for (const std::string& word : {cpu->id, cpu->name, cpu->vendor}) names.push_back(word);
    }
    for (const Nic& nic : group.node.nics) names.push_back(nic.part);
    for (const Disk& disk : group.node.disks) names.push_back(disk.part);
  }
  for (const Item& item : cluster.items) names.push_back(item.what);
  for (const Software& software : cluster.software) names.push_back(software.id);
  for (const Storage& storage : cluster.storage) names.push_back(storage.id);
  for (const Fabric& fabric : cluster.fabrics) {
    names.push_back(fabric.kind);
    for (const SwitchTier& tier : fabric.switches) names.push_back(tier.part);
  }
  names.push_back(cluster.workload.engine);
  return names;
}

// Kubernetes calls a device "vendor.domain/resource": the vendor is what the bill must have.
std::string word_to_look_for(const std::string& value) {
  const std::size_t slash = value.find('/');
  const std::size_t dot = value.find('.');
  return slash != std::string::npos && dot < slash ? value.substr(0, dot) : value;
}

bool has(const std::vector<std::string>& names, const std::string& word) {
  const std::string wanted = plain(word);
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return plain(name).find(wanted) != std::string::npos; });
}

std::string bill_in_short(const Cluster& cluster) {
  std::vector<std::string> parts;
  for (const Group& group : cluster.groups) {
    if (group.node.accelerator != nullptr) parts.push_back(group.node.accelerator->name);
    if (group.node.cpu != nullptr) parts.push_back(group.node.cpu->name);
  }
  std::sort(parts.begin(), parts.end());
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  return parts.empty() ? "no part by name" : listed(parts, " and ");
}

Judgement contains(Terms& claim) {
  const std::string value = claim.word_value();
  const std::string word = word_to_look_for(value);
  if (has(names_in_bill(claim.cluster()), word)) return holds(fmt::format("the bill has {}", word));
  return contradicted(fmt::format("no {} in the bill, which has {}", value, bill_in_short(claim.cluster())));
}

Judgement one_count(Terms& claim) {
  const double low = claim.count("low"), high = claim.count("high");
  const double stated = claim.number_value();
  if (low > high) claim.fail_term("low", "it is above \"high\"");
  if (stated < low || stated > high)
    return contradicted(fmt::format("{} is not within {} to {}", number(stated), number(low), number(high)));
  if (low == high) return holds(number(low));
  return misleading(fmt::format("{} or {}: prices, power and layout need one number", number(low), number(high)));
}

// One count that follows from two others, rounded up.
Judgement racks(Terms& claim) {
  const double nodes = claim.count("nodes"), each = claim.count("nodes_per_rack");
  const double stated = claim.number_value();
  const double needed = std::ceil(nodes / each);
  const std::string equation = fmt::format("ceil({} / {}) = {}", number(nodes), number(each), number(needed));
  if (stated == needed) return holds(equation);
  return contradicted(fmt::format("{}, not {}: {} places for {} nodes", equation, number(stated), number(stated * each),
                                  number(nodes)));
}

Judgement licences(Terms& claim) {
  const std::string unit = claim.need<std::string>("unit");
  const double needed = claim.count("needed"), bought = claim.number_value();
  if (const Licence* licence = claim.find_entry<Licence>("part")) {
    if (licence->unit != unit)
      return contradicted(fmt::format("{} is licensed per {}, not per {}", licence->name, licence->unit, unit));
  }
  const std::string text = fmt::format("{} of {} that are needed, one per {}", number(bought), number(needed), unit);
  return bought >= needed ? holds(text) : contradicted(fmt::format("{}: {}", text, percent(bought / needed)));
}

std::vector<std::string> words_in(const std::string& text) {  // "a, b, c"
  std::vector<std::string> words;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string word(trimmed(std::string_view(text).substr(start, end - start)));
    if (!word.empty()) words.push_back(word);
    start = end + 1;
  }
  return words;
}

std::vector<std::string> without(const std::vector<std::string>& names, std::vector<std::string> words) {
  std::erase_if(words, [&](const std::string& word) { return has(names, word); });
  return words;
}

// What is cited must be part of the design: in its bill, or among what the document says it uses.
Judgement cited(Terms& claim) {
  std::vector<std::string> names = names_in_bill(claim.cluster());
  for (const std::string& used : claim.list("uses")) names.push_back(used);
  const std::vector<std::string> sources = words_in(claim.word_value());
  if (sources.empty()) claim.fail_value("expected names, separated by commas");
  const std::vector<std::string> strangers = without(names, sources);
  if (strangers.empty()) return holds("all of it is part of the design");
  const std::string text = fmt::format("{} of {} occur neither in the bill nor in the architecture: {}",
                                       strangers.size(), sources.size(), listed(strangers, ", "));
  return strangers.size() == sources.size() ? contradicted(text) : misleading(text);
}

// What a text relies on has to be bought, or be there already: then the bill can say so at no price.
Judgement complete(Terms& claim) {
  const std::vector<std::string> needed = words_in(claim.word_value());
  if (needed.empty()) claim.fail_value("expected names, separated by commas");
  const std::vector<std::string> missing = without(names_in_bill(claim.cluster()), needed);
  if (missing.empty()) return holds("all of it is in the bill");
  return misleading(fmt::format("described, and neither in the bill nor priced: {}", listed(missing, ", ")));
}

// "https://www.kunpeng.cn/product/920" for a part of Huawei.
std::string host_of(std::string url) {
  if (const std::size_t scheme = url.find("://"); scheme != std::string::npos) url.erase(0, scheme + 3);
  url = url.substr(0, url.find('/'));
  return url.starts_with("www.") ? url.substr(4) : url;
}

Judgement makers_page(Terms& claim) {
  const std::string host = host_of(claim.word_value());
  const NamedPart part = claim.part("part");
  for (const Maker& maker : claim.catalog().all<Maker>()) {
    if (!plain(part.vendor()).starts_with(plain(maker.name))) continue;
    const bool own = std::any_of(maker.sites.begin(), maker.sites.end(),
                                 [&](const std::string& site) { return host == site || host.ends_with("." + site); });
    if (own) return holds(fmt::format("{} publishes at {}", maker.name, host));
    return misleading(fmt::format("{} is a part of {}, which publishes at {}, not at {}", part.name(), part.vendor(),
                                  listed(maker.sites, " and "), host));
  }
  return unchecked(fmt::format("where {} publishes is not in the catalog", part.vendor()));
}

}  // namespace

std::vector<Subject> bill_claims() {
  return {
      {"bom.contains", contains},  {"bom.count", one_count},  {"bom.complete", complete},       {"rack.count", racks},
      {"licence.count", licences}, {"reference.used", cited}, {"reference.source", makers_page}};
}

}  // namespace fathom::claims
