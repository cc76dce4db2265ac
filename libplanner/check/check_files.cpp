#include "check/check_files.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <string>

#include "bill/bill.h"
#include "input/error.h"
#include "input/value.h"
#include "manifests/file_kind.h"

namespace fathom {

namespace fs = std::filesystem;

namespace {

// The key `format` may stand behind a page of comments, but not behind the design.
constexpr std::streamsize kHead = 16384;

std::string head_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string head(static_cast<std::size_t>(kHead), '\0');
  in.read(head.data(), kHead);
  head.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, in.gcount())));
  return head;
}

bool is_sheet(const fs::path& path) {
  const std::string extension = folded(path.extension().string());
  return extension == ".csv" || extension == ".tsv";
}

bool is_bill(const fs::path& path) {
  if (!is_sheet(path)) return false;
  const std::string name = folded(path.stem().string());
  for (const char* word : {"bom", "bill", "清单", "报价"}) {
    if (name.find(word) != std::string::npos) return true;
  }
  std::string head = head_of(path);
  if (head.size() == static_cast<std::size_t>(kHead)) head.erase(head.rfind('\n') + 1);  // no character cut in two
  return bill::looks_like_bill(head);
}

bool says_cluster(const std::string& head) {
  for (const char* form : {"\nformat: fathom-cluster", "\nformat: \"fathom-cluster", "\nformat: 'fathom-cluster"}) {
    if (("\n" + head).find(form) != std::string::npos) return true;
  }
  return false;
}

// A design, or a file of its operation. Templates of helm are neither before they are rendered.
bool is_wanted(const fs::directory_entry& entry) {
  std::error_code ignored;
  if (!entry.is_regular_file(ignored)) return false;
  const fs::path& path = entry.path();
  if (path.filename() == "cluster.yaml" || is_bill(path)) return true;
  const fs::path kind = path.extension();
  const bool yaml = kind == ".yaml" || kind == ".yml";
  if (!yaml && kind != ".sh" && kind != ".bash") return false;
  const std::string head = head_of(path);
  if (yaml && says_cluster(head)) return true;
  for (const char* mark : {"{{- ", "{{ .Values", "{{.Values", "{{ .Release", "{{ include"}) {
    if (head.find(mark) != std::string::npos) return false;
  }
  return manifests::kind_of_file(path.string(), head) && manifests::speaks_of_serving(head);
}

std::vector<fs::path> designs_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code trouble;
  fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, trouble);
  for (; !trouble && at != fs::recursive_directory_iterator(); at.increment(trouble)) {
    std::error_code ignored;
    const bool hidden = at->path().filename().string().starts_with('.');
    if (hidden && at->is_directory(ignored)) at.disable_recursion_pending();
    if (is_wanted(*at)) found.push_back(at->path());
  }
  if (trouble) throw InputError(folder.string(), {}, "the folder cannot be read: " + trouble.message());
  if (found.empty()) {
    throw InputError(folder.string(), {}, "the folder holds no design",
                     "designs are called cluster.yaml, or say format: fathom-cluster/1; bills are called bom.csv");
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::string kind_of_file(const fs::path& path, const std::string& text) {
  if (is_sheet(path)) return "bill";
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  const bool json = start != std::string::npos && text[start] == '{';
  if (json && text.find("\"format_version\"") != std::string::npos && text.find("\"verdict\"") != std::string::npos)
    return "plan";
  if (const auto operations = manifests::kind_of_file(path.string(), text)) return to_string(*operations);
  const bool design = ("\n" + text).find("\nformat:") != std::string::npos;
  return path == "-" && !design && bill::looks_like_bill(text) ? "bill" : "cluster";
}

std::vector<fs::path> files_to_check(const std::vector<fs::path>& named) {
  std::vector<fs::path> files;
  std::set<fs::path> seen;
  const auto add = [&](const fs::path& path) {
    std::error_code ignored;
    if (seen.insert(fs::weakly_canonical(path, ignored)).second) files.push_back(path);
  };
  for (const fs::path& path : named) {
    std::error_code ignored;
    if (path != "-" && fs::is_directory(path, ignored)) {
      for (const fs::path& file : designs_in(path)) add(file);
    } else {
      add(path);
    }
  }
  return files;
}

}  // namespace fathom
