#include "support/mutation.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom {

namespace fs = std::filesystem;

const std::vector<fs::path>& example_files() {
  static const std::vector<fs::path> files = [] {
    std::vector<fs::path> found;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(FATHOM_SOURCE_DIR) / "examples")) {
      if (entry.path().extension() == ".yaml") found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
  }();
  return files;
}

const std::vector<std::string>& example_texts() {
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> all;
    for (const fs::path& file : example_files()) all.push_back(content_of(file));
    return all;
  }();
  return texts;
}

Cluster read_cluster_text(const std::string& text) {
  static const ScratchFolder folder;
  return read_cluster(folder.write("cluster.yaml", text), shipped());
}

std::optional<InputError> refusal(const std::string& what, const std::function<void()>& read) {
  try {
    read();
  } catch (const InputError& error) {
    EXPECT_GE(error.at().line, error.message() == "the file is empty" ? 0 : 1) << what << "\n" << error.what();
    EXPECT_GE(error.message().size(), 5u) << what << "\n" << error.what();
    EXPECT_FALSE(render(error).empty()) << what;
    return error;
  } catch (const std::exception& error) {
    ADD_FAILURE() << what << "\nnot an InputError: " << error.what();
  }
  return std::nullopt;
}

std::string mutated(std::string text, std::mt19937& random) {
  static const std::vector<std::string> kPieces = {":",
                                                   ": ",
                                                   "- ",
                                                   "[",
                                                   "]",
                                                   "{",
                                                   "}",
                                                   ",",
                                                   "&a ",
                                                   "*a",
                                                   "\"",
                                                   "'",
                                                   "#",
                                                   "|\n",
                                                   ">\n",
                                                   "\n",
                                                   "  ",
                                                   "\t",
                                                   "?",
                                                   "!",
                                                   "%",
                                                   "~",
                                                   "---\n",
                                                   "...\n",
                                                   "<<:",
                                                   "1e308",
                                                   "-1",
                                                   "0x1",
                                                   "1e-400",
                                                   ".nan",
                                                   "99999999999999999999",
                                                   "万",
                                                   "\xE4",
                                                   "\xFF",
                                                   std::string(1, '\0'),
                                                   "\xEF\xBB\xBF",
                                                   "\xED\xA0\x80",
                                                   "\\u0000",
                                                   "\"\\ud800\"",
                                                   "\r"};
  if (text.empty()) return kPieces[random() % kPieces.size()];
  const std::size_t at = random() % text.size();
  const std::size_t length = std::min<std::size_t>(text.size() - at, 1 + random() % 40);
  switch (random() % 15 / 2) {
    case 0:
      text[at] = static_cast<char>(static_cast<unsigned char>(text[at]) ^ (1u << random() % 8));
      break;
    case 1:
      text[at] = static_cast<char>(random() % 256);
      break;
    case 2:
      text.erase(at, length);
      break;
    case 3:
      text.insert(at, text.substr(at, length));
      break;
    case 4:
      text.insert(random() % text.size(), text.substr(at, length));
      break;
    case 5:
      text.insert(at, kPieces[random() % kPieces.size()]);
      break;
    case 6:
      text.replace(at, length, kPieces[random() % kPieces.size()]);
      break;
    default:
      text.resize(at);
      break;
  }
  return text;
}

}  // namespace fathom
