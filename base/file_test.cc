#include "base/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/nearest.h"

namespace kiln {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "kiln-file-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  std::string folder_;
};

TEST_F(FileTest, AFileAppearsWholeAtPublish) {
  auto file = NewFile::Create(folder_ + "/a");
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE(file->Write("one ").has_value());
  ASSERT_TRUE(file->Write("two").has_value());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/a"));
  ASSERT_TRUE(file->Publish().has_value());
  EXPECT_EQ(ReadFile(folder_ + "/a").value(), "one two");
  EXPECT_EQ(Names(), std::vector<std::string>{"a"});
}

TEST_F(FileTest, ANewFileTakesNoOthersPlace) {
  for (const char* text : {"1", "2"}) {
    auto file = NewFile::Create(folder_ + "/a");
    ASSERT_TRUE(file->Write(text).has_value());
    const Status published = file->PublishNew();
    if (*text == '1') {
      EXPECT_TRUE(published.has_value());
    } else {
      EXPECT_EQ(published.error(), (Error{ErrorCode::kConflict,
                                          folder_ + "/a is there, expected no file of that name",
                                          {}}));
    }
  }
  EXPECT_EQ(ReadFile(folder_ + "/a").value(), "1");
  EXPECT_EQ(Names(), std::vector<std::string>{"a"});
}

TEST_F(FileTest, AnUnpublishedFileLeavesNothing) {
  { ASSERT_TRUE(NewFile::Create(folder_ + "/a")->Write("x").has_value()); }
  EXPECT_EQ(Names(), std::vector<std::string>{});
}

TEST_F(FileTest, FailuresNameThePathAndTheReason) {
  EXPECT_EQ(ReadFile(folder_ + "/none").error(),
            (Error{ErrorCode::kNotFound,
                   "cannot read " + folder_ + "/none: No such file or directory",
                   {}}));
  ASSERT_TRUE(WriteFile(folder_ + "/a", "1234").has_value());
  EXPECT_EQ(ReadFile(folder_ + "/a", 3).error(),
            (Error{ErrorCode::kResourceExhausted,
                   folder_ + "/a is too large, expected at most 3 bytes",
                   {}}));
  EXPECT_EQ(WriteFile("/dev/full/x", "1").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(FileError("write", "x", ENOSPC),
            (Error{ErrorCode::kResourceExhausted, "cannot write x: No space left on device", {}}));
}

TEST(NearestNameTest, TakesTheFewestEdits) {
  const std::vector<std::string> known = {"digit", "pixel_1", "pixel_2"};
  EXPECT_EQ(NearestName("digti", known), "digit");
  EXPECT_EQ(NearestName("pixel2", known), "pixel_2");
  EXPECT_EQ(NearestName("label", known), "");
  EXPECT_EQ(NearestName("x", {}), "");
}

}  // namespace
}  // namespace kiln
