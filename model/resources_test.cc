#include "model/resources.h"

#include <gmock/gmock.h>

#include "base/random.h"

namespace kiln {
namespace {

using testing::ElementsAre;

Resources Sample() {
  return {.cpus_milli = 4000,
          .revocable_cpus_milli = 2000,
          .mem = GiB(8),
          .disk = GiB(1),
          .gpus = 2,
          .gpu_ids = {{"GPU-1"}, {"GPU-2"}, {"GPU-3"}},
          .gpu_shares = {{{"GPU-4"}, 500}, {{"GPU-5"}, 300}},
          .ports = {{31000, 31005}, {31010, 31010}}};
}

TEST(Resources, SumsAndDifferencesAreWhole) {
  Resources all = Sample();
  const Resources part{.cpus_milli = 1500,
                       .revocable_cpus_milli = 500,
                       .mem = GiB(2),
                       .gpus = 1,
                       .gpu_ids = {{"GPU-2"}},
                       .gpu_shares = {{{"GPU-4"}, 200}, {{"GPU-5"}, 300}},
                       .ports = {{31002, 31003}, {31010, 31010}}};
  all -= part;
  EXPECT_EQ(all, (Resources{.cpus_milli = 2500,
                            .revocable_cpus_milli = 1500,
                            .mem = GiB(6),
                            .disk = GiB(1),
                            .gpus = 1,
                            .gpu_ids = {{"GPU-1"}, {"GPU-3"}},
                            .gpu_shares = {{{"GPU-4"}, 300}},
                            .ports = {{31000, 31001}, {31004, 31005}}}));
  all += part;
  EXPECT_EQ(all, Sample());
}

TEST(Resources, ContainsAsksForEachThingByName) {
  EXPECT_TRUE(Sample().Contains(Sample()));
  EXPECT_TRUE(Sample().Contains({}));
  EXPECT_FALSE(Sample().Contains({.cpus_milli = 4001}));
  EXPECT_FALSE(Sample().Contains({.revocable_cpus_milli = 2001}));
  EXPECT_FALSE(Sample().Contains({.mem = GiB(9)}));
  EXPECT_FALSE(Sample().Contains({.disk = GiB(2)}));
  EXPECT_FALSE(Sample().Contains({.gpus = 3}));
  EXPECT_FALSE(Sample().Contains({.gpu_ids = {{"GPU-1"}, {"GPU-4"}}}));
  EXPECT_FALSE(Sample().Contains({.gpu_shares = {{{"GPU-4"}, 501}}}));
  EXPECT_FALSE(Sample().Contains({.gpu_shares = {{{"GPU-1"}, 1}}}));
  EXPECT_FALSE(Sample().Contains({.ports = {{31005, 31006}}}));
}

TEST(Resources, AnOverlapIsInBoth) {
  const Resources other{
      .cpus_milli = 5000, .revocable_cpus_milli = 1000, .gpu_ids = {{"GPU-2"}, {"GPU-9"}}};
  EXPECT_EQ(Overlap(Sample(), other),
            (Resources{.cpus_milli = 4000, .revocable_cpus_milli = 1000, .gpu_ids = {{"GPU-2"}}}));
}

TEST(Resources, TouchingPortsBecomeOneRange) {
  Resources ports{.ports = {{5, 6}, {9, 9}}};
  ports += {.ports = {{7, 8}}};
  EXPECT_THAT(ports.ports, ElementsAre(PortRange{5, 9}));
  EXPECT_EQ(ports.PortCount(), 5);
}

TEST(Resources, TakingAndGivingBackAnyPartsEndsWhereItBegan) {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    Resources left = Sample();
    std::vector<Resources> taken;
    for (int port = 31000; port <= 31010; ++port) {
      const Resources one{.cpus_milli = static_cast<int64_t>(random.Below(400)),
                          .ports = {{port, port}}};
      if (random.Below(2) == 0 || !left.Contains(one)) continue;
      left -= one;
      EXPECT_FALSE(left.Contains(one));
      taken.push_back(one);
    }
    for (const Resources& one : taken) left += one;
    EXPECT_EQ(left, Sample());
  }
}

TEST(Resources, TextNamesOnlyWhatIsThere) {
  EXPECT_EQ(ToText({}), "");
  EXPECT_EQ(ToText({.cpus_milli = 500}), "cpus 0.5");
  EXPECT_EQ(ToText(Sample()),
            "cpus 4, revocable cpus 2, mem 8GiB, disk 1GiB, gpus 2, gpus {GPU-1, GPU-2, GPU-3}, "
            "gpus {0.5 of GPU-4, 0.3 of GPU-5}, "
            "ports [31000-31005, 31010-31010]");
  EXPECT_TRUE(Resources{}.Empty());
}

}  // namespace
}  // namespace kiln
