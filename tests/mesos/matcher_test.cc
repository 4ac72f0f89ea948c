#include "tests/mesos/matcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kiln::replay {
namespace {

using testing::HasSubstr;

struct Case {
  const char* claim;
  const char* expected;
  const char* found;
  const char* difference;  // path of the difference; "-" for none
  MatchOptions options = {};
};

const Case kCases[] = {
    {"equal values match", R"({"a":[1,"x",true,null]})", R"({"a":[1,"x",true,null]})", "-"},
    {"numbers match across their forms", R"({"a":15.0})", R"({"a":15})", "-"},
    {"a number is no text", R"({"a":1})", R"({"a":"1"})", "a"},
    {"a missing key is told", R"({"a":{"b":1}})", R"({"a":{}})", "a.b"},
    {"a key too many is told", R"({"a":{}})", R"({"a":{"b":1}})", "a.b"},
    {"lists keep their order", R"({"tasks":[1,2]})", R"({"tasks":[2,1]})", "tasks[0]"},
    {"resources come in any order", R"({"resources":[{"name":"cpus"},{"name":"mem"}]})",
     R"({"resources":[{"name":"mem"},{"name":"cpus"}]})", "-"},
    {"each found item is used once", R"({"resources":[{"name":"a"},{"name":"a"}]})",
     R"({"resources":[{"name":"a"},{"name":"b"}]})", "resources[1].name"},
    {"the difference to the item of the same name is told",
     R"({"resources":[{"name":"cpus","v":1},{"name":"mem","v":2}]})",
     R"({"resources":[{"name":"mem","v":3},{"name":"cpus","v":1}]})", "resources[1].v"},
    {"the items of a set come in any order", R"({"set":{"item":["a","b"]}})",
     R"({"set":{"item":["b","a"]}})", "-"},
    {"lists of operators come in any order",
     R"({"x":[1,2]})",
     R"({"x":[2,1]})",
     "-",
     {.operator_answer = true}},
    {"statuses keep their order even there",
     R"({"statuses":[1,2]})",
     R"({"statuses":[2,1]})",
     "statuses[0]",
     {.operator_answer = true}},
    {"versions of operators differ",
     R"({"version":"1.12.0"})",
     R"({"version":"2"})",
     "-",
     {.operator_answer = true}},
    {"elsewhere they do not", R"({"version":"1.12.0"})", R"({"version":"2"})", "version"},
    {"a first update may lack the pid",
     R"({"container_status":{"executor_pid":"${pid}"}})",
     R"({"container_status":{}})",
     "-",
     {.first_update = true}},
    {"a later one may not", R"({"container_status":{"executor_pid":"${pid}"}})",
     R"({"container_status":{}})", "container_status.executor_pid"},
    {"a nested container that is killed may be gone when it is looked at",
     R"({"container_status":{"container_id":{}},"message":"Command terminated with signal Killed"})",
     R"({"container_status":{"container_id":{},"executor_pid":7},)"
     R"("message":"Command terminated with signal Terminated"})",
     "-",
     {.nested_kill = true}},
    {"it has ended by a signal all the same",
     R"({"message":"Command terminated with signal Killed"})",
     R"({"message":"Command exited with status 0"})",
     "message",
     {.nested_kill = true}},
    {"others tell their signal", R"({"message":"Command terminated with signal Killed"})",
     R"({"message":"Command terminated with signal Terminated"})", "message"},
    {"cgroups may be told", R"({"container_status":{}})",
     R"({"container_status":{"cgroup_info":{}}})", "-"},
    {"a placeholder without number fits many values", R"({"a":"${timestamp}","b":"${timestamp}"})",
     R"({"a":1800000000.5,"b":1800000001})", "-"},
    {"but has a form", R"({"a":"${timestamp}"})", R"({"a":15})", "a"},
    {"a numbered placeholder has one value", R"({"a":"${uuid_1}","b":"${uuid_1}"})",
     R"({"a":"AAAAAAAAAAAAAAAAAAAAAA==","b":"BAAAAAAAAAAAAAAAAAAAAA=="})", "b"},
    {"two placeholders of a family differ", R"({"a":"${uuid_1}","b":"${uuid_2}"})",
     R"({"a":"AAAAAAAAAAAAAAAAAAAAAA==","b":"AAAAAAAAAAAAAAAAAAAAAA=="})", "b"},
    {"ids keep their form", R"({"a":"${offer_1}"})", R"({"a":"x-S1"})", "a"},
    {"a port is a number", R"({"a":"${agent1_port}"})", R"({"a":"5051"})", "a"},
    {"a placeholder is found inside a text",
     R"({"a":"slave(1)@127.0.0.1:${agent1_port}","b":"${agent1_port}"})",
     R"({"a":"slave(1)@127.0.0.1:5051","b":5051})", "-"},
    {"items are assigned so that placeholders fit",
     R"({"a":"${offer_1}","offers":["${offer_2}","${offer_1}"]})",
     R"({"a":"m-O1","offers":["m-O1","m-O2"]})", "-"},
};

TEST(MatcherTest, KeepsTheRulesOfTheRecordings) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.claim);
    Bindings bindings;
    const auto difference =
        Match(Json::parse(c.expected), Json::parse(c.found), bindings, c.options);
    EXPECT_EQ(difference ? difference->path : "-", c.difference);
  }
}

TEST(MatcherTest, BindsNothingWhereSomethingDiffers) {
  Bindings bindings;
  const Json expected = {{"a", "${offer_1}"}, {"b", 1}};
  EXPECT_TRUE(Match(expected, {{"a", "m-O1"}, {"b", 2}}, bindings));
  EXPECT_EQ(bindings.Find("offer_1"), nullptr);
  EXPECT_FALSE(Match(expected, {{"a", "m-O2"}, {"b", 1}}, bindings));
  EXPECT_EQ(*bindings.Find("offer_1"), "m-O2");
}

TEST(MatcherTest, TellsBothSidesOfADifference) {
  Bindings bindings;
  const auto difference = Match({{"a", "x"}}, {{"a", "y"}}, bindings);
  ASSERT_TRUE(difference);
  EXPECT_EQ(Describe(*difference), "a: expected \"x\", found \"y\"");
}

TEST(MatcherTest, TakesResourcesInTextsInAnyOrder) {
  const std::string expected =
      "Task uses more resources cpus(allocated: research):5; mem(allocated: research):32 than "
      "available ports(allocated: research):[31000-31009]; cpus(allocated: research):4; "
      "gpu(allocated: research)(reservations: [(STATIC,research)]):{a, b} of ${offer_1}";
  const std::string found =
      "Task uses more resources mem(allocated: research):32; cpus(allocated: research):5 than "
      "available gpu(allocated: research)(reservations: [(STATIC,research)]):{b, a}; "
      "cpus(allocated: research):4; ports(allocated: research):[31000-31009] of m-O7";
  Bindings bindings;
  EXPECT_EQ(MatchText(expected, found, bindings), std::nullopt);
  EXPECT_EQ(*bindings.Find("offer_1"), "m-O7");
  EXPECT_TRUE(MatchText("uses cpus:5; mem:32", "uses mem:31; cpus:5", bindings));
}

TEST(BindingsTest, FillsWholeValuesWithTheirTypeAndTextsWithTheirText) {
  Bindings bindings;
  bindings.Set("agent1_port", 5051);
  const auto invent = [](const std::string& name) { return Json("invented " + name); };
  EXPECT_EQ(
      bindings.Fill({{"port", "${agent1_port}"},
                     {"pid", "slave(1)@127.0.0.1:${agent1_port}"},
                     {"list", {"${uuid_3}", 1}}},
                    invent),
      Json({{"port", 5051}, {"pid", "slave(1)@127.0.0.1:5051"}, {"list", {"invented uuid_3", 1}}}));
  EXPECT_EQ(*bindings.Find("uuid_3"), "invented uuid_3");
}

struct ShapeCase {
  const char* claim;
  const char* shape;
  const char* found;
  const char* difference;
};

const ShapeCase kShapeCases[] = {
    {"types match", R"({"a":"string","b":"number","c":"bool"})", R"({"a":"x","b":1.5,"c":true})",
     "-"},
    {"a wrong type is told", R"({"a":{"b":"string"}})", R"({"a":{"b":1}})", "a.b"},
    {"a missing name is told", R"({"a":"string"})", "{}", "a"},
    {"a name too many is told", R"({"a":"string"})", R"({"a":"x","b":1})", "b"},
    {"one item has the shape", R"({"a":[{"x":"number"}]})", R"({"a":[{"y":1},{"x":2}]})", "-"},
    {"no item is a difference", R"({"a":["string"]})", R"({"a":[]})", "a"},
    {"names stand for keys", R"(["m/a","m/b"])", R"({"m/a":1,"m/b":2,"m/c":3})", "-"},
    {"names stand for named items", R"({"flags":["a","b"]})",
     R"({"flags":[{"name":"a"},{"name":"c"}]})", "flags"},
    {"a word that is no type is a value", R"({"type":"GET_FLAGS"})", R"({"type":"GET_X"})", "type"},
    {"values are a choice", R"({"m/a":1.0})", R"({"m/a":1,"m/b":2})", "-"},
    {"a wrong value is told", R"({"m/a":1.0})", R"({"m/a":2})", "m/a"},
};

TEST(ShapeTest, KeepsNamesAndTypes) {
  for (const ShapeCase& c : kShapeCases) {
    SCOPED_TRACE(c.claim);
    const auto difference = MatchShape(Json::parse(c.shape), Json::parse(c.found));
    EXPECT_EQ(difference ? difference->path : "-", c.difference);
  }
}

}  // namespace
}  // namespace kiln::replay
