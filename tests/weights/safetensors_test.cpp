#include "weights/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <random>

#include "input/error.h"
#include "support/mutation.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

// Header and data as they lie in a file.
std::string file_text(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string text(sizeof(length), '\0');
  std::memcpy(text.data(), &length, sizeof(length));
  return text + header + std::string(data_bytes, 'x');
}

void expect_refusal(const fs::path& path, const std::string& part) {
  try {
    const SafetensorsFile file(path);
    FAIL() << "accepted, expected: " << part;
  } catch (const InputError& error) {
    EXPECT_NE(error.message().find(part), std::string::npos) << error.what() << "\nexpected: " << part;
    EXPECT_EQ(error.file(), path.string());
  }
}

class Safetensors : public testing::Test {
 protected:
  void expect_refused(const std::string& header, std::size_t data_bytes, const std::string& part) const {
    SCOPED_TRACE(header);
    expect_refusal(folder_.write("bad.safetensors", file_text(header, data_bytes)), part);
  }

  const ScratchFolder folder_;
};

TEST_F(Safetensors, ReadBackWhatWasWritten) {
  std::vector<float> floats(6 * 5);
  std::iota(floats.begin(), floats.end(), 0.5F);
  const std::vector<std::uint8_t> odd = {1, 2, 3};
  const std::vector<std::int64_t> none;
  const fs::path path = folder_.path() / "a.safetensors";
  write_safetensors(path, {{"odd \"name\"", "U8", {3}, bytes_of(odd)},
                           {"floats", "F32", {6, 5}, bytes_of(floats)},
                           {"none", "I64", {0, 7}, bytes_of(none)}});
  const SafetensorsFile file(path);
  ASSERT_EQ(file.tensors().size(), 3u);
  const StoredTensor* t = file.find("floats");
  ASSERT_NE(t, nullptr);
  EXPECT_EQ(t->dtype, "F32");
  EXPECT_EQ(t->shape, (std::vector<std::int64_t>{6, 5}));
  std::vector<float> read(floats.size());
  file.read(*t, {0, 6, 0, 5}, read.data());
  EXPECT_EQ(read, floats);
  EXPECT_NE(file.find("odd \"name\""), nullptr);
  EXPECT_EQ(file.find("none")->rows(), 0);
  EXPECT_EQ(file.find("absent"), nullptr);
  // Header as the format's own library writes it: a multiple of eight bytes.
  EXPECT_EQ((file.find("odd \"name\"")->begin) % 8, 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1) << "no temporary file stays behind";
}

TEST_F(Safetensors, PartsEqualTheSamePartsOfTheWhole) {
  constexpr std::int64_t kRows = 700, kCols = 3000;  // 8.4 MB: columns take several batches
  std::vector<std::int32_t> values(kRows * kCols);
  std::iota(values.begin(), values.end(), 0);
  const fs::path path = folder_.path() / "a.safetensors";
  write_safetensors(path, {{"pad", "U8", {3}, std::as_bytes(std::span("ab"))},
                           {"m", "I32", {kRows, kCols}, bytes_of(values)},
                           {"cube", "I32", {7, 100, kCols}, bytes_of(values)},
                           {"v", "I32", {kRows * kCols}, bytes_of(values)}});
  const SafetensorsFile file(path);
  EXPECT_EQ(file.find("cube")->rows(), kRows);
  for (const SafetensorsFile::Part& part : {SafetensorsFile::Part{0, kRows, 0, kCols},
                                            {3, 5, 0, kCols},
                                            {0, kRows, 7, 2},
                                            {699, 1, 2999, 1},
                                            {10, 600, 1, kCols - 1},
                                            {5, 0, 0, 3},
                                            {5, 3, 3, 0}}) {
    for (const char* name : {"m", "cube"}) {
      std::vector<std::int32_t> read(static_cast<std::size_t>(part.rows * part.cols));
      file.read(*file.find(name), part, read.data());
      for (std::int64_t r = 0; r < part.rows; ++r) {
        for (std::int64_t c = 0; c < part.cols; ++c) {
          ASSERT_EQ(read[static_cast<std::size_t>(r * part.cols + c)], (part.row + r) * kCols + part.col + c);
        }
      }
    }
  }
  std::int32_t one = 0;
  file.read(*file.find("v"), {12345, 1, 0, 1}, &one);
  EXPECT_EQ(one, 12345);
  EXPECT_THROW(file.read(*file.find("m"), {kRows, 1, 0, 1}, &one), std::invalid_argument);
  EXPECT_THROW(file.read(*file.find("m"), {0, 1, kCols, 1}, &one), std::invalid_argument);
}

TEST_F(Safetensors, AWriterThatCannotFinishLeavesTheOldFile) {
  const std::vector<std::uint8_t> four = {1, 2, 3, 4};
  const fs::path path = folder_.path() / "a.safetensors";
  write_safetensors(path, {{"t", "U8", {4}, bytes_of(four)}});
  EXPECT_THROW(write_safetensors(path, {{"t", "U8", {5}, bytes_of(four)}}), std::invalid_argument);
  EXPECT_THROW(write_safetensors(path, {{"t", "E5M9", {4}, bytes_of(four)}}), std::invalid_argument);
  EXPECT_THROW(write_safetensors(path, {{"t", "U8", {4}, bytes_of(four)}, {"t", "U8", {4}, bytes_of(four)}}),
               std::invalid_argument);
  EXPECT_THROW(write_safetensors(folder_.path() / "no" / "a.safetensors", {}), std::runtime_error);
  EXPECT_EQ(SafetensorsFile(path).find("t")->rows(), 4);
}

TEST_F(Safetensors, RefuseWhatIsNoFileOfTensors) {
  expect_refusal(folder_.path() / "absent", "cannot be opened");
  expect_refusal(folder_.path(), "is no file");
  expect_refusal(folder_.write("empty", ""), "hold no header length");
  expect_refusal(folder_.write("short", "1234567"), "7 bytes hold no header length");
  expect_refusal(folder_.write("lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"), "Git LFS");
  std::string endless = file_text("{}", 100);
  endless[7] = static_cast<char>(0x80);  // 2^63 + 2
  expect_refusal(folder_.write("endless", endless), "a header of 9223372036854775810 bytes");
  expect_refusal(
      folder_.write("cut", file_text(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4).substr(0, 30)),
      "a header of 54 bytes, expected 22 at most");
}

TEST_F(Safetensors, RefuseHeadersThatAreNotStrictlyTheirs) {
  expect_refused("", 0, "not JSON");
  expect_refused("{", 0, "not JSON");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} x)", 4, "not JSON");
  expect_refused("[]", 0, "expected an object of tensors");
  expect_refused("7", 0, "expected an object of tensors");
  expect_refused(std::string(100'000, '['), 0, "an array where none belongs");
  expect_refused(R"({"a":[]})", 0, "\"a\": an array where none belongs");
  expect_refused(R"({"a":"F32"})", 0, "a text where none belongs");
  expect_refused(R"({"a":{"dtype":{}}})", 0, "an object where none belongs");
  expect_refused(R"({"a":{"shape":[[1]]}})", 0, "an array where none belongs");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1]}})", 4, "lacks dtype, shape or data_offsets");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"strides":[1]}})", 4, "a field \"strides\"");
  expect_refused(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "dtype comes twice");
  expect_refused(
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
      8, "\"a\": comes twice");
  expect_refused(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "-1 in shape is negative");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4, "1.5 in shape is no whole number");
  expect_refused(R"({"a":{"dtype":"F32","shape":[null],"data_offsets":[0,4]}})", 4, "a null where none belongs");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, "data_offsets are two numbers");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}})", 4, "data_offsets are two numbers, found 1");
  expect_refused(R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4, "\"F33\" is no element type");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4,
                 "more than 8 dimensions");
  expect_refused(R"({"__metadata__":{"a":1}})", 0, "a number where none belongs; expected texts");
  folder_.write("fine", file_text(R"({"__metadata__":{"format":"pt"}}   )", 0));
  EXPECT_NO_THROW(SafetensorsFile(folder_.path() / "fine"));
}

TEST_F(Safetensors, RefuseBytesThatAreNotThere) {
  expect_refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7, "outside the file, which has 7 bytes");
  expect_refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "[8, 0] lie outside");
  expect_refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775807]}})", 8,
                 "lie outside the file");
  expect_refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}})", 8, "no possible size");
  expect_refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]}})", 8, "no whole number");
  expect_refused(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8, "F32 [3] takes 12 bytes, but");
  expect_refused(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", 8,
                 "more than 2^60 bytes");
  expect_refused(
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
      8, "\"b\": its bytes are also those of \"a\"");
}

TEST_F(Safetensors, SayWhichTensorCannotBeReadAnyMore) {
  const fs::path path = folder_.write("a", file_text(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8));
  const SafetensorsFile file(path);
  fs::resize_file(path, fs::file_size(path) - 1);
  float out[2];
  try {
    file.read(*file.find("a"), {0, 2, 0, 1}, out);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_EQ(error.message(), "tensor \"a\" cannot be read: it ends early");
  }
}

// Whatever is in the file: an InputError, or tensors whose bytes can all be read.
TEST_F(Safetensors, SurviveMutationsOfTheirHeader) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},)"
      R"("c":{"dtype":"F8_E4M3","shape":[],"data_offsets":[32,33]}})";
  std::mt19937 random(1);
  int accepted = 0, refused = 0;
  for (int i = 0; i < 6000 / kThinning; ++i) {
    std::string text;
    if (i % 4 == 0) {
      text = mutated(file_text(header, 40), random);  // also the length
    } else {
      text = header;
      for (unsigned edits = 1 + random() % 3; edits > 0; --edits) text = mutated(text, random);
      text = file_text(text, 40);
    }
    const fs::path path = folder_.write("mutated", text);
    try {
      const SafetensorsFile file(path);
      for (const StoredTensor& t : file.tensors()) {
        if (*bits_of(t.dtype) % 8 != 0) continue;
        std::vector<char> bytes(static_cast<std::size_t>(t.end - t.begin));
        file.read(t, {0, t.rows(), 0, t.cols()}, bytes.data());
      }
      ++accepted;
    } catch (const InputError& error) {
      EXPECT_FALSE(render(error).empty());
      ++refused;
    } catch (const std::exception& error) {
      ADD_FAILURE() << "not an InputError: " << error.what() << "\n" << text;
    }
  }
  EXPECT_GT(accepted, 0);
  EXPECT_GT(refused, accepted);
}

}  // namespace
}  // namespace fathom
