#include "model/uri.h"

#include <gtest/gtest.h>

namespace kiln {
namespace {

TEST(Uri, ATaskCanReachIt) {
  for (const char* uri :
       {"artifact:a", "artifact:a/b.csv", "artifact:scores/", "/srv/x.csv", "file:///srv/x.csv",
        "http://host:80/x", "http://host", "https://host/x"}) {
    EXPECT_TRUE(CheckUri("f", "data", uri)) << uri;
  }
  for (const char* uri : {"", "x.csv", "a/b.csv", "s3://bucket/x", "https://", "http://",
                          "http:///x", "artifact:", "artifact:/a", "artifact:a//b", "artifact:../a",
                          "artifact:a/./b", "artifact:a/.."}) {
    EXPECT_FALSE(CheckUri("f", "data", uri)) << uri;
  }
}

TEST(Uri, TheFirstWrongOneOfAJobIsNamed) {
  Job job;
  job.groups.resize(2);
  job.groups[0].work = SearchWork{.data = {.uri = "/x.csv"}, .output = "artifact:o"};
  job.groups[1].work = ScoreWork{.data = {.uri = "/x.csv"}, .output = "scores"};
  EXPECT_EQ(CheckUris(job),
            FailField("groups[1].run.output",
                      "output is \"scores\": expected artifact:PATH, http://HOST/PATH, "
                      "file:///PATH or a path that begins with /"));
  job.groups[0].work = TrainWork{.data = {.uri = "x.csv"}};
  EXPECT_EQ(CheckUris(job).error().field, "groups[0].run.data");
}

}  // namespace
}  // namespace kiln
