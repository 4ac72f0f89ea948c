#include "tests/universe/mustache.h"

#include <gtest/gtest.h>

namespace kiln::universe {
namespace {

using wire::Json;

const Json kValues = {{"on", true},
                      {"off", false},
                      {"empty", ""},
                      {"text", "a \"b\" \\ c\n"},
                      {"plain", "<x> & 'y'"},
                      {"list", {{"@zone", "IS", "a"}}},
                      {"none", Json::array()},
                      {"service", {{"name", "kiln"}, {"cpus", 1.5}, {"mem", 1024}}}};

TEST(MustacheTest, RendersAsCosmosDoes) {
  const struct {
    const char* text;
    const char* rendered;
  } cases[] = {
      {"no tags { } }}", "no tags { } }}"},
      {"{{service.name}}", "kiln"},
      {"{{ service.name }}", "kiln"},
      {"{{{service.name}}}!", "kiln!"},
      {"{{service.cpus}} {{service.mem}} {{on}}", "1.5 1024 true"},
      {"\"{{text}}\"", R"("a \"b\" \\ c\n")"},
      {"\"{{{text}}}\"", R"("a \"b\" \\ c\n")"},
      {"{{plain}}", "<x> & 'y'"},
      {"{{list}} {{none}}", R"([["@zone","IS","a"]] [])"},
      {"{{#on}}yes{{/on}}{{^on}}no{{/on}}", "yes"},
      {"{{#off}}yes{{/off}}{{^off}}no{{/off}}", "no"},
      {"{{#empty}}yes{{/empty}}{{^empty}}no{{/empty}}", "no"},
      {"{{#service.name}}<{{service.name}}>{{/service.name}}", "<kiln>"},
      {"{{#on}}a{{#off}}b{{/off}}c{{/on}}d", "acd"},
      {"{{#off}}a{{#on}}b{{/on}}c{{/off}}d", "d"},
      {"{{#on}}a{{/on}}{{#on}}b{{/on}}", "ab"},
      {"a{{! what it says }}b", "ab"},
  };
  for (const auto& one : cases) {
    const auto rendered = RenderMustache(one.text, kValues);
    ASSERT_TRUE(rendered) << one.text << ": " << rendered.error().message;
    EXPECT_EQ(*rendered, one.rendered) << one.text;
  }
}

TEST(MustacheTest, SaysWhichLineIsWrong) {
  const struct {
    const char* text;
    const char* error;
  } cases[] = {
      {"\n{{#on}}yes", "line 2: section on is not closed"},
      {"{{#on}}{{#off}}{{/on}}{{/off}}", "line 1: {{/on}} closes nothing"},
      {"a\nb\n{{/on}}", "line 3: {{/on}} closes nothing"},
      {"{{on", "line 1: a tag is not closed"},
      {"{{{on}}", "line 1: a tag is not closed"},
      {"{{}}", "line 1: tag is {{}}, expected a name"},
      {"{{>other}}", "line 1: tag is {{>other}}, expected a name"},
      {"{{service.nmae}}", "line 1: service.nmae has no value"},
      {"{{#off}}{{nmae}}{{/off}}", "line 1: nmae has no value"},
      {"{{service}}", "line 1: service is an object, expected a leaf"},
      {"{{#list}}x{{/list}}",
       R"(line 1: section list is on [["@zone","IS","a"]], expected a boolean or a string)"},
      {"{{#service.mem}}x{{/service.mem}}",
       "line 1: section service.mem is on 1024, expected a boolean or a string"},
  };
  for (const auto& one : cases) {
    const auto rendered = RenderMustache(one.text, kValues);
    ASSERT_FALSE(rendered) << one.text << ": " << *rendered;
    EXPECT_EQ(rendered.error().message, one.error) << one.text;
  }
}

}  // namespace
}  // namespace kiln::universe
