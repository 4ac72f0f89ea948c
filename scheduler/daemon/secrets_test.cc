#include "scheduler/daemon/secrets.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"

namespace kiln::scheduler {
namespace {

class SecretsTest : public testing::Test {
 protected:
  SecretsTest() {
    std::string name = testing::TempDir() + "/secrets-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~SecretsTest() override { std::filesystem::remove_all(folder_); }
  void Keep(const std::string& name, const std::string& value, mode_t mode = 0600) {
    ASSERT_TRUE(WriteFile(folder_ + "/" + name, value));
    chmod((folder_ + "/" + name).c_str(), mode);
  }
  static Job Uses(std::vector<SecretUse> secrets) {
    return {.name = "j",
            .groups = {{.name = "g", .work = CommandWork{.shell = "true"}},
                       {.name = "h", .secrets = std::move(secrets), .work = CommandWork{}}}};
  }

  std::string folder_;
};

TEST_F(SecretsTest, AFileIsWholeAndAVariableIsItsText) {
  Keep("s3", "a b\n\n");
  const Secrets secrets(folder_);
  EXPECT_EQ(secrets.Read({"s3", "", "f"}), "a b\n\n");
  EXPECT_EQ(secrets.Read({"s3", "V", ""}), "a b");
  EXPECT_TRUE(secrets.Check(Uses({{"s3", "V", ""}, {"s3", "", "f"}})));
  Keep("s3", "new");
  EXPECT_EQ(secrets.Read({"s3", "V", ""}), "new");
}

TEST_F(SecretsTest, AFaultNamesTheSecretAndNothingOfIt) {
  Keep("open", "hush", 0640);
  Keep("zero", std::string("hu\0sh", 5));
  Keep("large", std::string((64 << 10) + 1, 'h'));
  const std::pair<const char*, std::string> cases[] = {
      {"none", "secret none is not known: expected a file of that name in --secrets-dir"},
      {"open", "secret open: mode of " + folder_ +
                   "/open is 0640: expected 0600, others than its owner could act as those in it"},
      {"zero", "secret zero has a zero byte: expected none in a variable"},
      {"large", "secret large has 65537 bytes: expected at most 65536"}};
  for (const auto& [name, message] : cases) {
    EXPECT_EQ(Secrets(folder_).Check(Uses({{name, "V", ""}})).error(),
              (Error{ErrorCode::kInvalidArgument, message, "groups[1].secrets[0]"}));
  }
  EXPECT_EQ(Secrets().Check(Uses({{"s3", "V", ""}})).error().message,
            "secret s3 is not known: the scheduler has no --secrets-dir");
}

}  // namespace
}  // namespace kiln::scheduler
