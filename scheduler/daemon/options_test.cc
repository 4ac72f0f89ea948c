#include "scheduler/daemon/options.h"

#include <gmock/gmock.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"

namespace kiln::scheduler {
namespace {

Result<Parsed> Parse(std::vector<std::string> words) {
  words.insert(words.begin(), "kiln-scheduler");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return ParseOptions(static_cast<int>(argv.size()), argv.data());
}

TEST(Options, FlagsAreRead) {
  const auto parsed =
      Parse({"--master=m1:5050,m2:5051", "--state=/s", "--listen=0.0.0.0:80", "--no-auth",
             "--role=a", "--role=b", "--quarantine=5min", "--topology=zone,rack",
             "--failover-timeout=2d", "--preempt=quota", "--move", "--min-run=2min",
             "--evictions=5", "--hold=5s", "--encoding=json", "--executor=/x/kiln-executor"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  const Options& options = parsed->options;
  EXPECT_THAT(options.masters, testing::ElementsAre("m1:5050", "m2:5051"));
  EXPECT_EQ(options.listen_host, "0.0.0.0");
  EXPECT_EQ(options.listen_port, 80);
  EXPECT_THAT(options.roles, testing::ElementsAre("a", "b"));
  EXPECT_EQ(options.failover_timeout, std::chrono::hours(48));
  EXPECT_EQ(options.hold, std::chrono::seconds(5));
  EXPECT_EQ(options.quarantine, std::chrono::minutes(5));
  EXPECT_EQ(options.preemption, (PreemptionSettings{.by_priority = false,
                                                    .move = true,
                                                    .min_run = std::chrono::minutes(2),
                                                    .evictions_max = 5}));
  EXPECT_THAT(options.topology, testing::ElementsAre("zone", "rack"));
  EXPECT_EQ(options.encoding, wire::Encoding::kJson);
  EXPECT_EQ(options.artifacts, "/s.artifacts");
  EXPECT_EQ(options.executor, "/x/kiln-executor");
}

TEST(Options, MastersAreNamedOrDetected) {
  const auto parsed = Parse({"--master=zk://me:pw@z1:2181,z2:2182/mesos", "--state=/s"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(parsed->options.masters.empty());
  EXPECT_EQ(parsed->options.detection,
            (wire::ZookeeperAddress{"z1:2181,z2:2182", "/mesos", "me:pw"}));
  const std::string path = testing::TempDir() + "/master-" + std::to_string(getpid());
  for (const char* text : {"zk://me:pw@z1:2181,z2:2182/mesos\n", "m1:5050,m2:5051\n"}) {
    ASSERT_TRUE(WriteFile(path, text));
    const auto read = Parse({"--master=file://" + path, "--state=/s"});
    ASSERT_TRUE(read) << read.error().message;
    if (*text == 'z') {
      EXPECT_EQ(read->options.detection, parsed->options.detection);
    } else {
      EXPECT_THAT(read->options.masters, testing::ElementsAre("m1:5050", "m2:5051"));
    }
  }
  std::filesystem::remove(path);
}

TEST(Options, MastersMaySpeakTlsAndStandBehindAProxy) {
  const auto parsed =
      Parse({"--master=https://leader.mesos/mesos/,http://m:5050,https://m:1", "--state=/s"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_THAT(parsed->options.masters,
              testing::ElementsAre("https://leader.mesos:443/mesos", "m:5050", "https://m:1"));
  EXPECT_TRUE(parsed->options.mesos_tls);
  EXPECT_FALSE(Parse({"--master=m:1", "--state=/s"})->options.mesos_tls);
}

TEST(Options, TheStateIsAFileOrNodes) {
  const auto parsed =
      Parse({"--master=m:1", "--state=zk://me:pw@z1:2181/kiln", "--artifacts=/a/things"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->options.state_nodes, (wire::ZookeeperAddress{"z1:2181", "/kiln", "me:pw"}));
  EXPECT_EQ(parsed->options.key, "/a/things.key");
  EXPECT_EQ(
      Parse({"--master=m:1", "--state=zk://me:pw@z1:2181/kiln"}).error().message,
      "--state is zk://z1:2181/kiln: expected --artifacts with a folder for what ZooKeeper is "
      "too small for");
  EXPECT_EQ(Parse({"--master=m:1", "--state=/s"})->options.key, "/s.key");
}

TEST(Options, TheRolesFileIsReadAndItsFaultsNameFileAndField) {
  const std::string path = testing::TempDir() + "/roles-" + std::to_string(getpid());
  const auto parse = [&](const std::string& text) {
    EXPECT_TRUE(WriteFile(path, text));
    return Parse({"--master=m:5050", "--state=/s", "--roles-file=" + path});
  };
  const auto good = parse("ageing: 5min\nroles: [{name: a, weight: 2}]");
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->options.sharing, (RoleSettings{.roles = {{.name = "a", .weight = 2}},
                                                 .ageing = std::chrono::minutes(5)}));
  const auto bad = parse("roles: [{name: a, weight: -2}]");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(bad.error().message,
              testing::StartsWith("--roles-file " + path + ": roles[0].weight: weight is -2"));
  std::filesystem::remove(path);
}

TEST(Options, OnLoopbackAloneNobodyHasToSayWhoMayUseTheApi) {
  const auto parse = [](const std::string& listen) {
    return Parse({"--master=m:5050", "--state=/s", "--listen=" + listen});
  };
  for (const char* listen : {"127.0.0.1:0", "127.1.2.3:80", "localhost:80"}) {
    EXPECT_TRUE(parse(listen)) << listen;
  }
  for (const char* listen : {"0.0.0.0:80", "10.0.0.1:80", "127.example.com:80", "host:80"}) {
    const auto parsed = parse(listen);
    ASSERT_FALSE(parsed) << listen;
    EXPECT_EQ(parsed.error().message,
              fmt::format("--listen is {}, where others can submit work: expected --tokens-file "
                          "with those who may, or --no-auth where something in front asks them",
                          listen));
  }
}

TEST(Options, TheTokensFileIsReadWhenItIsItsOwnersAlone) {
  const std::string path = testing::TempDir() + "/tokens-" + std::to_string(getpid());
  const auto parse = [&](const std::string& text, int mode) {
    EXPECT_TRUE(WriteFile(path, text));
    chmod(path.c_str(), static_cast<mode_t>(mode));
    return Parse({"--master=m:5050", "--state=/s", "--listen=0.0.0.0:80", "--tokens-file=" + path});
  };
  const std::string line = "submit sam 0123456789abcdef\n";
  const auto good = parse(line, 0600);
  ASSERT_TRUE(good) << good.error().message;
  ASSERT_EQ(good->options.tokens.size(), 1U);
  EXPECT_EQ(good->options.tokens[0].name, "sam");
  EXPECT_EQ(good->options.rate_limit, 100);
  EXPECT_EQ(Parse({"--master=m:5050", "--state=/s"})->options.rate_limit, 0);
  EXPECT_TRUE(parse(line, 0400));
  for (const int mode : {0640, 0604, 0620, 0602}) {
    const auto open = parse(line, mode);
    ASSERT_FALSE(open) << mode;
    EXPECT_EQ(open.error().message,
              fmt::format("--tokens-file: mode of {} is {:04o}: expected 0600, others than its "
                          "owner could act as those in it",
                          path, mode));
  }
  EXPECT_EQ(parse("x\n", 0600).error().message,
            "--tokens-file " + path +
                ": line 1: expected ACCESS NAME TOKEN with an access of view, submit or admin");
  EXPECT_EQ(
      Parse({"--master=m:1", "--state=/s", "--no-auth", "--tokens-file=" + path}).error().message,
      "--no-auth is given with --tokens-file: expected one of them");
  std::filesystem::remove(path);
}

TEST(Options, ExecutorsRunAsTheUserThatIsNamedOrAsTheSchedulersOwn) {
  const passwd* own = getpwuid(geteuid());
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(Parse({"--master=m:5050", "--state=/s"})->options.user, own->pw_name);
  EXPECT_EQ(Parse({"--master=m:5050", "--state=/s", "--user=ml"})->options.user, "ml");
}

TEST(Options, EachFaultIsOneSentence) {
  const std::vector<std::string> good = {"--master=m:5050", "--state=/s"};
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"--state=/s"}, "--master is required"},
      {{"--master=m:5050"}, "--state is required"},
      {{"--master=m:99999", "--state=/s"}, "--master: "},
      {{"--master=file:///none/x", "--state=/s"}, "--master: "},
      {{"--master=ftp://m:1", "--state=/s"},
       "--master: scheme is \"ftp\": expected HOST:PORT, https://HOST:PORT or "},
      {{"--master=https://m:x", "--state=/s"}, "--master: port: found 'x'"},
      {{"--master=m:1", "--state=/s", "--tls-cert=/c"}, "--tls-cert is given alone: expected "},
      {{"--master=m:1", "--state=/s", "--tls-cert=/c", "--tls-key=/none/x"}, "--tls-key: "},
      {{"--master=zk://m:1", "--state=/s"}, "--master: address of m:1 names no path: expected zk:"},
      {{"--master=zk://m:0/mesos", "--state=/s"}, "--master: "},
      {{"--master=m:1", "--state=zk://z:2181"}, "--state: address of z:2181 names no path: "},
      {{"--master=m:1", "--state=/s", "--listen=x"}, "--listen: "},
      {{"--master=m:1", "--state=/s", "--hold=5"}, "--hold: "},
      {{"--master=m:1", "--state=/s", "--failover-timeout=0s"},
       "--failover-timeout is 0s: expected more, as tasks have to outlive a restart"},
      {{"--master=m:1", "--state=/s", "--topology=rack,host"}, "--topology: topology has the "},
      {{"--master=m:1", "--state=/s", "--preempt=all"}, "--preempt is \"all\""},
      {{"--master=m:1", "--state=/s", "--min-run=5"}, "--min-run: "},
      {{"--master=m:1", "--state=/s", "--evictions=-1"}, "--evictions: "},
      {{"--master=m:1", "--state=/s", "--encoding=xml"}, "--encoding is \"xml\""},
      {{"--master=m:1", "--state=/s", "--secret-file=/none/x"}, "--secret-file: "},
      {{"--master=m:1", "--state=/s", "--roles-file=/none/x"}, "--roles-file: "},
      {{"--master=m:1", "--state=/s", "--tokens-file=/none/x"}, "--tokens-file: "},
      {{"--master=m:1", "--state=/s", "--speed=3"}, "option is \"--speed=3\""},
      {{"--hodl=5s"}, "option is \"--hodl=5s\": expected --hold"},
      {{"--master=m:1", "--state=/s", "now"}, "argument \"now\" is one too many"}};
  for (const auto& [words, message] : cases) {
    const auto parsed = Parse(words);
    ASSERT_FALSE(parsed) << message;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(parsed.error().message, testing::StartsWith(message));
  }
  EXPECT_FALSE(Parse({"--help"})->help.empty());
}

}  // namespace
}  // namespace kiln::scheduler
