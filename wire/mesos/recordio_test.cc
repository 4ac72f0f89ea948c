#include "wire/mesos/recordio.h"

#include <gmock/gmock.h>

#include "base/random.h"

namespace kiln::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Recordio, EncodesLengthAndBytes) {
  EXPECT_EQ(EncodeRecord(""), "0\n");
  EXPECT_EQ(EncodeRecord("hello\n"), "6\nhello\n");
}

TEST(Recordio, GivesTheSameRecordsForEveryCutOfTheStream) {
  const std::vector<std::string> records = {"one", "", "a\nb\n", std::string(300, 'x'), "12\n", ""};
  std::string stream;
  for (const auto& record : records) stream += EncodeRecord(record);
  for (size_t first = 0; first <= stream.size(); ++first) {
    for (size_t second = first; second <= stream.size(); second += 7) {
      RecordDecoder decoder;
      std::vector<std::string> found;
      for (const std::string& piece :
           {stream.substr(0, first), stream.substr(first, second - first), stream.substr(second)}) {
        auto got = decoder.Feed(piece);
        ASSERT_TRUE(got) << got.error().message;
        found.insert(found.end(), got->begin(), got->end());
      }
      ASSERT_EQ(found, records) << first << " " << second;
    }
  }
}

TEST(Recordio, GivesARecordWithItsLastByte) {
  RecordDecoder decoder;
  EXPECT_THAT(*decoder.Feed("5\nhell"), IsEmpty());
  EXPECT_THAT(*decoder.Feed("o0"), ElementsAre("hello"));
  EXPECT_THAT(*decoder.Feed("\n"), ElementsAre(""));
}

TEST(Recordio, StopsForGoodAtAHeaderThatIsNoLength) {
  for (const std::string stream : {"x\n", "\n", "-1\n", "+1\n", " 1\n", "1 \n", "1.5\n", "0x1\n",
                                   "18446744073709551616\n", "000000000000000000001\n", "abc"}) {
    for (const bool bytewise : {false, true}) {
      RecordDecoder decoder;
      bool failed = false;
      if (bytewise) {
        for (const char c : stream) failed = failed || !decoder.Feed({&c, 1});
      } else {
        failed = !decoder.Feed(stream);
      }
      EXPECT_TRUE(failed) << stream;
      const auto later = decoder.Feed("1\na");
      ASSERT_FALSE(later) << stream;
      EXPECT_EQ(later.error().code, ErrorCode::kInvalidArgument);
    }
  }
}

TEST(Recordio, RefusesARecordBeyondTheLimit) {
  RecordDecoder decoder(10);
  EXPECT_THAT(*decoder.Feed("10\n0123456789"), ElementsAre("0123456789"));
  const auto found = decoder.Feed("11\n");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error(), (Error{ErrorCode::kResourceExhausted,
                                  "record: found 11 bytes, expected at most 10", ""}));
}

TEST(Recordio, SurvivesAnyBytes) {
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    RecordDecoder decoder(1000);
    for (int piece = 0; piece < 8; ++piece) {
      std::string bytes;
      for (uint64_t i = random.Below(12); i > 0; --i) bytes += "0123456789\nab"[random.Below(13)];
      if (!decoder.Feed(bytes)) break;
    }
  }
}

}  // namespace
}  // namespace kiln::wire
