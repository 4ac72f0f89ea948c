// The published schema against the codec and the examples.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "wire/rest/cluster_codec.h"
#include "wire/rest/job_codec.h"
#include "wire/rest/json.h"

namespace kiln::wire {
namespace {

namespace fs = std::filesystem;

std::string ReadText(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

bool HasType(const Json& json, const std::string& type) {
  if (type == "object") return json.is_object();
  if (type == "array") return json.is_array();
  if (type == "string") return json.is_string();
  if (type == "boolean") return json.is_boolean();
  if (type == "integer") return json.is_number_integer();
  return type == "number" && json.is_number();
}

std::string Fault(const Json& schema, const Json& json, const std::string& path);

std::string ObjectFault(const Json& schema, const Json& json, const std::string& path) {
  for (const Json& name : schema.value("required", Json::array())) {
    if (!json.contains(name.get<std::string>())) return path + ": no " + name.get<std::string>();
  }
  if (json.size() < schema.value("minProperties", size_t{0}) ||
      json.size() > schema.value("maxProperties", size_t{1000})) {
    return path + ": number of keys";
  }
  const Json& known = schema.value("properties", Json::object());
  const Json& others = schema.value("additionalProperties", Json(true));
  for (const auto& [name, value] : json.items()) {
    const Json* member = known.contains(name) ? &known[name] : &others;
    if (*member == false) return path + ": unknown key " + name;
    if (!member->is_object()) continue;
    if (auto fault = Fault(*member, value, path + "." + name); !fault.empty()) return fault;
  }
  return "";
}

// The first violation, by the keywords that the schema uses; empty if there is none.
std::string Fault(const Json& schema, const Json& json, const std::string& path) {
  if (schema.contains("anyOf")) {
    std::string all;
    for (const Json& choice : schema["anyOf"]) {
      const std::string fault = Fault(choice, json, path);
      if (fault.empty()) return "";
      all += fault + "; ";
    }
    return all;
  }
  if (schema.contains("type")) {
    const Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
    bool any = false;
    for (const Json& type : types) any = any || HasType(json, type.get<std::string>());
    if (!any) return path + ": type of " + DumpJson(json);
  }
  if (schema.contains("enum")) {
    bool any = false;
    for (const Json& value : schema["enum"]) any = any || value == json;
    if (!any) return path + ": " + DumpJson(json) + " is not in enum";
  }
  if (schema.contains("pattern") && json.is_string() &&
      !std::regex_search(json.get<std::string>(),
                         std::regex(schema["pattern"].get<std::string>()))) {
    return path + ": pattern";
  }
  if (json.is_number() && ((schema.contains("minimum") && json < schema["minimum"]) ||
                           (schema.contains("maximum") && json > schema["maximum"]))) {
    return path + ": out of range";
  }
  if (json.is_array()) {
    if (json.size() < schema.value("minItems", size_t{0}) ||
        json.size() > schema.value("maxItems", size_t{1'000'000})) {
      return path + ": number of items";
    }
    for (size_t i = 0; i < json.size() && schema.contains("items"); ++i) {
      auto fault = Fault(schema["items"], json[i], fmt::format("{}[{}]", path, i));
      if (!fault.empty()) return fault;
    }
  }
  return json.is_object() ? ObjectFault(schema, json, path) : "";
}

// Every object of the schema that has properties, by its path.
void Objects(const Json& schema, const std::string& path,
             const std::function<void(const Json&, const std::string&)>& visit) {
  for (const Json& choice : schema.value("anyOf", Json::array())) Objects(choice, path, visit);
  if (schema.contains("items")) Objects(schema["items"], path + "[]", visit);
  if (!schema.contains("properties")) return;
  visit(schema, path);
  for (const auto& [name, member] : schema["properties"].items()) {
    Objects(member, path.empty() ? name : path + "." + name, visit);
  }
}

TEST(JobSchema, IsPublished) {
  const fs::path file = fs::path(KILN_SOURCE_DIR) / "wire/rest/job.schema.json";
  if (std::getenv("KILN_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(file) << PrettyJson(JobSchema());
  }
  EXPECT_EQ(ReadText(file), PrettyJson(JobSchema()))
      << "KILN_UPDATE_GOLDEN=1 in the environment of this test writes " << file;
}

TEST(JobSchema, EveryKeyIsRequiredOrHasADefaultOrMayBeAbsent) {
  std::vector<std::string> without;
  Objects(JobSchema(), "", [&](const Json& object, const std::string& path) {
    const Json required = object.value("required", Json::array());
    if (path.ends_with("run")) return;
    for (const auto& [name, member] : object["properties"].items()) {
      EXPECT_TRUE(member.contains("description")) << path << "." << name;
      const bool needed = std::find(required.begin(), required.end(), name) != required.end();
      EXPECT_FALSE(needed && member.contains("default")) << path << "." << name;
      if (!needed && !member.contains("default")) without.push_back(path + "." + name);
    }
  });
  EXPECT_THAT(without, testing::ElementsAre("groups[].health"));
}

constexpr const char* kSmallest[] = {
    R"({"name":"a","kind":"service","groups":[{"name":"g","run":{"command":"ls"}}]})",
    R"({"name":"a","kind":"service","groups":[{"name":"g","run":{"command":["ls"]},"ports":1,
        "health":{}}]})",
    R"({"name":"a","kind":"training","groups":[{"name":"g","run":{"train":{"algorithm":"linear",
        "data":"d","target":"t","model":"m"}}}]})",
    R"({"name":"a","kind":"serving","groups":[{"name":"g","run":{"serve":{"model":"m"}}}]})",
    R"({"name":"a","kind":"scoring","groups":[{"name":"g","run":{"score":{"model":"m","data":"d",
        "output":"o"}}}]})",
    R"({"name":"a","kind":"scoring","groups":[{"name":"g","run":{"search":{"data":"d","query":[1]}}}]})",
};

// Puts the default of every key that is absent into the object, level by level.
void FillDefaults(const Json& schema, Json& json) {
  if (schema.contains("anyOf")) {
    for (const Json& choice : schema["anyOf"]) {
      if (Fault(choice, json, "").empty()) return FillDefaults(choice, json);
    }
  }
  if (json.is_array() && schema.contains("items")) {
    for (Json& item : json) FillDefaults(schema["items"], item);
  }
  if (!json.is_object() || !schema.contains("properties")) return;
  for (const auto& [name, member] : schema["properties"].items()) {
    if (!json.contains(name) && member.contains("default")) json[name] = member["default"];
    if (json.contains(name)) FillDefaults(member, json[name]);
  }
}

TEST(JobSchema, ItsDefaultsAreTheCodecs) {
  for (const char* text : kSmallest) {
    Json filled = ParseJson(text).value();
    EXPECT_EQ(Fault(JobSchema(), filled, ""), "") << text;
    FillDefaults(JobSchema(), filled);
    if (filled["groups"][0]["run"].contains("serve")) filled["groups"][0]["ports"] = 1;
    EXPECT_EQ(Fault(JobSchema(), filled, ""), "") << DumpJson(filled);
    auto job = JobFromJson(filled);
    ASSERT_TRUE(job) << job.error().field << ": " << job.error().message;
    EXPECT_EQ(*job, DecodeJob(text).value()) << DumpJson(filled);
  }
}

TEST(JobSchema, RefusesWhatTheCodecRefuses) {
  const char* cases[] = {
      R"({"name":"a","kind":"service"})",
      R"({"name":"a","kind":"service","groups":[]})",
      R"({"name":"a","kind":"other","groups":[{"name":"g","run":{"command":"ls"}}]})",
      R"({"name":"a","kind":"service","groups":[{"name":"g","run":{}}]})",
      R"({"name":"a","kind":"service","groups":[{"name":"g","run":{"merge":{}}}]})",
      R"({"name":"a","kind":"service","groups":[{"name":"g","count":0,"run":{"command":"ls"}}]})",
      R"({"name":"a","kind":"service","groups":[{"name":"g","mem":"1","run":{"command":"ls"}}]})",
      R"({"name":"a","kind":"service","groups":[{"name":"g","mem":1,"run":{"command":"ls"}}]})",
      R"({"name":"a","kind":"service","gang":{"rack":1},"groups":[{"name":"g","run":{"command":"ls"}}]})",
      R"({"name":"a","kind":"service","groups":[{"name":"g","cpu":1,"run":{"command":"ls"}}]})",
  };
  for (const char* text : cases) {
    EXPECT_NE(Fault(JobSchema(), ParseJson(text).value(), ""), "") << text;
    EXPECT_FALSE(DecodeJob(text)) << text;
  }
}

TEST(JobSchema, AllExamplesHoldToIt) {
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(KILN_SOURCE_DIR) / "examples")) {
    if (entry.path().extension() != ".yaml") continue;
    if (entry.path().parent_path().filename() == "clusters") {
      const auto cluster = DecodeCluster(ReadText(entry.path()));
      EXPECT_TRUE(cluster) << entry.path() << ": " << cluster.error().message;
      continue;
    }
    auto json = ParseDocument(ReadText(entry.path()));
    ASSERT_TRUE(json) << entry.path() << ": " << json.error().message;
    EXPECT_EQ(Fault(JobSchema(), *json, ""), "") << entry.path();
    auto job = JobFromJson(*json);
    EXPECT_TRUE(job) << entry.path() << ": " << job.error().field << ": " << job.error().message;
  }
}

}  // namespace
}  // namespace kiln::wire
