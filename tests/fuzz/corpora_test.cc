// Every target takes its corpus, cut short anywhere and with bytes changed.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "base/random.h"
#include "tests/fuzz/targets.h"

namespace kiln::fuzz {
namespace {

constexpr int kVariants = 200;  // of each file, of each kind

class CorporaTest : public testing::TestWithParam<Target> {};

TEST_P(CorporaTest, IsTakenWholeAndDamaged) {
  const Target& target = GetParam();
  const auto folder = std::filesystem::path(KILN_SOURCE_DIR "/tests/fuzz/corpus") / target.name;
  ASSERT_TRUE(std::filesystem::is_directory(folder)) << folder;
  Random random(7);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto bytes = ReadFile(entry.path());
    ASSERT_TRUE(bytes) << entry.path();
    SCOPED_TRACE(entry.path());
    ++files;
    target.feed(*bytes);
    for (int i = 0; i < kVariants && !bytes->empty(); ++i) {
      target.feed(std::string_view(*bytes).substr(0, random.Below(bytes->size())));
      std::string changed = *bytes;
      changed[random.Below(changed.size())] = static_cast<char>(random.Below(256));
      target.feed(changed);
    }
  }
  EXPECT_GT(files, 0);
}

INSTANTIATE_TEST_SUITE_P(All, CorporaTest, testing::ValuesIn(Targets().begin(), Targets().end()),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace kiln::fuzz
