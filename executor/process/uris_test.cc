#include "executor/process/uris.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "wire/net/loop.h"
#include "wire/net/server.h"

namespace kiln::executor {
namespace {

using mesos::v1::CommandInfo;

class UrisTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "kiln_uris_XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    std::system(("cd " + folder_ + " && mkdir src box && echo hello > src/a.txt").c_str());
  }
  void TearDown() override { std::system(("rm -rf " + folder_).c_str()); }

  static CommandInfo::URI Uri(const std::string& value) {
    CommandInfo::URI uri;
    uri.set_value(value);
    return uri;
  }
  Status Get(const CommandInfo::URI& uri, const SchedulerApi& api = {}) {
    return FetchUri(uri, folder_ + "/box", api);
  }
  std::string Box(const std::string& name) {
    return ReadFile(folder_ + "/box/" + name).value_or("none");
  }

  std::string folder_;
};

TEST_F(UrisTest, LocalFilesAreCopiedUnderTheirNameOrAnother) {
  for (const std::string& value : {folder_ + "/src/a.txt", "file://" + folder_ + "/src/a.txt",
                                   "file:" + folder_ + "/src/a.txt"}) {
    std::system(("rm -f " + folder_ + "/box/a.txt").c_str());
    EXPECT_TRUE(Get(Uri(value)).has_value()) << value;
    EXPECT_EQ(Box("a.txt"), "hello\n") << value;
  }
  auto uri = Uri(folder_ + "/src/a.txt");
  uri.set_output_file("sub/b.txt");
  EXPECT_TRUE(Get(uri).has_value());
  EXPECT_EQ(Box("sub/b.txt"), "hello\n");
}

TEST_F(UrisTest, ArchivesAreExtractedUnlessAskedNotTo) {
  std::system(("cd " + folder_ +
               "/src && tar czf x.tar.gz a.txt && tar cf y.tar a.txt && "
               "gzip -k a.txt && echo run > run.sh")
                  .c_str());
  for (const char* name : {"x.tar.gz", "y.tar", "a.txt.gz"}) {
    EXPECT_TRUE(Get(Uri(folder_ + "/src/" + name)).has_value());
    EXPECT_EQ(Box("a.txt"), "hello\n") << name;
    std::system(("rm " + folder_ + "/box/a.txt").c_str());
  }
  auto uri = Uri(folder_ + "/src/x.tar.gz");
  uri.set_extract(false);
  EXPECT_TRUE(Get(uri).has_value());
  EXPECT_EQ(Box("a.txt"), "none");
  uri = Uri(folder_ + "/src/run.sh");
  uri.set_executable(true);
  EXPECT_TRUE(Get(uri).has_value());
  EXPECT_EQ(access((folder_ + "/box/run.sh").c_str(), X_OK), 0);
}

TEST_F(UrisTest, FailuresNameTheUri) {
  EXPECT_EQ(Get(Uri("/no/such/file")).error().message,
            "cannot copy /no/such/file: No such file or directory");
  EXPECT_EQ(Get(Uri("gopher://x/y")).error().message,
            "uri gopher://x/y: expected a path, or file, http, https, ftp or artifact");
  std::ofstream(folder_ + "/src/bad.tar.gz") << "no archive";
  EXPECT_EQ(Get(Uri(folder_ + "/src/bad.tar.gz")).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(UrisTest, NoFileLeavesTheSandbox) {
  for (const char* name : {"../out", "/tmp/out", "a/../../out"}) {
    auto uri = Uri(folder_ + "/src/a.txt");
    uri.set_output_file(name);
    EXPECT_EQ(Get(uri).error().code, ErrorCode::kInvalidArgument) << name;
  }
}

TEST_F(UrisTest, ArtifactsComeFromTheScheduler) {
  net::Loop loop;
  auto server = net::Server::Listen(loop, {}, [](std::shared_ptr<net::Exchange> e) {
    e->Respond({200,
                {},
                fmt::format("{} {}", e->request().target,
                            e->request().headers.Get("Authorization").value_or("none"))});
  });
  ASSERT_TRUE(server.has_value());
  std::thread thread([&] { loop.Run(); });
  const SchedulerApi api{"http://" + (*server)->address(), "secret"};
  const Status status = Get(Uri("artifact:data/my file.csv"), api);
  const Status of_another = Get(Uri(api.url + "/x.csv"), api);
  loop.Stop();
  thread.join();
  EXPECT_TRUE(status.has_value());
  EXPECT_EQ(Box("my file.csv"), "/v1/artifacts/data/my%20file.csv Bearer secret");
  EXPECT_TRUE(of_another.has_value());
  EXPECT_EQ(Box("x.csv"), "/x.csv none");
}

}  // namespace
}  // namespace kiln::executor
