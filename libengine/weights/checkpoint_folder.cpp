#include "weights/checkpoint_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "input/error.h"
#include "input/value.h"

namespace fathom {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

Position position_of(const std::string& text, std::size_t byte) {
  Position at{.line = 1, .column = 1};
  for (std::size_t i = 0; i + 1 < byte && i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\n') {
      ++at.line;
      at.column = 1;
    } else if ((c & 0xC0) != 0x80) {
      ++at.column;
    }
  }
  return at;
}

// An object whose members, and theirs, have different names. Anything nested beyond reason is refused.
Json read_json_object(const fs::path& path) {
  constexpr std::uintmax_t kMostBytes = 100'000'000;
  constexpr int kDeepest = 50;
  const std::string file = path.string();
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(path, error);
  if (error || bytes > kMostBytes) {
    throw InputError(file, {}, error ? "cannot be read: " + error.message() : "is too long for a JSON file");
  }
  std::ostringstream stream;
  stream << std::ifstream(path, std::ios::binary).rdbuf();
  const std::string text = stream.str();
  std::vector<std::set<std::string>> names;  // of the objects around the current place
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > kDeepest) throw InputError(file, {}, "is nested too deep");
    if (event == Json::parse_event_t::object_start) names.emplace_back();
    if (event == Json::parse_event_t::object_end) names.pop_back();
    if (event == Json::parse_event_t::key && !names.back().insert(value.get<std::string>()).second) {
      throw InputError(file, {}, fmt::format("\"{}\" comes twice", value.get<std::string>()));
    }
    return true;
  };
  try {
    Json json = Json::parse(text, watch);
    if (!json.is_object()) throw InputError(file, {}, "expected a JSON object");
    return json;
  } catch (const Json::parse_error& why) {
    throw InputError(file, position_of(text, why.byte), "is not JSON", "the file is damaged: fetch it again");
  } catch (const Json::exception&) {
    throw InputError(file, {}, "has a number beyond all limits", "the file is damaged: fetch it again");
  }
}

std::string text_of(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

// "model.layers.12.mlp" -> "12 "
std::string numbers_in(const std::string& name) {
  std::string numbers;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(name[i])) == 0) continue;
    const bool alone = i == 0 || name[i - 1] == '.' || std::isdigit(static_cast<unsigned char>(name[i - 1])) != 0;
    if (!alone) continue;  // the 1 of w1 is part of a word
    numbers += name[i];
    if (i + 1 == name.size() || name[i + 1] == '.') numbers += ' ';
  }
  return numbers;
}

}  // namespace

CheckpointFolder::CheckpointFolder(const fs::path& folder) : folder_(folder), name_(folder.string()) {
  if (std::error_code error; !fs::is_directory(folder, error)) {
    throw InputError(name_, {}, is_there(folder) ? "is not a folder" : "there is no such folder",
                     "name the folder that holds config.json and model.safetensors");
  }
  read_config();
  open_files();
}

void CheckpointFolder::open_files() {
  const fs::path single = folder_ / "model.safetensors", index = folder_ / "model.safetensors.index.json";
  if (is_there(index)) return open_indexed_files(index);
  if (!is_there(single)) {
    throw InputError(name_, {}, "holds neither model.safetensors nor model.safetensors.index.json",
                     "other formats (pytorch_model.bin, GGUF) must be converted to safetensors first");
  }
  const auto& file = files_.emplace("model.safetensors", std::make_unique<SafetensorsFile>(single)).first->second;
  for (const StoredTensor& t : file->tensors()) tensors_.emplace(t.name, Entry{file.get(), &t});
}

void CheckpointFolder::open_indexed_files(const fs::path& index) {
  const std::string index_name = index.string();
  const Json json = read_json_object(index);
  const auto map = json.find("weight_map");
  if (map == json.end() || !map->is_object()) {
    throw InputError(index_name, {}, "has no \"weight_map\"; expected an object of tensor and file names");
  }
  for (const auto& [tensor, value] : map->items()) {
    if (!value.is_string()) throw InputError(index_name, {}, fmt::format("\"{}\": expected a file name", tensor));
    const auto file_name = value.get<std::string>();
    if (file_name.empty() || file_name != fs::path(file_name).filename().string() || file_name == "..") {
      throw InputError(index_name, {}, fmt::format("\"{}\": \"{}\" is no file of this folder", tensor, file_name));
    }
    auto& file = files_[file_name];
    if (!file) {
      if (!is_there(folder_ / file_name)) {
        throw InputError(index_name, {}, fmt::format("{} is missing, which should hold {}", file_name, tensor),
                         "the checkpoint is incomplete: fetch that file too");
      }
      file = std::make_unique<SafetensorsFile>(folder_ / file_name);
    }
    const StoredTensor* stored = file->find(tensor);
    if (stored == nullptr) {
      throw InputError(index_name, {}, fmt::format("{} should hold {}, but does not", file_name, tensor),
                       "index and files are of different checkpoints: fetch both again");
    }
    tensors_.emplace(tensor, Entry{file.get(), stored});
  }
}

void CheckpointFolder::read_config() {
  const fs::path path = folder_ / "config.json";
  if (!is_there(path)) return;
  const Json config = read_json_object(path);
  for (const char* key : {"model_type", "hidden_size", "num_hidden_layers", "vocab_size"}) {
    if (const std::string text = text_of(config, key); !text.empty()) {
      model_ += fmt::format("{}{} {}", model_.empty() ? "" : ", ", key, text);
    }
  }
  const auto found = config.find("quantization_config");
  if (found == config.end() || !found->is_object()) return;
  quantization_ = {.method = text_of(*found, "quant_method"),
                   .checkpoint_format = text_of(*found, "checkpoint_format"),
                   .version = text_of(*found, "version")};
  if (const auto bits = found->find("bits"); bits != found->end() && bits->is_number_integer()) {
    quantization_.bits = bits->get<int>();
  }
}

CheckpointFolder::Entry CheckpointFolder::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? Entry{} : found->second;
}

std::string CheckpointFolder::similar(const std::string& name) const {
  const std::string numbers = numbers_in(name), inner = name.substr(name.starts_with("model.") ? 6 : 0);
  std::vector<std::string> candidates;
  for (const auto& [candidate, entry] : tensors_) {
    if (candidate != name && candidate.ends_with(inner)) return candidate;  // as in "language_model.model.layers…"
    if (numbers_in(candidate) == numbers) candidates.push_back(candidate);
  }
  std::sort(candidates.begin(), candidates.end());
  return did_you_mean(name, candidates);
}

}  // namespace fathom
