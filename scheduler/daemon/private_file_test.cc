#include "scheduler/daemon/private_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <latch>
#include <thread>

#include "base/file.h"

namespace kiln::scheduler {
namespace {

class KeyTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(mkdtemp(folder_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_ = testing::TempDir() + "kiln_key_XXXXXX";
};

TEST_F(KeyTest, IsMadeOnceForItsOwnerAloneAndStays) {
  const std::string path = folder_ + "/state.key";
  const auto key = OpenKey(path);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_THAT(*key, testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(key->size(), 64U);
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(OpenKey(path), key);
  EXPECT_NE(OpenKey(folder_ + "/other.key"), key);
}

TEST_F(KeyTest, ThoseThatBeginTogetherGetTheSame) {
  for (int round = 0; round < 20; ++round) {
    const std::string path = folder_ + "/" + std::to_string(round) + ".key";
    std::latch together(3);
    std::vector<Result<std::string>> keys(3);
    std::vector<std::thread> threads;
    for (auto& key : keys) {
      threads.emplace_back([&] {
        together.arrive_and_wait();
        key = OpenKey(path);
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& key : keys) EXPECT_EQ(key, OpenKey(path)) << round;
  }
  const std::filesystem::directory_iterator left(folder_);
  EXPECT_EQ(std::distance(begin(left), end(left)), 20) << "one that was not needed is left";
}

TEST_F(KeyTest, OneThatIsTornOrOpenToOthersIsRefused) {
  const std::string path = folder_ + "/state.key";
  ASSERT_TRUE(WriteFile(path, std::string(64, 'a')));
  EXPECT_EQ(OpenKey(path).error().code, ErrorCode::kPermissionDenied);
  ASSERT_TRUE(WriteFile(path, "abc"));
  chmod(path.c_str(), 0600);
  EXPECT_EQ(OpenKey(path).error().message, "key " + path + " has 3 bytes: expected 64");
  EXPECT_FALSE(OpenKey(folder_ + "/none/state.key"));
}

}  // namespace
}  // namespace kiln::scheduler
