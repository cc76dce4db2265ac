// Weights on the device: what it makes up is what the host makes up, and stacks are their slices one after another.
#include "executor/cuda_stack.h"

#include <gtest/gtest.h>

#include "host/matrix.h"

namespace fathom {
namespace {

// The same weights, made on the host and copied.
class Copied : public WeightSource {
 public:
  explicit Copied(const SyntheticWeights& source) : source_(source) {}
  LoadedMatrix matrix(const TensorSlice& slice, Account& account) const override {
    return source_.matrix(slice, account);
  }
  LoadedVector vector(const TensorSlice& slice, Account& account) const override {
    return source_.vector(slice, account);
  }
  void check(const std::vector<TensorSlice>&) const override {}
  std::string describe() const override { return "copied"; }

 private:
  const SyntheticWeights& source_;
};

std::vector<std::uint8_t> bytes_of(const DeviceBuffer& buffer) {
  std::vector<std::uint8_t> bytes(buffer.bytes());
  if (!bytes.empty())
    cuda_ok(cudaMemcpy(bytes.data(), buffer.as<void>(), bytes.size(), cudaMemcpyDeviceToHost), "copy");
  return bytes;
}

TensorSlice slice(const std::string& name, const std::string& op, Format format, std::int64_t rows, std::int64_t cols) {
  return {.name = name,
          .op = op,
          .layer = 0,
          .rows = rows,
          .cols = cols,
          .row = 0,
          .row_count = rows,
          .col = 0,
          .col_count = cols,
          .format = format,
          .role = Role::kAttention,
          .model_layers = 3};
}

void expect_same(const std::vector<TensorSlice>& slices, const std::string& what) {
  const SyntheticWeights weights(11);
  std::vector<const TensorSlice*> pointers;
  for (const TensorSlice& s : slices) pointers.push_back(&s);
  ASSERT_TRUE(CudaStack::fits(pointers)) << what;
  Account account;
  const CudaStream stream;
  CudaStack made(pointers, account), copied(pointers, account);
  for (CudaStack* stack : {&made, &copied}) {
    for (const DeviceBuffer* part : {&stack->codes, &stack->scales, &stack->zeros}) part->clear();
  }
  made.load(weights, stream);
  copied.load(Copied(weights), stream);
  EXPECT_EQ(bytes_of(made.codes), bytes_of(copied.codes)) << what << ": codes";
  EXPECT_EQ(bytes_of(made.scales), bytes_of(copied.scales)) << what << ": scales";
  EXPECT_EQ(bytes_of(made.zeros), bytes_of(copied.zeros)) << what << ": zeros";
}

TEST(CudaStack, MakesUpWhatTheHostMakesUp) {
  for (Format format : {Format::kBf16, Format::kFp8Block128, Format::kInt4G128, Format::kInt4G128Asym}) {
    const std::string name = to_string(format);
    expect_same({slice("model.layers.0.self_attn.o_proj.weight", "attention.out", format, 300, 384)}, name);
    expect_same({slice("a.q_proj.weight", "attention.qkv", format, 256, 640),
                 slice("a.k_proj.weight", "attention.qkv", format, 128, 640),
                 slice("a.v_proj.weight", "attention.qkv", format, 64, 640)},
                name + ", joined");
    std::vector<TensorSlice> experts;
    for (int e = 0; e < 3; ++e) {
      experts.push_back(
          slice("experts." + std::to_string(e) + ".gate_proj.weight", "moe.experts.gate_up", format, 200, 256));
      experts.back().expert = e;
    }
    expect_same(experts, name + ", experts");
    TensorSlice part = slice("part.weight", "ffn.down", format, 512, 1024);
    part.row = 72, part.row_count = 300, part.col = 256, part.col_count = 384;
    if (format != Format::kFp8Block128) expect_same({part}, name + ", a part");  // there it begins within a tile
  }
}

// Tiles of scales that begin within a slice belong to it alone.
TEST(CudaStack, DoesNotJoinWhatSharesATileOfScales) {
  const TensorSlice odd = slice("q", "attention.qkv", Format::kFp8Block128, 192, 256),
                    next = slice("k", "attention.qkv", Format::kFp8Block128, 128, 256);
  EXPECT_FALSE(CudaStack::fits({&odd, &next}));
  EXPECT_TRUE(CudaStack::fits({&next, &odd}));
}

}  // namespace
}  // namespace fathom
