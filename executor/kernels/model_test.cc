#include "executor/kernels/model.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace kiln::executor {
namespace {

Model Tree() {
  return {{"a", "b"},
          "t",
          {"x", "y"},
          Forest{{{0.5f, 1, 1, 0}, {.left = 1, .leaf = 0}, {.left = 2, .leaf = 1}},
                 {0},
                 {1, 0, 0.25f, 0.75f}}};
}

Model Line() { return {{"a", "b"}, "t", {}, Affine{{1, 2}, {3}}}; }

TEST(ModelFileTest, WhatIsSavedIsLoaded) {
  std::string folder = testing::TempDir() + "kiln-model-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  for (const Model& model : {Tree(), Line()}) {
    ASSERT_TRUE(SaveModel(folder + "/m", model).has_value());
    EXPECT_EQ(LoadModel(folder + "/m").value(), model);
  }
  std::filesystem::remove_all(folder);
  EXPECT_EQ(LoadModel(folder + "/m").error().code, ErrorCode::kNotFound);
}

TEST(ModelFileTest, TheBytesAreFixed) {
  const std::string bytes = EncodeModel(Line());
  EXPECT_EQ(bytes.substr(0, 21), std::string("KILNMODEL\x01\0\0\0\x34\0\0\0\0\0\0\0", 21));
  EXPECT_EQ(bytes.size(), 21u + 0x34 + 4);
}

TEST(ModelFileTest, ForeignNewerAndDamagedFilesAreToldApart) {
  const std::string good = EncodeModel(Tree());
  std::string newer = good;
  newer[9] = 2;
  std::string damaged = good;
  damaged[30] ^= 1;
  const struct {
    std::string bytes;
    Error error;
  } cases[] = {
      {"",
       {ErrorCode::kInvalidArgument,
        "m is no Kiln model, expected it to begin with KILNMODEL",
        {}}},
      {"PK\x03\x04 something else",
       {ErrorCode::kInvalidArgument,
        "m is no Kiln model, expected it to begin with KILNMODEL",
        {}}},
      {"KILNMOD", {ErrorCode::kDataLoss, "m is cut off: 7 bytes, expected at least 21", {}}},
      {newer,
       {ErrorCode::kUnimplemented, "m is a model file of version 2, expected version 1", {}}},
      {damaged, {ErrorCode::kDataLoss, "m is damaged: its checksum differs", {}}},
  };
  for (const auto& c : cases) EXPECT_EQ(DecodeModel("m", c.bytes).error(), c.error);
}

TEST(ModelFileTest, EveryTruncationIsRefused) {
  const std::string good = EncodeModel(Tree());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(DecodeModel("m", good.substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(DecodeModel("m", good + "x").has_value());
  EXPECT_EQ(DecodeModel("m", good).value(), Tree());
}

TEST(ModelTest, AModelThatWouldLeadAKernelAstrayIsRefused) {
  const auto changed = [](auto change) {
    Model model = Tree();
    change(std::get<Forest>(model.body));
    // A loaded model is checked too: the bytes are whole, only what they say is wrong.
    return DecodeModel("m", EncodeModel(model)).error().message;
  };
  EXPECT_EQ(changed([](Forest& f) { f.nodes[0].left = 2; }),
            "m: the model is broken: node 0 with the child 2 of 3");
  EXPECT_EQ(changed([](Forest& f) { f.nodes[2].left = 0; }),
            "m: the model is broken: node 2 with the child 0 of 3");
  EXPECT_EQ(changed([](Forest& f) { f.nodes[0].feature = 2; }),
            "m: the model is broken: feature 2 of 2");
  EXPECT_EQ(changed([](Forest& f) { f.nodes[1].leaf = 2; }), "m: the model is broken: leaf 2 of 2");
  EXPECT_EQ(changed([](Forest& f) { f.nodes[1].threshold = 1; }),
            "m: the model is broken: leaf 0 of 2");
  EXPECT_EQ(changed([](Forest& f) { f.roots[0] = 3; }), "m: the model is broken: root 3 of 3 nodes");
  EXPECT_EQ(changed([](Forest& f) { f.roots.clear(); }),
            "m: the model is broken: no trees, expected at least one");
  Model line = Line();
  std::get<Affine>(line.body).weights.pop_back();
  EXPECT_EQ(CheckModel(line).error().message, "the model is broken: 1 weights, expected 1 times 2");
}

}  // namespace
}  // namespace kiln::executor
