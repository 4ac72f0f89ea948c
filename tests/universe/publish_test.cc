// tools/universe: the package as it is put on a web server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/process.h"
#include "tests/universe/package.h"

namespace kiln::universe {
namespace {

using support::RunProgram;
using testing::HasSubstr;
using wire::Json;

constexpr char kScript[] = "#!/bin/sh\necho a script\n";

class PublishTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(bin_);
    for (const char* program : {"kiln", "kiln-scheduler"}) {
      ASSERT_TRUE(WriteFile((bin_ / program).string(), kScript));
      std::filesystem::permissions(bin_ / program, std::filesystem::perms::owner_all);
    }
    // Linked to shared libraries, and shows whether its arguments and environment came through.
    std::filesystem::copy("/usr/bin/env", bin_ / "kiln-executor");
  }

  support::RunOutcome Publish(const std::string& base) {
    return RunProgram(
        {(SourceRoot() / "tools/universe").string(), base, out_.string(), bin_.string()});
  }

  Json Read(const std::filesystem::path& file) {
    const auto text = ReadFile((out_ / file).string());
    if (!text) {
      ADD_FAILURE() << text.error().message;
      return {};
    }
    return wire::ParseJson(*text).value();
  }

  support::TempFolder folder_;
  const std::filesystem::path bin_ = folder_.path() / "bin";
  const std::filesystem::path out_ = folder_.path() / "out";
};

TEST_F(PublishTest, ThePackageNamesFilesThatStandBesideItAndTheHashOfTheCommandLine) {
  const auto outcome = Publish("http://files.example:8000/kiln/");
  ASSERT_EQ(outcome.code, 0) << outcome.output;
  const auto package = ReadPackage(out_ / "repo/packages/K/kiln/0");
  ASSERT_TRUE(package) << package.error().message;
  const Json& cli = package->resource["cli"]["binaries"]["linux"]["x86-64"];
  EXPECT_EQ(cli["url"], "http://files.example:8000/kiln/dcos-kiln");
  for (const auto& [name, uri] : package->resource["assets"]["uris"].items()) {
    EXPECT_EQ(uri, "http://files.example:8000/kiln/" + name);
    EXPECT_TRUE(std::filesystem::exists(out_ / name)) << name;
  }
  for (const auto& [name, uri] : package->resource["images"].items()) {
    EXPECT_EQ(uri, "http://files.example:8000/kiln/" + name + ".png");
    EXPECT_TRUE(std::filesystem::exists(out_ / (name + ".png"))) << name;
  }
  EXPECT_EQ(RunProgram({"sha256sum", (out_ / "dcos-kiln").string()}).output.substr(0, 64),
            cli["contentHash"][0]["value"]);
}

TEST_F(PublishTest, TheRepositoryHoldsThePackageAndItsTemplate) {
  ASSERT_EQ(Publish("https://files.example").code, 0);
  const auto package = ReadPackage(out_ / "repo/packages/K/kiln/0");
  ASSERT_TRUE(package) << package.error().message;
  Json repo = Read("repo.json");
  ASSERT_EQ(repo["packages"].size(), 1u);
  Json& entry = repo["packages"][0];
  ASSERT_TRUE(WriteFile(folder_.File("template.b64"),
                        entry["marathon"]["v2AppMustacheTemplate"].get<std::string>()));
  EXPECT_EQ(RunProgram({"base64", "-d", folder_.File("template.b64")}).output,
            package->app_template);
  entry.erase("marathon");
  Json expected = package->package;
  expected["releaseVersion"] = 0;
  expected["config"] = package->config;
  expected["resource"] = package->resource;
  EXPECT_EQ(entry, expected);
}

TEST_F(PublishTest, AProgramBringsItsLibrariesAndIsUnpackedOnce) {
  ASSERT_EQ(Publish("https://files.example").code, 0);
  EXPECT_EQ(support::ReadFile(out_ / "kiln-scheduler"), kScript);
  const std::string sandbox = folder_.File("sandbox");
  for (const char* value : {"first", "second"}) {
    const auto outcome = RunProgram(
        {(out_ / "kiln-executor").string(), "-u", "HOME", "sh", "-c", "echo \"<$VALUE$HOME>\""},
        {{"MESOS_SANDBOX", sandbox}, {"VALUE", value}});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.output, "<" + std::string(value) + ">\n");
    const std::filesystem::directory_iterator unpacked(sandbox + "/kiln");
    EXPECT_EQ(std::distance(begin(unpacked), end(unpacked)), 1);
  }
}

TEST_F(PublishTest, WhatCannotBePublishedIsRefusedInOneSentence) {
  EXPECT_THAT(Publish("ftp://files.example").output,
              HasSubstr("URL-BASE is ftp://files.example, expected http://HOST"));
  std::filesystem::remove(bin_ / "kiln-scheduler");
  const auto outcome = Publish("https://files.example");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.output, HasSubstr("bin/kiln-scheduler is missing: run tools/build release"));
  EXPECT_FALSE(std::filesystem::exists(out_));
}

}  // namespace
}  // namespace kiln::universe
