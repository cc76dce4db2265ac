#include "check/part_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

#include "units/number.h"

namespace fathom {

namespace {

// Runs of one script: "鲲鹏920" is 鲲鹏 and 920, "A100" stays whole.
std::vector<std::string> runs_of(std::string_view text) {
  std::vector<std::string> runs;
  int last = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+';
    const int kind = byte >= 0x80 ? 2 : word ? 1 : 0;
    if (kind != last && kind != 0) runs.emplace_back();
    if (kind != 0) runs.back() += c;
    last = kind;
  }
  return runs;
}

const Maker* maker_of(const Catalog& catalog, const std::string& vendor) {
  for (const Maker& maker : catalog.all<Maker>()) {
    if (normalised_name(vendor).starts_with(normalised_name(maker.name))) return &maker;
  }
  return nullptr;
}

// " (昇腾, 鲲鹏)": the maker's own words in the script of one that is not.
std::string in_that_script(const std::string& word, const Maker* maker) {
  const auto foreign = [](const std::string& text) { return static_cast<unsigned char>(text[0]) >= 0x80; };
  std::vector<std::string> words;
  if (maker != nullptr && foreign(word))
    std::copy_if(maker->also.begin(), maker->also.end(), std::back_inserter(words), foreign);
  return words.empty() ? std::string() : fmt::format(" ({})", listed(words, ", "));
}

bool is_generic(const std::string& word) {  // says what a part is, not which
  static const std::set<std::string> kWords = {"gpu",    "cpu",  "npu",    "card",   "accelerator", "processor",
                                               "server", "显卡", "处理器", "加速卡", "服务器",      "芯片"};
  return kWords.contains(normalised_name(word));
}

}  // namespace

std::optional<std::string> misspelt_word(const Catalog& catalog, const std::string& vendor, const std::string& name,
                                         std::string_view stated) {
  std::string own = normalised_name(vendor + " " + name);
  const Maker* maker = maker_of(catalog, vendor);
  if (maker != nullptr) {
    for (const std::string& word : maker->also) own += "/" + normalised_name(word);
  }
  for (const std::string& run : runs_of(stated)) {
    if (is_generic(run) || own.find(normalised_name(run)) != std::string::npos) continue;
    return fmt::format("{} is not how the maker spells it: {} {}{}", in_quotes(run), vendor, name,
                       in_that_script(run, maker));
  }
  return std::nullopt;
}

}  // namespace fathom
