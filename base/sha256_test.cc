#include "base/sha256.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"

namespace kiln {
namespace {

TEST(Sha256, GivesTheDigestsOfTheStandard) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, PiecesMakeTheWhole) {
  Sha256 sha;
  sha.Update("a");
  sha.Update("");
  sha.Update("bc");
  EXPECT_EQ(ToHex(sha.Finish()), Sha256Hex("abc"));
}

// RFC 4231, test case 2.
TEST(Sha256, HmacKnowsTheKey) {
  EXPECT_EQ(ToHex(HmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Sha256, OfAFileIsOfItsBytes) {
  const std::string path = testing::TempDir() + "sha256-" + std::to_string(getpid());
  const std::string bytes(1'000'000, 'x');
  ASSERT_TRUE(WriteFile(path, bytes));
  EXPECT_EQ(Sha256OfFile(path), Sha256Hex(bytes));
  unlink(path.c_str());
  EXPECT_EQ(Sha256OfFile(path).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(Sha256OfFile(testing::TempDir()));
}

}  // namespace
}  // namespace kiln
