#include "model/units.h"

#include <gtest/gtest.h>

namespace kiln {
namespace {

TEST(ParseBytes, TakesANumberAndAUnit) {
  const std::pair<const char*, int64_t> cases[] = {
      {"512MiB", 512 << 20}, {"1.5GiB", 3LL << 29}, {"2GB", 2'000'000'000},
      {"100 kB", 100'000},   {"4096B", 4096},       {"0B", 0},
      {"1TiB", 1LL << 40},   {"0.5KiB", 512},       {"1.0009kB", 1000},
  };
  for (const auto& [text, count] : cases) {
    auto bytes = ParseBytes(text);
    ASSERT_TRUE(bytes) << text << ": " << bytes.error().message;
    EXPECT_EQ(bytes->count, count) << text;
  }
}

TEST(ParseBytes, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"512", "size is \"512\", without a unit"},
      {"512Mib", "size is \"512Mib\", with unknown unit \"Mib\""},
      {"-5MiB", "size is \"-5MiB\", negative"},
      {"", "size is \"\": expected a number"},
      {"MiB", "size is \"MiB\": expected a number"},
      {"1.MiB", "size is \"1.MiB\": expected a number"},
      {".5MiB", "size is \".5MiB\": expected a number"},
      {"1..5MiB", "size is \"1..5MiB\": expected a number"},
      {"5  MiB", "size is \"5  MiB\", with unknown unit"},
      {"99999999TiB", "size is \"99999999TiB\", too large"},
      {"99999999999999999999B", "size is \"99999999999999999999B\", too large"},
  };
  for (const auto& [text, message] : cases) {
    auto bytes = ParseBytes(text);
    ASSERT_FALSE(bytes) << text;
    EXPECT_EQ(bytes.error().message.substr(0, std::string_view(message).size()), message);
  }
}

TEST(FormatBytes, GivesTheShortestExactForm) {
  const std::pair<int64_t, const char*> cases[] = {
      {0, "0B"},
      {1000, "1000B"},
      {1024, "1KiB"},
      {512 << 20, "512MiB"},
      {3LL << 29, "1.5GiB"},
      {1LL << 40, "1TiB"},
      {(1 << 20) + 1, "1048577B"},
  };
  for (const auto& [count, text] : cases) {
    EXPECT_EQ(FormatBytes({count}), text);
    EXPECT_EQ(ParseBytes(text)->count, count);
  }
}

TEST(ParseDuration, TakesANumberAndAUnit) {
  const std::pair<const char*, double> cases[] = {{"90s", 90},    {"1.5h", 5400}, {"2d", 172800},
                                                  {"500ms", 0.5}, {"10min", 600}, {"5m", 300}};
  for (const auto& [text, seconds] : cases) {
    EXPECT_DOUBLE_EQ(ToSeconds(ParseDuration(text).value()), seconds) << text;
  }
  EXPECT_EQ(ParseDuration("3 weeks").error().message,
            "time is \"3 weeks\", with unknown unit \"weeks\": expected a number and a unit of ns, "
            "us, ms, s, m, min, h, d, as in \"90s\"");
}

TEST(FormatDuration, IsForPeople) {
  const std::pair<double, const char*> cases[] = {{0.85, "850ms"}, {12.34, "12.3s"}, {65, "1m 5s"},
                                                  {3900, "1h 5m"}, {90000, "1d 1h"}, {0, "0ms"}};
  for (const auto& [seconds, text] : cases) EXPECT_EQ(FormatDuration(FromSeconds(seconds)), text);
}

TEST(FormatInstant, IsInUtcToTheSecond) {
  EXPECT_EQ(FormatInstant({1'738'324'800'999'999'999}), "2025-01-31T12:00:00Z");
}

}  // namespace
}  // namespace kiln
