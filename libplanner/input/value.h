// A parsed YAML or JSON text as a plain tree that remembers where each key and value stands.
//
// Strict where YAML is loose: duplicate keys, invalid UTF-8, aliases that refer to themselves, several documents where
// one is expected and absurd size are InputErrors. Scalars stay text; what they mean is the reader's business (input/reader.h).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "input/error.h"

namespace fathom {

struct Entry;

struct Value {
  enum class Kind { kNull, kScalar, kSequence, kMapping };
  Kind kind = Kind::kNull;
  Position at;
  std::string text;            // kScalar
  bool quoted = false;         // kScalar: '30' or "30", never read as a number or null
  std::vector<Value> items;    // kSequence
  std::vector<Entry> entries;  // kMapping, in file order

  const Value* find(std::string_view key) const;  // nullptr when absent or not a mapping
};

struct Entry {
  std::string key;
  Position at;
  Value value;
};

struct Document {
  std::string file;  // as the user named it
  Value root;
};

// Of files that people write no more values are taken; records of machines have more.
inline constexpr std::size_t kMostValues = 200'000;
Document parse_yaml(std::string text, std::string file_name, std::size_t most_values = kMostValues);

// The documents between the lines "---" of one file, as Kubernetes writes them; empty ones are left out. The limits hold for
// all of them together, and a file without any is an InputError as it is above.
std::vector<Document> parse_yaml_stream(std::string text, const std::string& file_name);

Document read_yaml(const std::filesystem::path& path);  // JSON is read as the subset of YAML that it is

// "TP" and "tp", "gpu-count" and "gpu_count" are one word in two spellings.
std::string folded(std::string_view word);

// The closest of `candidates` within edit distance 2 (or a third of the length), else empty.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace fathom
