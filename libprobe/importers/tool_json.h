// JSON as tools write it: warnings before it, a key twice (iperf3 3.12), numbers as texts (nvbandwidth), words without quotes
// (perftest), keys that come and go. What is asked for must be there; what nobody asks for may be anything.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "input/value.h"

namespace fathom::probe {

// From the first brace or bracket that opens a line. Throws InputError.
Document parse_tool_json(std::string text, const std::string& file_name);

// A value some keys deep. JSON is read without lines: the way to a value is its place.
struct Node {
  const Document* document = nullptr;
  const Value* value = nullptr;
  std::string way;  // "jobs[0].read.iops"

  Node find(std::initializer_list<const char*> keys) const;  // without value where there is none
  Node need(std::initializer_list<const char*> keys) const;  // throws InputError
  explicit operator bool() const { return value != nullptr; }
  std::vector<Node> items() const;  // of a list; of anything else none

  double number() const;  // throws InputError: finite, or a text that is such a number
  std::optional<double> maybe_number() const;
  std::string text() const;  // empty for anything but a scalar

  [[noreturn]] void fail(const std::string& message, const std::string& hint = {}) const;
};
inline Node root_of(const Document& document) { return {&document, &document.root, {}}; }

std::optional<double> number_in(const std::string& word);  // nothing but a number, and of a size that a figure can have
std::vector<std::string> words_of_line(const std::string& line);

}  // namespace fathom::probe
