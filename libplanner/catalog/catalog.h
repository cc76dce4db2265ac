// The shipped facts about parts, models, places and prices. Each file is read when something in it is first asked for.
//
//   const Catalog catalog(find_data_dir(argv[0], std::nullopt));
//   const Accelerator& a100 = catalog.accelerator("NYUDA A100-SXM4 80GB");
//   const Tariff& tariff = catalog.find<Tariff>("cn-industrial");
//   for (const RentalPrice& offer : catalog.all<RentalPrice>()) …
//
// Reading throws InputError with the place in the catalog file; an unknown or ambiguous name throws LookupError with
// candidates. References stay valid as long as the catalog lives. Safe to use from several threads.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/kinds.h"
#include "catalog/name_index.h"

namespace fathom {

template <class T>
struct Table {
  std::vector<T> entries;
  NameIndex index{kKind<T>.noun};
  CatalogSources sources;
};

class Catalog {
 public:
  explicit Catalog(std::filesystem::path data_dir);
  Catalog(Catalog&&) noexcept;
  Catalog& operator=(Catalog&&) noexcept;
  ~Catalog();

  const std::filesystem::path& data_dir() const { return data_dir_; }

  template <class T>
  const std::vector<T>& all() const {
    return table<T>().entries;
  }
  template <class T>
  const T& find(const std::string& id_or_alias) const {
    const Table<T>& known = table<T>();
    return known.entries[known.index.find(id_or_alias)];
  }
  template <class T>
  std::vector<const T*> meant_by(const std::string& name) const {  // every entry it may mean; none is no error
    const Table<T>& known = table<T>();
    std::vector<const T*> out;
    for (const std::size_t at : known.index.meant_by(name)) out.push_back(&known.entries[at]);
    return out;
  }

  template <class T>
  const CatalogSources& sources() const {  // what the codes in Origin::source and SourceCodes stand for
    return table<T>().sources;
  }

  const Accelerator& accelerator(const std::string& name) const { return find<Accelerator>(name); }
  const Cpu& cpu(const std::string& name) const { return find<Cpu>(name); }
  const ModelEntry& model(const std::string& name) const { return find<ModelEntry>(name); }

 private:
  struct State;

  template <class T>
  const Table<T>& table() const;  // for every type in AllKinds

  std::filesystem::path data_dir_;
  std::unique_ptr<State> state_;
};

// Reads and checks every file; throws the first InputError.
void load_all(const Catalog& catalog);

// Where the catalogs lie: `explicit_dir` (--data-dir), else $FATHOM_DATA_DIR, else next to the program: ../../catalogs
// in a build tree, ../share/fathom after installation. Throws std::runtime_error that lists the places it looked at.
std::filesystem::path find_data_dir(const std::filesystem::path& executable,
                                    const std::optional<std::filesystem::path>& explicit_dir);

}  // namespace fathom
