// Master, agents, executors, scheduler and command line in TLS, under an authority of the test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/cluster.h"
#include "wire/net/certificates_for_test.h"

namespace kiln::integration {
namespace {

using testing::HasSubstr;

TEST(TlsTest, EverybodySpeaksIt) {
  const support::TempFolder folder;
  const net::TestAuthority authority(folder.path(), "authority");
  Cluster cluster(
      {.agents = 2, .ca_file = authority.file(), .tls = authority.Issue("kiln", "IP:127.0.0.1")});
  EXPECT_THAT(cluster.api(), testing::StartsWith("https://127.0.0.1:"));

  // Data in, a model out: the executor's own requests.
  const auto trained =
      cluster.Kiln({"job", "submit", KILN_SOURCE_ROOT "/examples/digits/forest.yaml", "--wait"});
  EXPECT_EQ(trained.code, 0) << trained.output << cluster.Logs();
  EXPECT_EQ(cluster.Api("GET", "/v1/models/digits/versions/1").status, 200);

  // A command's requests, by a program of others, and its log by way of the agent.
  const std::string file = folder.File("command.yaml");
  std::ofstream(file) << "name: asks\nkind: training\ngroups:\n- name: main\n  run:\n    command: "
                         "curl -sS --cacert $KILN_CA_FILE $KILN_API/v1/jobs/asks\n";
  const auto asked = cluster.Kiln({"job", "submit", file, "--wait"});
  EXPECT_EQ(asked.code, 0) << asked.output << cluster.Logs();
  EXPECT_THAT(cluster.Kiln({"job", "log", "asks"}).output, HasSubstr("\"name\":\"asks\""));

  const std::string plain = "http" + cluster.api().substr(std::string("https").size());
  EXPECT_EQ(Ask("GET", plain + "/v1/jobs").status, 400);
  EXPECT_THAT(Ask("GET", cluster.api() + "/v1/jobs").body,
              HasSubstr("certificate is signed by CN=authority: expected an authority that is "
                        "believed"));
}

}  // namespace
}  // namespace kiln::integration
