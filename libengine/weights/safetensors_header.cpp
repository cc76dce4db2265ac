#include "weights/safetensors_header.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "input/error.h"

namespace fathom {

namespace {

using Json = nlohmann::json;

// {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …, "__metadata__": {"KEY": "TEXT"}}
//
// Reads events instead of a tree, so that a hostile header cannot nest or grow beyond its own size.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::string& file) : file_(file) {}

  std::vector<StoredTensor> take() { return std::move(tensors_); }

  bool start_object(std::size_t /*size*/) override {
    if (depth_ == 2 || in_array_) fail("an object where none belongs");
    if (++depth_ == 2) fields_.clear();
    return true;
  }
  bool key(std::string& name) override {
    if (depth_ == 1) {
      if (!names_.insert(name).second) fail_at(name, "comes twice");
      metadata_ = name == "__metadata__";
      if (!metadata_) tensors_.push_back({.name = name, .dtype = {}, .shape = {}});
    } else if (!metadata_) {
      field_ = name;
      if (field_ != "dtype" && field_ != "shape" && field_ != "data_offsets") {
        fail(fmt::format("has a field \"{}\"; expected dtype, shape and data_offsets", field_));
      }
      if (!fields_.insert(field_).second) fail(fmt::format("{} comes twice", field_));
    }
    return true;
  }
  bool end_object() override {
    if (depth_-- == 2 && !metadata_) {
      if (fields_.size() != 3) fail("lacks dtype, shape or data_offsets");
      if (offsets_ != 2) fail(fmt::format("data_offsets are two numbers, found {}", offsets_));
    }
    return true;
  }
  bool start_array(std::size_t /*size*/) override {
    if (depth_ != 2 || metadata_ || in_array_ || field_ == "dtype") fail("an array where none belongs");
    in_array_ = true;
    if (field_ == "data_offsets") offsets_ = 0;
    return true;
  }
  bool end_array() override {
    in_array_ = false;
    return true;
  }
  bool number_unsigned(number_unsigned_t number) override {
    if (!in_array_) fail("a number where none belongs");
    if (number > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) {
      fail(fmt::format("{} in {} is no possible size", number, field_));
    }
    StoredTensor& t = tensors_.back();
    const auto size = static_cast<std::int64_t>(number);
    if (field_ == "shape") {
      if (t.shape.size() == kMostDimensions) fail(fmt::format("has more than {} dimensions", kMostDimensions));
      t.shape.push_back(size);
    } else {
      if (offsets_++ >= 2) fail("data_offsets are two numbers, found more");
      (offsets_ == 1 ? t.begin : t.end) = size;
    }
    return true;
  }
  bool string(std::string& text) override {
    if (depth_ != 2 || in_array_ || (!metadata_ && field_ != "dtype")) fail("a text where none belongs");
    if (!metadata_) tensors_.back().dtype = text;
    return true;
  }
  bool number_integer(number_integer_t number) override {
    fail(fmt::format("{} in {} is negative", number, field_));
    return false;
  }
  bool number_float(number_float_t /*number*/, const std::string& text) override {
    fail(fmt::format("{} in {} is no whole number", text.substr(0, 40), field_));
    return false;
  }
  bool null() override {
    fail("a null where none belongs");
    return false;
  }
  bool boolean(bool /*value*/) override {
    fail("true or false where none belongs");
    return false;
  }
  bool binary(binary_t& /*value*/) override { return false; }
  bool parse_error(std::size_t byte, const std::string& /*token*/, const Json::exception& /*why*/) override {
    throw InputError(file_, {}, fmt::format("the header is not JSON at its byte {}", byte), kHint);
  }

 private:
  static constexpr std::size_t kMostDimensions = 8;
  static constexpr const char* kHint = "the file is damaged or incomplete: fetch it again";

  [[noreturn]] void fail(const std::string& what) const {
    if (metadata_) fail_at("__metadata__", what + "; expected texts");
    if (tensors_.empty()) {
      throw InputError(file_, {}, "the header has " + what + "; expected an object of tensors", kHint);
    }
    fail_at(tensors_.back().name, what);
  }
  [[noreturn]] void fail_at(const std::string& name, const std::string& what) const {
    throw InputError(file_, {}, fmt::format("the header's tensor \"{}\": {}", name, what), kHint);
  }

  const std::string& file_;
  std::vector<StoredTensor> tensors_;
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> fields_;  // of the tensor at hand
  std::string field_;
  int depth_ = 0;
  int offsets_ = 0;
  bool metadata_ = false;
  bool in_array_ = false;
};

}  // namespace

std::vector<StoredTensor> parse_safetensors_header(const std::string& header, const std::string& file) {
  HeaderReader reader(file);
  Json::sax_parse(header, &reader);
  return reader.take();
}

}  // namespace fathom
