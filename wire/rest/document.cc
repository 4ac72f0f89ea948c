#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>

#include "base/utf8.h"
#include "wire/rest/json.h"

namespace kiln::wire {
namespace {

constexpr int kNodesMax = 1'000'000;  // aliases are copied, so a small text can hold a large tree
constexpr int kDepthMax = 100;
constexpr size_t kYamlMax = 1 << 20;  // bytes; its parser takes memory and time a hundredfold

// A plain scalar by YAML's core schema; everything else is text.
Json Scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return {};
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const char* begin = text.data() + (text.front() == '+' ? 1 : 0);
  const char* end = text.data() + text.size();
  int64_t whole = 0;
  if (auto parsed = std::from_chars(begin, end, whole);
      parsed.ec == std::errc() && parsed.ptr == end) {
    return whole;
  }
  const bool numeric = text.find_first_not_of("+-.0123456789eE") == std::string::npos;
  double number = 0;
  if (auto parsed = std::from_chars(begin, end, number);
      numeric && parsed.ec == std::errc() && parsed.ptr == end) {
    return number;
  }
  return text;
}

class Converter {
 public:
  Result<Json> Convert(const YAML::Node& node, int depth) {
    if (++nodes_ > kNodesMax || depth > kDepthMax) {
      return Fail(ErrorCode::kInvalidArgument,
                  "line {}: too large: expected at most {} values and {} levels",
                  node.Mark().line + 1, kNodesMax, kDepthMax);
    }
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        return Json();
      case YAML::NodeType::Scalar:
        return node.Tag() == "?" ? Scalar(node.Scalar()) : Json(node.Scalar());
      case YAML::NodeType::Sequence: {
        Json list = Json::array();
        for (const auto& item : node) {
          KILN_TRY(Json value, Convert(item, depth + 1));
          list.push_back(std::move(value));
        }
        return list;
      }
      case YAML::NodeType::Map:
        return ConvertMap(node, depth);
    }
    return Json();
  }

 private:
  Result<Json> ConvertMap(const YAML::Node& node, int depth) {
    Json map = Json::object();
    for (const auto& item : node) {
      const int line = item.first.Mark().line + 1;
      if (!item.first.IsScalar()) {
        return Fail(ErrorCode::kInvalidArgument, "line {}: key is no text: expected a name", line);
      }
      const std::string& key = item.first.Scalar();
      if ((key_work_ += static_cast<int64_t>(map.size())) > kKeyWorkMax) {
        return Fail(
            ErrorCode::kInvalidArgument,
            "line {}: too many keys: expected at most {} in a map, and fewer in each of many", line,
            kKeysMax);
      }
      if (map.contains(key)) {
        return Fail(ErrorCode::kInvalidArgument, "line {}: key \"{}\" stands twice: expected once",
                    line, key);
      }
      KILN_TRY(map[key], Convert(item.second, depth + 1));
    }
    return map;
  }

  int nodes_ = 0;
  int64_t key_work_ = 0;
};

class IgnoredEvents final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// None, one or two, if there are more. To load all of them may never end: behind some text that is
// no YAML the parser sees one document after the other without going on.
int CountDocuments(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  IgnoredEvents ignored;
  int count = 0;
  while (count < 2 && parser.HandleNextDocument(ignored)) ++count;
  return count;
}

bool IsIndentedByTab(std::string_view text, int line) {
  for (; line > 0 && !text.empty(); --line) {
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  const size_t first = text.find_first_not_of(' ');
  return first != std::string_view::npos && text[first] == '\t';
}

Result<Json> ParseYaml(const std::string& text) {
  if (text.size() > kYamlMax) {
    return Fail(ErrorCode::kInvalidArgument,
                "the document is YAML of {} bytes: expected at most {}, or JSON", text.size(),
                kYamlMax);
  }
  try {
    switch (CountDocuments(text)) {
      case 0:
        return Fail(ErrorCode::kInvalidArgument, "the document is empty: expected a map");
      case 1:
        return Converter().Convert(YAML::Load(text), 0);
      default:
        return Fail(ErrorCode::kInvalidArgument,
                    "more than one document in one file: expected one");
    }
  } catch (const YAML::DeepRecursion&) {
    return Fail(ErrorCode::kInvalidArgument, "nested too deep: expected at most {} levels",
                kDepthMax);
  } catch (const YAML::Exception& error) {
    if (IsIndentedByTab(text, error.mark.line)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "line {}: begins with a tab: expected spaces, as YAML does", error.mark.line + 1);
    }
    return Fail(ErrorCode::kInvalidArgument, "no YAML: line {}, column {}: {}", error.mark.line + 1,
                error.mark.column + 1, error.msg);
  }
}

// {"key" or {}: a map of YAML in braces begins with a name.
bool LooksLikeJson(std::string_view text) {
  constexpr const char* kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos || text[first] != '{') return false;
  const size_t second = text.find_first_not_of(kSpace, first + 1);
  return second == std::string_view::npos || text[second] == '"' || text[second] == '}';
}

// nlohmann's parser keeps one of two equal keys without a word.
Status CheckKeys(std::string_view text) {
  std::vector<std::set<std::string>> open;
  std::string twice;
  auto look = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end) open.pop_back();
    if (event == Json::parse_event_t::key &&
        !open.back().insert(parsed.get<std::string>()).second) {
      twice = parsed.get<std::string>();
    }
    return true;
  };
  Json ignored = Json::parse(text, look);
  if (twice.empty()) return {};
  return Fail(ErrorCode::kInvalidArgument, "key \"{}\" stands twice: expected once", twice);
}

}  // namespace

Result<Json> ParseDocument(std::string_view text) {
  if (const size_t good = Utf8Length(text); good < text.size()) {
    return Fail(ErrorCode::kInvalidArgument, "line {}: byte 0x{:02x} is no UTF-8: expected text",
                std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(good), '\n') + 1,
                static_cast<uint8_t>(text[good]));
  }
  if (!LooksLikeJson(text)) return ParseYaml(std::string(text));
  KILN_TRY(Json json, ParseJson(text, kKeyWorkMax));
  KILN_TRY_OK(CheckKeys(text));
  return json;
}

}  // namespace kiln::wire
