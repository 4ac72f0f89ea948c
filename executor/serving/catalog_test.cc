#include "executor/serving/catalog.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "executor/kernels/predict.h"

namespace kiln::executor {

void PrintTo(const VersionStatus& status, std::ostream* out) {
  *out << status.version << " " << static_cast<int>(status.state) << " "
       << (status.error ? status.error->message : "");
}

namespace {

Model Constant(float value) { return {{"a"}, "t", {}, Affine{{0}, {value}}}; }

std::shared_ptr<const ServedVersion> Version(int64_t version) {
  return std::make_shared<ServedVersion>("m", version, Constant(static_cast<float>(version)));
}

int64_t Found(const Catalog& catalog, const VersionRequest& request) {
  const auto served = catalog.Find(request);
  return served ? (*served)->version : -1;
}

TEST(CatalogTest, TheLatestIsTheGreatestThatIsAvailable) {
  Catalog catalog;
  catalog.Publish(Version(2));
  catalog.Publish(Version(10));
  catalog.Announce("m", 11);
  EXPECT_EQ(Found(catalog, {"m"}), 10);
  EXPECT_EQ(Found(catalog, {"m", 2}), 2);
  EXPECT_EQ(Found(catalog, {"m", 11}), -1);
  catalog.Publish(Version(11));
  EXPECT_EQ(Found(catalog, {"m"}), 11);
  catalog.Withdraw("m", 11);
  catalog.Withdraw("m", 12);
  EXPECT_EQ(Found(catalog, {"m"}), 10);
  EXPECT_EQ(catalog.StatusOf("m", {}).value(),
            (std::vector<VersionStatus>{{11, VersionState::kEnd, {}},
                                        {10, VersionState::kAvailable, {}},
                                        {2, VersionState::kAvailable, {}}}));
}

TEST(CatalogTest, LabelsPointAtAvailableVersionsOnly) {
  Catalog catalog;
  EXPECT_EQ(catalog.SetLabel("m", "stable", 1).error().message,
            "label stable cannot point at version 1 of model m, expected a version that is "
            "available");
  catalog.Publish(Version(1));
  catalog.Publish(Version(2));
  ASSERT_TRUE(catalog.SetLabel("m", "stable", 1).has_value());
  EXPECT_EQ(Found(catalog, {"m", {}, "stable"}), 1);
  ASSERT_TRUE(catalog.SetLabel("m", "stable", 2).has_value());
  EXPECT_EQ(Found(catalog, {"m", {}, "stable"}), 2);
  catalog.Withdraw("m", 2);
  EXPECT_EQ(Found(catalog, {"m", {}, "stable"}), -1);
}

TEST(CatalogTest, AModelFileIsLoadedUnderItsLabels) {
  std::string folder = testing::TempDir() + "kiln-catalog-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  ASSERT_TRUE(SaveModel(folder + "/m", Constant(5)).has_value());
  Catalog catalog;
  ASSERT_TRUE(LoadVersion(catalog, "m", 4, folder + "/m", {"stable"}).has_value());
  EXPECT_EQ(Found(catalog, {"m", {}, "stable"}), 4);
  const Status failed = LoadVersion(catalog, "m", 5, folder + "/none", {});
  EXPECT_EQ(failed.error().message, "cannot read " + folder + "/none: No such file or directory");
  EXPECT_EQ(catalog.StatusOf("m", 5).value(),
            (std::vector<VersionStatus>{{5, VersionState::kEnd, failed.error()}}));
  EXPECT_EQ(Found(catalog, {"m"}), 4);
  std::filesystem::remove_all(folder);
}

TEST(CatalogTest, VersionsAreSwappedUnderLoadWithoutAFailedRequest) {
  Catalog catalog;
  catalog.Publish(Version(1));
  std::atomic<bool> done = false;
  std::atomic<int> failures = 0;
  std::vector<std::jthread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      const std::vector<float> row = {0};
      while (!done) {
        const auto served = catalog.Find({"m"});
        // The version that was found answers, also when it is withdrawn meanwhile.
        if (!served || Predict((*served)->model, {row.data(), 1, 1})[0] !=
                           static_cast<float>((*served)->version)) {
          ++failures;
        }
      }
    });
  }
  for (int64_t version = 2; version < 500; ++version) {
    catalog.Publish(Version(version));
    catalog.Withdraw("m", version - 1);
  }
  done = true;
  readers.clear();
  EXPECT_EQ(failures, 0);
}

}  // namespace
}  // namespace kiln::executor
