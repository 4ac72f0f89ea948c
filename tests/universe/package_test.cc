// The package as it lies in the tree, by the rules of Universe and Cosmos.
#include "tests/universe/package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "base/file.h"

namespace kiln::universe {
namespace {

using testing::IsEmpty;
using testing::Not;
using wire::Json;
using Faults = std::vector<std::string>;

const std::filesystem::path kFolder = SourceRoot() / "packaging/universe/repo/packages/K/kiln/0";

class PackageTest : public testing::Test {
 protected:
  void SetUp() override {
    auto package = ReadPackage(kFolder);
    ASSERT_TRUE(package) << package.error().message;
    package_ = *std::move(package);
  }

  Json Render(const Json& given) {
    auto app = RenderApp(package_, given);
    if (!app) {
      ADD_FAILURE() << given.dump() << ": " << app.error().message;
      return Json::object();
    }
    return *std::move(app);
  }

  // Every option set to each of its other values, one at a time.
  std::vector<std::pair<Option, Json>> Changes() const {
    std::vector<std::pair<Option, Json>> changes;
    for (const Option& option : OptionsOf(package_.config)) {
      for (const Json& value : OtherValues(option)) changes.push_back({option, value});
    }
    return changes;
  }

  Json AllBooleansFlipped() const {
    Json given = Json::object();
    for (const Option& option : OptionsOf(package_.config)) {
      const Json& value = option.schema["default"];
      if (value.is_boolean()) given.merge_patch(Given(option, !value.get<bool>()));
    }
    return given;
  }

  Package package_;
};

void CheckSchema(const std::string& name, const Json& schema, Faults& faults) {
  const bool leaf = !schema.contains("properties");
  if (!schema.contains("type") || !schema["type"].is_string()) faults.push_back(name + ": type");
  if (schema.value("description", "").empty()) faults.push_back(name + ": description");
  if (leaf && !schema.contains("default")) faults.push_back(name + ": default");
  if (leaf) return;
  if (schema["type"] != "object") faults.push_back(name + ": properties of no object");
  for (const Json& required : schema.value("required", Json::array())) {
    if (!schema["properties"].contains(required))
      faults.push_back(name + ": requires " + required.dump());
  }
  for (const auto& [key, property] : schema["properties"].items())
    CheckSchema(name + "." + key, property, faults);
}

void CollectUris(const Json& json, std::set<std::string>& uris) {
  if (json.is_string() && json.get<std::string>().find("://") != std::string::npos)
    uris.insert(json);
  if (json.is_structured())
    for (const Json& child : json) CollectUris(child, uris);
}

TEST_F(PackageTest, FilesAreThoseOfPackaging4InPlainAscii) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    names.insert(entry.path().filename());
    const auto text = ReadFile(entry.path().string());
    ASSERT_TRUE(text);
    EXPECT_TRUE(std::all_of(text->begin(), text->end(), [](unsigned char c) { return c < 128; }))
        << entry.path();
    EXPECT_EQ(text->find("\\u"), std::string::npos) << entry.path();
  }
  EXPECT_EQ(names, (std::set<std::string>{"config.json", "marathon.json.mustache", "package.json",
                                          "resource.json"}));
}

TEST_F(PackageTest, PackageJsonNamesAFrameworkThatEveryClusterFrom1_11MayInstall) {
  const Json& package = package_.package;
  EXPECT_EQ(package["packagingVersion"], "4.0");
  EXPECT_EQ(package["name"], "kiln");
  EXPECT_EQ(package["minDcosReleaseVersion"], "1.11");
  EXPECT_EQ(package["framework"], true);
  const auto version = package["version"].get<std::string>();
  EXPECT_TRUE(std::regex_match(version, std::regex("[-a-zA-Z0-9.]+"))) << version;
  for (const char* key : {"maintainer", "description"}) EXPECT_NE(package.value(key, ""), "");
  for (const Json& tag : package["tags"]) {
    EXPECT_TRUE(std::regex_match(tag.get<std::string>(), std::regex("\\S+"))) << tag;
  }
}

TEST_F(PackageTest, EveryOptionSaysTypeMeaningAndADefaultThatItTakes) {
  Faults faults;
  CheckSchema("config", package_.config, faults);
  for (const Option& option : OptionsOf(package_.config)) {
    if (!Takes(option, option.schema["default"])) faults.push_back(option.Name() + ": its default");
    if (OtherValues(option).empty()) faults.push_back(option.Name() + ": no other value is tried");
  }
  EXPECT_EQ(faults, Faults{});
}

TEST_F(PackageTest, DefaultsMakeAHealthCheckedSingleInstanceWithAVolume) {
  const Json app = Render(Json::object());
  EXPECT_EQ(app["id"], "kiln");
  EXPECT_EQ(app["user"], "nobody");
  EXPECT_EQ(app["instances"], 1);
  EXPECT_EQ(app["labels"], (Json{{"DCOS_PACKAGE_FRAMEWORK_NAME", "kiln"},
                                 {"DCOS_SERVICE_NAME", "kiln"},
                                 {"DCOS_SERVICE_SCHEME", "http"},
                                 {"DCOS_SERVICE_PORT_INDEX", "0"},
                                 {"DCOS_SERVICE_WEB_PATH", "/"},
                                 {"DCOS_SERVICE_REQUEST_BUFFERING", "false"},
                                 {"DCOS_COMMONS_API_VERSION", "v1"},
                                 {"DCOS_COMMONS_UNINSTALL", "true"},
                                 {"MARATHON_SINGLE_INSTANCE_APP", "true"}}));
  EXPECT_EQ(app["upgradeStrategy"],
            (Json{{"minimumHealthCapacity", 0}, {"maximumOverCapacity", 0}}));
  EXPECT_EQ(app["healthChecks"][0]["protocol"], "MESOS_HTTP");
  EXPECT_EQ(app["healthChecks"][0]["path"], "/v1/health");
  // With MESOS_HTTP, 0 would kill at the first failure.
  EXPECT_GT(app["healthChecks"][0]["maxConsecutiveFailures"], 0);
  EXPECT_EQ(app["networks"], (Json{{{"mode", "host"}}}));
  EXPECT_EQ(app["portDefinitions"][0]["name"], "api");
  EXPECT_EQ(app["container"], (Json{{"type", "MESOS"},
                                    {"volumes",
                                     {{{"containerPath", "state"},
                                       {"mode", "RW"},
                                       {"persistent", {{"type", "root"}, {"size", 5000}}}}}}}));
  EXPECT_FALSE(app.contains("secrets"));
}

TEST_F(PackageTest, EveryChangeOfOneOptionRendersAndShows) {
  const Json base = Render(Json::object());
  const Json flipped = AllBooleansFlipped();
  const Json base_flipped = Render(flipped);
  for (const auto& [option, value] : Changes()) {
    const Json given = Given(option, value);
    // Some options mean something only when a boolean is set.
    Json given_flipped = flipped;
    given_flipped.merge_patch(given);
    EXPECT_TRUE(Render(given) != base || Render(given_flipped) != base_flipped)
        << option.Name() << " = " << value << " changes nothing";
  }
}

TEST_F(PackageTest, EveryRenderingHasTheLabelsThatDcosNeedsAndNoneThatCosmosWrites) {
  std::vector<Json> all = {Json::object(), AllBooleansFlipped()};
  for (const auto& [option, value] : Changes()) all.push_back(Given(option, value));
  for (const Json& given : all) {
    const Json app = Render(given);
    const Json& labels = app["labels"];
    for (const char* name :
         {"DCOS_PACKAGE_FRAMEWORK_NAME", "DCOS_SERVICE_NAME", "DCOS_SERVICE_SCHEME",
          "DCOS_SERVICE_PORT_INDEX", "DCOS_SERVICE_WEB_PATH", "DCOS_COMMONS_API_VERSION",
          "DCOS_COMMONS_UNINSTALL", "MARATHON_SINGLE_INSTANCE_APP"}) {
      EXPECT_TRUE(labels.contains(name)) << given << " lacks " << name;
    }
    for (const auto& [name, value] : labels.items()) {
      EXPECT_TRUE(name == "DCOS_PACKAGE_FRAMEWORK_NAME" || !name.starts_with("DCOS_PACKAGE_"))
          << name << " is Cosmos's to write";
    }
    EXPECT_EQ(labels["DCOS_PACKAGE_FRAMEWORK_NAME"], app["env"]["KILN_SERVICE"]);
    EXPECT_EQ(app.dump().find("{{"), std::string::npos) << given;
  }
}

TEST_F(PackageTest, EveryUriComesFromResourceJson) {
  std::set<std::string> in_template, known;
  CollectUris(package_.app_template, in_template);
  EXPECT_THAT(in_template, IsEmpty());
  CollectUris(package_.resource, known);
  std::set<std::string> used;
  CollectUris(Render(Json::object()), used);
  CollectUris(Render(AllBooleansFlipped()), used);
  EXPECT_THAT(used, Not(IsEmpty()));
  for (const std::string& uri : used) EXPECT_TRUE(known.contains(uri)) << uri;
  for (const std::string& uri : known) {
    EXPECT_TRUE(std::regex_match(uri, std::regex("https?://\\S+"))) << uri;
  }
}

TEST_F(PackageTest, ASecretIsMountedWhereTheSchedulerIsToldToReadIt) {
  const Json app = Render({{"service", {{"service_account_secret", "dev/kiln-secret"}}}});
  EXPECT_EQ(app["secrets"], (Json{{"serviceCredential", {{"source", "dev/kiln-secret"}}}}));
  EXPECT_EQ(app["container"]["volumes"][0], (Json{{"containerPath", app["env"]["KILN_SECRET_FILE"]},
                                                  {"secret", "serviceCredential"}}));
}

TEST_F(PackageTest, AVirtualNetworkReplacesThePortOfTheAgent) {
  const Json app =
      Render({{"service", {{"virtual_network_enabled", true}, {"virtual_network_name", "blue"}}}});
  EXPECT_EQ(app["networks"], (Json{{{"mode", "container"}, {"name", "blue"}}}));
  EXPECT_FALSE(app.contains("portDefinitions"));
  const Json& port = app["container"]["portMappings"][0];
  EXPECT_EQ(port["containerPort"].dump(), app["env"]["KILN_PORT"].get<std::string>());
  EXPECT_EQ(port["labels"], Render(Json::object())["portDefinitions"][0]["labels"]);
}

// The real validator lets both of these through.
TEST_F(PackageTest, ATemplateThatCosmosCannotUseIsSeen) {
  const struct {
    const char* app_template;
    const char* error;
  } cases[] = {
      {R"({"id": "x" {{#service.role}}, "a": 1})", "line 1: section service.role is not closed"},
      {R"({"id": "{{service.name}}",})", "JSON"},
      {R"(["{{service.name}}"])", "app is array, expected an object"},
      {R"({"labels": {"a": {{scheduler.mem}}}})", "label a is 1024, expected a string"},
  };
  for (const auto& one : cases) {
    package_.app_template = one.app_template;
    const auto app = RenderApp(package_, Json::object());
    ASSERT_FALSE(app) << one.app_template;
    EXPECT_THAT(app.error().message, testing::HasSubstr(one.error));
  }
}

}  // namespace
}  // namespace kiln::universe
