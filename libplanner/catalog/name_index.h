// Finds an entry by id, name or alias. Case, blanks, hyphens and underscores do not count: "a100-sxm4 80GB" is
// "A100 SXM4 80GB". A name that several entries share is ambiguous, and the index says which they are.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

struct LookupError : std::runtime_error {
  LookupError(const std::string& message, std::vector<std::string> close)
      : std::runtime_error(message), candidates(std::move(close)) {}
  std::vector<std::string> candidates;  // ids: what an ambiguous name may mean, or the nearest known ones
};

std::string normalised_name(std::string_view name);

class NameIndex {
 public:
  explicit NameIndex(std::string noun) : noun_(std::move(noun)) {}

  void add_id(const std::string& id);  // in the order of the entries
  // A further name of the entry `id`. A name of several entries is ambiguous, unless an alias decides.
  void add_name(const std::string& name, const std::string& id);
  void add_alias(const std::string& alias, const std::vector<std::string>& ids);
  // "NYUDA" stands for "NVIDIA" at the beginning of a name, and may be left out there as well.
  void add_prefix(const std::string& spelling, const std::string& meaning);

  std::size_t find(const std::string& name) const;  // position of the entry; throws LookupError
  // Every entry that the name may mean, of none an empty list: for texts in which a name may or may not stand.
  std::vector<std::size_t> meant_by(const std::string& name) const;

 private:
  const std::vector<std::string>* ids_of_name(const std::string& name) const;  // prefixes included
  const std::vector<std::string>* ids_of(const std::string& normalised) const;
  [[noreturn]] void fail(const std::string& name, const std::vector<std::string>* ids) const;

  std::string noun_;
  std::map<std::string, std::size_t> positions_;           // by id, as written
  std::map<std::string, std::vector<std::string>> names_;  // normalised name to ids
  std::map<std::string, std::vector<std::string>> aliases_;
  std::vector<std::pair<std::string, std::string>> prefixes_;  // normalised
};

}  // namespace fathom
