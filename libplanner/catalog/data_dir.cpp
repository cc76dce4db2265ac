#include <cstdlib>
#include <stdexcept>

#include "catalog/catalog.h"
#include "input/error.h"

namespace fathom {

namespace {

bool holds_catalogs(const std::filesystem::path& dir) {
  std::error_code ignored;
  return std::filesystem::exists(dir / "accelerators.yaml", ignored);
}

std::filesystem::path folder_of(const std::filesystem::path& executable) {
  std::error_code trouble;
  // argv[0] may be a name from PATH; Linux knows better.
  std::filesystem::path real = std::filesystem::read_symlink("/proc/self/exe", trouble);
  if (!executable.empty() && std::filesystem::exists(executable)) real = std::filesystem::canonical(executable);
  return real.parent_path();
}

}  // namespace

std::filesystem::path find_data_dir(const std::filesystem::path& executable,
                                    const std::optional<std::filesystem::path>& explicit_dir) {
  const auto named = [](const std::filesystem::path& dir, const std::string& who) {
    for (const std::filesystem::path& candidate : {dir, dir / "catalogs"}) {
      if (holds_catalogs(candidate)) return candidate;
    }
    throw InputError(dir.string(), {}, who + " names a folder without accelerators.yaml");
  };
  if (explicit_dir) return named(*explicit_dir, "--data-dir");
  if (const char* from_environment = std::getenv("FATHOM_DATA_DIR");
      from_environment != nullptr && *from_environment != '\0') {
    return named(from_environment, "FATHOM_DATA_DIR");
  }
  const std::filesystem::path here = folder_of(executable);
  std::string looked;
  for (const char* relative : {"../../catalogs", "../share/fathom/catalogs", "../share/fathom"}) {
    const std::filesystem::path candidate = (here / relative).lexically_normal();
    if (holds_catalogs(candidate)) return candidate;
    looked += (looked.empty() ? "" : ", ") + candidate.string();
  }
  throw std::runtime_error("no catalogs found in " + looked + "; name their folder with --data-dir");
}

}  // namespace fathom
