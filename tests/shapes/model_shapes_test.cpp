// Shapes against the matrices of published models.
#include "shapes/model_shapes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/planning.h"

namespace fathom::probe {
namespace {

bool has(const ModelShapes& shapes, std::int64_t n, std::int64_t k) {
  return std::any_of(shapes.products.begin(), shapes.products.end(),
                     [&](const ProductShape& s) { return s.n == n && s.k == k; });
}

// Llama-3.1-8B: hidden 4096, 32 and 8 heads of 128, inner 14336, vocabulary 128256.
TEST(ModelShapes, ADenseModelHasFiveProducts) {
  const ModelShapes shapes = shapes_of({{.model = "llama-3.1-8b"}}, shipped());
  EXPECT_EQ(shapes.products.size(), 5u);
  EXPECT_TRUE(has(shapes, 6144, 4096) && has(shapes, 4096, 4096) && has(shapes, 2 * 14336, 4096) &&
              has(shapes, 4096, 14336) && has(shapes, 128256, 4096));
  ASSERT_EQ(shapes.heads.size(), 1u);
  EXPECT_EQ(shapes.heads[0].heads, 32);
  EXPECT_EQ(shapes.heads[0].kv_heads, 8);
  EXPECT_EQ(shapes.heads[0].head_dim, 128);
  EXPECT_TRUE(shapes.experts.empty() && shapes.latents.empty());
}

TEST(ModelShapes, TheHeadIsKnown) {
  for (const ProductShape& shape : shapes_of({{.model = "llama-3.1-8b"}}, shipped()).products) {
    EXPECT_EQ(shape.of_head, shape.n == 128256);
  }
}

// DeepSeek-R1 over eight ranks: q_a and kv_a whole (1536 + 576), q_b and o by heads (16 of 128), 32 of 256 experts.
TEST(ModelShapes, ARankHasItsShare) {
  const ModelShapes shapes = shapes_of({{.model = "deepseek-r1", .ranks = 8}}, shipped());
  EXPECT_TRUE(has(shapes, 2112, 7168) && has(shapes, 24576 / 8, 1536) && has(shapes, 7168, 16384 / 8));
  ASSERT_EQ(shapes.latents.size(), 1u);
  EXPECT_EQ(shapes.latents[0].heads, 16);
  ASSERT_EQ(shapes.experts.size(), 1u);
  EXPECT_EQ(shapes.experts[0].held, 32);
  EXPECT_EQ(shapes.experts[0].all, 256);
  EXPECT_EQ(shapes.experts[0].chosen, 8);
  EXPECT_EQ(shapes.experts[0].hidden, 7168);
  EXPECT_EQ(shapes.experts[0].inner, 2048);
}

TEST(ModelShapes, GateAndUpAreKnown) {
  for (const ProductShape& shape : shapes_of({{.model = "llama-3.1-8b"}}, shipped()).products) {
    EXPECT_EQ(shape.gated, shape.n == 2 * 14336);
  }
}

TEST(ModelShapes, NothingIsThereTwice) {
  const ModelShapes once = shapes_of({{.model = "llama-3.1-8b"}}, shipped());
  const ModelShapes twice = shapes_of({{.model = "llama-3.1-8b"}, {.model = "llama-3.1-8b"}}, shipped());
  EXPECT_EQ(twice.products.size(), once.products.size());
  EXPECT_EQ(twice.heads.size(), once.heads.size());
}

TEST(ModelShapes, AModelMayGiveItsExpertsAlone) {
  const ModelShapes shapes = shapes_of({{.model = "deepseek-v2-lite", .products = false}}, shipped());
  EXPECT_TRUE(shapes.products.empty());
  EXPECT_EQ(shapes.experts.size(), 1u);
  EXPECT_EQ(shapes.latents.size(), 1u);
}

}  // namespace
}  // namespace fathom::probe
