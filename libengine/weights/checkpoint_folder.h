// The files of a Hugging Face checkpoint folder: which tensor lies where, and what config.json says about the weights.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "weights/safetensors.h"

namespace fathom {

// quantization_config of config.json; empty and 0 where it says nothing.
struct Quantization {
  std::string method;             // "gptq", "awq", "fp8" …
  std::string checkpoint_format;  // "gptq_v2" stores zeros as they are, "gptq" one less
  std::string version;            // of AWQ: "gemm" is the packing that this program knows
  int bits = 0;
};

class CheckpointFolder {
 public:
  // Opens model.safetensors, or every file of model.safetensors.index.json. Throws InputError.
  explicit CheckpointFolder(const std::filesystem::path& folder);

  struct Entry {
    const SafetensorsFile* file = nullptr;
    const StoredTensor* tensor = nullptr;
    explicit operator bool() const { return tensor != nullptr; }
  };
  Entry find(const std::string& name) const;
  // The tensor that may have been meant: the same numbers in a similar name; empty when there is none.
  std::string similar(const std::string& name) const;

  const std::string& name() const { return name_; }
  const Quantization& quantization() const { return quantization_; }
  const std::string& model() const { return model_; }  // config.json in a few words; empty without one

 private:
  void open_files();
  void open_indexed_files(const std::filesystem::path& index);
  void read_config();

  std::filesystem::path folder_;
  std::string name_;
  std::map<std::string, std::unique_ptr<SafetensorsFile>> files_;  // by name in the folder
  std::unordered_map<std::string, Entry> tensors_;
  Quantization quantization_;
  std::string model_;
};

}  // namespace fathom
