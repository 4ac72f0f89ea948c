#include "cli/output/target_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <future>

namespace kiln::cli {
namespace {

namespace fs = std::filesystem;
using testing::UnorderedElementsAre;

class TargetFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = fs::temp_directory_path() / "kiln-target-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_))
      names.push_back(entry.path().filename());
    return names;
  }
  static void Put(const std::string& path, const std::string& text) {
    auto file = TargetFile::Open(path);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_TRUE((*file)->Write(text));
    EXPECT_TRUE((*file)->Finish());
  }

  fs::path folder_;
};

TEST_F(TargetFileTest, AFileIsReplacedAtTheEndAndNoOther) {
  const fs::path path = folder_ / "x";
  ASSERT_TRUE(WriteFile(path, "old"));
  ASSERT_TRUE(WriteFile(path.string() + ".part", "mine"));
  {
    auto file = TargetFile::Open(path).value();
    EXPECT_TRUE(file->Write("half"));
  }
  EXPECT_EQ(ReadFile(path).value(), "old");
  const mode_t mask = umask(027);
  Put(path, "new");
  umask(mask);
  EXPECT_EQ(ReadFile(path).value(), "new");
  EXPECT_EQ(fs::status(path).permissions(), fs::perms(0640));
  EXPECT_THAT(Names(), UnorderedElementsAre("x", "x.part"));
  EXPECT_EQ(ReadFile(path.string() + ".part").value(), "mine");
}

TEST_F(TargetFileTest, ALinksTargetIsReplaced) {
  fs::create_directory(folder_ / "there");
  fs::create_symlink("there/x", folder_ / "link");
  fs::create_symlink(folder_ / "link", folder_ / "again");
  for (const char* text : {"made", "replaced"}) {
    Put(folder_ / "again", text);
    EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
    EXPECT_EQ(ReadFile(folder_ / "there/x").value(), text);
  }
  EXPECT_THAT(Names(), UnorderedElementsAre("there", "link", "again"));
}

TEST_F(TargetFileTest, APipeIsWrittenInto) {
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  auto read = std::async(std::launch::async, [&] { return ReadFile(pipe).value(); });
  Put(pipe, "bytes");
  EXPECT_EQ(read.get(), "bytes");
  EXPECT_TRUE(fs::is_fifo(pipe));
  auto full = TargetFile::Open("/dev/full").value();
  EXPECT_EQ(full->Write("x").error().message, "cannot write /dev/full: No space left on device");
}

TEST_F(TargetFileTest, AnOpenFileIsGoneOnWith) {
  const std::string path = folder_ / "log";
  FILE* log = fopen(path.c_str(), "w");
  fputs("a", log);
  fflush(log);
  fs::create_symlink(fmt::format("/proc/self/fd/{}", fileno(log)), folder_ / "link");
  Put(fmt::format("/dev/fd/{}", fileno(log)), "b");
  Put(folder_ / "link", "c");
  fputs("d", log);
  fclose(log);
  EXPECT_EQ(ReadFile(path).value(), "abcd");
}

TEST_F(TargetFileTest, ASignalLeavesNothing) {
  const auto write = [&] {
    auto file = TargetFile::Open(folder_ / "x");
    raise(SIGINT);
  };
  EXPECT_EXIT(write(), testing::KilledBySignal(SIGINT), "");
  EXPECT_EQ(Names(), std::vector<std::string>{});
}

}  // namespace
}  // namespace kiln::cli
