// What a job needs and nobody else may see: from the scheduler's folder to its command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/sha256.h"
#include "tests/integration/cluster.h"

namespace kiln::integration {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(SecretsTest, ReachTheirCommandAndAreSeenNowhereElse) {
  const support::TempFolder folder;
  const std::string secrets = folder.File("secrets");
  std::filesystem::create_directory(secrets);
  for (const auto& [name, value] : {std::pair("s3", "hush-hush"), {"tls", "quiet-quiet"}}) {
    std::ofstream(secrets + "/" + name) << value << "\n";
    chmod((secrets + "/" + name).c_str(), 0600);
  }
  Cluster cluster({.agents = 1, .scheduler_flags = {"--secrets-dir=" + secrets}});
  const auto job = [&](const std::string& secret) {
    return "name: keeps\nkind: training\nretries: 0\ngroups:\n- name: main\n  secrets: [{name: " +
           secret + ", env: S3_KEY}, {name: tls, file: tls.pem}]\n  run:\n    command: |\n" +
           "      printf %s $S3_KEY | sha256sum | grep -q " + Sha256Hex("hush-hush") +
           " || exit 1\n      sha256sum tls.pem | grep -q " + Sha256Hex("quiet-quiet\n") +
           " || exit 2\n      sleep 1\n";
  };
  const Reply unknown = cluster.Api("POST", "/v1/jobs", job("s4"));
  EXPECT_EQ(unknown.status, 400);
  EXPECT_THAT(unknown.body, HasSubstr("secret s4 is not known: expected a file of that name"));
  EXPECT_THAT(unknown.body, HasSubstr("groups[0].secrets[0]"));

  ASSERT_EQ(cluster.Api("POST", "/v1/jobs", job("s3")).status, 201);
  ASSERT_TRUE(cluster.Reaches("keeps", "RUNNING"));
  std::string seen = Ask("GET", cluster.master() + "/state").body;
  const auto look_at_files = [&] {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(cluster.folder())) {
      if (entry.symlink_status().type() == std::filesystem::file_type::regular) {
        seen += support::ReadFile(entry.path());
      }
    }
  };
  look_at_files();
  seen += cluster.Kiln({"job", "why", "keeps"}).output;
  EXPECT_TRUE(cluster.Reaches("keeps", "SUCCEEDED")) << cluster.Logs();
  for (const char* path :
       {"/v1/jobs/keeps", "/v1/jobs/keeps/tasks", "/v1/jobs/keeps/log", "/v1/metrics/prometheus"}) {
    seen += cluster.Api("GET", path).body;
  }
  EXPECT_THAT(seen, HasSubstr("S3_KEY"));
  look_at_files();
  EXPECT_THAT(seen, HasSubstr("keeps"));
  for (const char* value : {"hush-hush", "quiet-quiet"}) EXPECT_THAT(seen, Not(HasSubstr(value)));
}

}  // namespace
}  // namespace kiln::integration
