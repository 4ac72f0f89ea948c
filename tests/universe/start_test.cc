// The rendered app's command, run by a shell as Marathon runs it: what it asks of kiln-scheduler.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "scheduler/daemon/options.h"
#include "tests/support/process.h"
#include "tests/universe/package.h"

namespace kiln::universe {
namespace {

using wire::Json;
using Arguments = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;

class StartTest : public testing::Test {
 protected:
  void SetUp() override {
    auto package = ReadPackage(SourceRoot() / "packaging/universe/repo/packages/K/kiln/0");
    ASSERT_TRUE(package) << package.error().message;
    package_ = *std::move(package);
    std::filesystem::copy(SourceRoot() / "packaging/universe/kiln-start",
                          sandbox_.path() / "kiln-start");
    ASSERT_TRUE(WriteFile(sandbox_.File("kiln-scheduler"),
                          "#!/bin/sh\nfor one in \"$@\"; do printf '%s\\n' \"$one\"; done\n"));
    std::filesystem::permissions(sandbox_.path() / "kiln-scheduler",
                                 std::filesystem::perms::owner_all);
  }

  // What kiln-scheduler is called with for the options that a user gives. `more` is what Marathon
  // or Cosmos add to the environment.
  Arguments Start(const Json& given, Environment more = {}) {
    const auto app = RenderApp(package_, given);
    if (!app) {
      ADD_FAILURE() << app.error().message;
      return {};
    }
    more.insert({{"HOST", "10.0.0.7"}, {"PORT_API", "31000"}});
    for (const auto& [name, value] : (*app)["env"].items()) more[name] = value;
    const auto outcome = support::RunProgram(
        {"/bin/sh", "-c",
         "cd '" + sandbox_.path().string() + "' && " + app->at("cmd").get<std::string>()},
        more);
    EXPECT_EQ(outcome.code, 0) << given << ": " << outcome.output;
    Arguments arguments;
    std::istringstream lines(outcome.output);
    for (std::string line; std::getline(lines, line);) arguments.push_back(line);
    return arguments;
  }

  scheduler::Options Parsed(Arguments arguments) {
    std::vector<char*> argv;
    arguments.insert(arguments.begin(), "kiln-scheduler");
    for (std::string& argument : arguments) argv.push_back(argument.data());
    const auto parsed = scheduler::ParseOptions(static_cast<int>(argv.size()), argv.data());
    if (parsed) return parsed->options;
    ADD_FAILURE() << testing::PrintToString(arguments) << ": " << parsed.error().message;
    return {};
  }

  support::TempFolder sandbox_;
  Package package_;
};

TEST_F(StartTest, DefaultsServeOnThePortOfMarathonAndAreFoundByTheVirtualIp) {
  EXPECT_EQ(Start(Json::object()), (Arguments{"--master",
                                              "leader.mesos:5050",
                                              "--listen",
                                              "0.0.0.0:31000",
                                              "--advertise",
                                              "api.kiln.marathon.l4lb.thisdcos.directory:80",
                                              "--state",
                                              "state/kiln.db",
                                              "--artifacts",
                                              "state/artifacts",
                                              "--framework-name",
                                              "kiln",
                                              "--user",
                                              "nobody",
                                              "--failover-timeout",
                                              "14d",
                                              "--placement",
                                              "fill",
                                              "--topology",
                                              "region,zone,rack,switch",
                                              "--hold",
                                              "30s",
                                              "--unreachable-wait",
                                              "1min",
                                              "--executor-idle",
                                              "1min",
                                              "--executor-uri",
                                              "https://kiln.example.com/0.1.0/kiln-executor",
                                              "--no-auth",
                                              "--role",
                                              "kiln-role",
                                              "--webui-url",
                                              "http://10.0.0.7:31000/"}));
}

TEST_F(StartTest, TheSchedulerKnowsEveryFlagForEveryValueOfEveryOption) {
  Parsed(Start(Json::object()));
  for (const Option& option : OptionsOf(package_.config)) {
    // The file exists only where Mesos has mounted the secret.
    if (option.Name() == "service.service_account_secret") continue;
    for (const Json& value : OtherValues(option)) {
      SCOPED_TRACE(option.Name() + " = " + value.dump());
      Parsed(Start(Given(option, value)));
    }
  }
}

TEST_F(StartTest, OptionsReachTheSchedulerAsTheyAreWritten) {
  const std::string odd = R"(it's "a\b" $HOME *)";
  const auto options = Parsed(Start({{"service",
                                      {{"name", "/dev/kiln"},
                                       {"user", odd},
                                       {"service_account", odd},
                                       {"advertise", "api.example:80"},
                                       {"webui_url", odd}}},
                                     {"scheduler",
                                      {{"failover_timeout", "2d"},
                                       {"placement", "spread"},
                                       {"topology", "zone,rack"},
                                       {"hold", "5s"},
                                       {"unreachable_wait", "10min"},
                                       {"executor_idle", "1h"}}},
                                     {"mesos", {{"masters", "m1:5050,m2:5051"}}}}));
  EXPECT_EQ(options.framework_name, "/dev/kiln");
  EXPECT_EQ(options.roles, Arguments{"dev__kiln-role"});
  EXPECT_EQ(options.user, odd);
  EXPECT_EQ(options.principal, odd);
  EXPECT_EQ(options.advertise, "api.example:80");
  EXPECT_EQ(options.webui_url, odd);
  EXPECT_EQ(options.failover_timeout, std::chrono::days(2));
  EXPECT_EQ(options.policy, "spread");
  EXPECT_EQ(options.topology, (Arguments{"zone", "rack"}));
  EXPECT_EQ(options.hold, std::chrono::seconds(5));
  EXPECT_EQ(options.unreachable_wait, std::chrono::minutes(10));
  EXPECT_EQ(options.executor_idle, std::chrono::hours(1));
  EXPECT_EQ(options.masters, (Arguments{"m1:5050", "m2:5051"}));
}

TEST_F(StartTest, RolesAreGivenOrTheGroupsOrTheServicesOwn) {
  const Json given = {{"service", {{"role", "research,*,a b"}}}};
  const Environment group = {{"MARATHON_APP_ENFORCE_GROUP_ROLE", "true"},
                             {"MESOS_ALLOCATION_ROLE", "dev"}};
  EXPECT_EQ(Parsed(Start(given)).roles, (Arguments{"research", "*", "a b"}));
  EXPECT_EQ(Parsed(Start(given, group)).roles, (Arguments{"research", "*", "a b"}));
  EXPECT_EQ(Parsed(Start(Json::object(), group)).roles, Arguments{"dev"});
  EXPECT_EQ(Parsed(Start(Json::object(), {{"MARATHON_APP_ENFORCE_GROUP_ROLE", "false"},
                                          {"MESOS_ALLOCATION_ROLE", "slave_public"}}))
                .roles,
            Arguments{"kiln-role"});
}

TEST_F(StartTest, OnAVirtualNetworkItListensOnThePortOfTheContainer) {
  const auto options =
      Parsed(Start({{"service", {{"name", "dev/kiln"}, {"virtual_network_enabled", true}}}}));
  EXPECT_EQ(options.listen_port, 8080);
  EXPECT_EQ(options.advertise, "api.devkiln.marathon.l4lb.thisdcos.directory:80");
  EXPECT_EQ(options.webui_url, "");
}

TEST_F(StartTest, TheSecretIsReadFromItsMount) {
  const Arguments arguments = Start(
      {{"service", {{"service_account", "kiln"}, {"service_account_secret", "kiln/secret"}}}});
  const auto flag = std::find(arguments.begin(), arguments.end(), "--secret-file");
  ASSERT_NE(flag, arguments.end());
  EXPECT_EQ(*(flag + 1), "secrets/service-account");
}

TEST_F(StartTest, InStrictModeAServiceAccountLogsInAndTheClustersAuthoritiesAreBelieved) {
  std::filesystem::create_directory(sandbox_.File("secrets"));
  std::filesystem::create_directory(sandbox_.File(".ssl"));
  std::ofstream(sandbox_.File("secrets/service-account")) << "\n {\"scheme\": \"RS256\"}\n";
  std::ofstream(sandbox_.File(".ssl/ca-bundle.crt")) << "pem\n";
  const Arguments arguments =
      Start({{"service", {{"service_account", "kiln"}, {"service_account_secret", "kiln/secret"}}},
             {"mesos", {{"masters", "https://leader.mesos/mesos"}}}});
  EXPECT_THAT(arguments, testing::Contains("https://leader.mesos/mesos"));
  EXPECT_THAT(arguments, testing::Not(testing::Contains("--secret-file")));
  for (const auto& [name, value] : {std::pair("--service-account", "secrets/service-account"),
                                    {"--ca-file", ".ssl/ca-bundle.crt"}}) {
    const auto flag = std::find(arguments.begin(), arguments.end(), name);
    ASSERT_NE(flag, arguments.end()) << name;
    EXPECT_EQ(*(flag + 1), value);
  }
}

TEST_F(StartTest, AdminRouterIsWhoAsksForATokenSoTheSchedulerDoesNot) {
  const auto options = Parsed(Start(Json::object()));
  EXPECT_EQ(options.listen_host, "0.0.0.0");
  EXPECT_EQ(options.tokens, std::vector<scheduler::Token>{});
}

TEST_F(StartTest, WhenCosmosUninstallsTheSchedulerTearsDown) {
  EXPECT_FALSE(Parsed(Start(Json::object())).uninstall);
  EXPECT_TRUE(Parsed(Start(Json::object(), {{"SDK_UNINSTALL", "true"}})).uninstall);
}

}  // namespace
}  // namespace kiln::universe
