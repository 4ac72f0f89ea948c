#include <optional>
#include <unordered_map>

#include "executor/serving/tensors.h"

namespace kiln::executor {
namespace {

using rapidjson::Value;

enum class Kind { kBytes, kFloat, kInt64 };

// Features of one example by name; nothing for those that are not numbers.
struct Feature {
  std::optional<Kind> kind;
  std::vector<float> numbers;
};
using Example = std::unordered_map<std::string, Feature>;

const char* KindText(Kind kind) {
  switch (kind) {
    case Kind::kBytes:
      return "bytes";
    case Kind::kFloat:
      return "float";
    case Kind::kInt64:
      return "int64";
  }
  return "UNKNOWN";
}

Result<Kind> KindOf(const Value& value, const std::string& name) {
  if (value.IsBool()) return Kind::kInt64;
  if (value.IsString() || IsBase64(value)) return Kind::kBytes;
  if (!value.IsNumber()) {
    return Fail(ErrorCode::kInvalidArgument,
                "Feature: {} has element with unexpected JSON type: {}", name, TypeText(value));
  }
  if (value.IsDouble()) return Kind::kFloat;
  if (!value.IsInt64()) {
    return Fail(ErrorCode::kInvalidArgument,
                "Feature: {} has uint64_t element. Only int64_t is supported.", name);
  }
  return Kind::kInt64;
}

Status AddValue(const Value& value, const std::string& name, Feature& feature) {
  KILN_TRY(const Kind kind, KindOf(value, name));
  if (feature.kind.value_or(kind) != kind) {
    return Fail(ErrorCode::kInvalidArgument,
                "Unexpected element type in feature: {} expecting type: {}", name,
                KindText(*feature.kind));
  }
  feature.kind = kind;
  if (kind == Kind::kBytes) return {};
  feature.numbers.push_back(value.IsBool() ? static_cast<float>(value.GetBool())
                                           : value.GetFloat());
  return {};
}

// Adds the features of an object; one that is there is replaced.
Status AddExample(const Value& object, Example& example) {
  if (!object.IsObject()) {
    return Fail(ErrorCode::kInvalidArgument, "Example must be JSON object but got JSON {}",
                TypeText(object));
  }
  for (const auto& member : object.GetObject()) {
    const std::string name(member.name.GetString(), member.name.GetStringLength());
    Feature& feature = example[name] = {};
    if (!member.value.IsArray()) {
      KILN_TRY_OK(AddValue(member.value, name, feature));
      continue;
    }
    for (const Value& element : member.value.GetArray()) {
      KILN_TRY_OK(AddValue(element, name, feature));
    }
  }
  return {};
}

Status AppendRow(const Example& example, const std::vector<std::string>& features,
                 std::vector<float>& rows) {
  for (const std::string& name : features) {
    const auto found = example.find(name);
    if (found == example.end() || !found->second.kind) {
      return Fail(ErrorCode::kInvalidArgument,
                  "Feature: {} (data type: float) is required but could not be found.", name);
    }
    if (found->second.kind == Kind::kBytes) {
      return Fail(ErrorCode::kInvalidArgument,
                  "Key: {}.  Data types don't match. Data type: string but expected type: float",
                  name);
    }
    if (found->second.numbers.size() != 1) {
      return Fail(ErrorCode::kInvalidArgument,
                  "Key: {}.  Number of float values != expected.  Values size: {} but output "
                  "shape: []",
                  name, found->second.numbers.size());
    }
    rows.push_back(found->second.numbers[0]);
  }
  return {};
}

}  // namespace

Result<std::vector<float>> ReadExamples(const rapidjson::Document& body,
                                        const std::vector<std::string>& features) {
  Example context;
  const auto shared = body.FindMember("context");
  if (shared != body.MemberEnd()) KILN_TRY_OK(AddExample(shared->value, context));
  const auto examples = body.FindMember("examples");
  const auto wrong = [&](const char* text) {
    return Fail(ErrorCode::kInvalidArgument, "JSON Value: {} {}", DebugText(body), text);
  };
  if (examples == body.MemberEnd()) {
    return wrong("When method is classify, key 'examples' is expected and was not found");
  }
  if (!examples->value.IsArray()) return wrong("Expecting 'examples' value to be an list/array");
  if (examples->value.Empty()) return wrong("'examples' value is an empty array");
  std::vector<float> rows;
  for (const Value& object : examples->value.GetArray()) {
    Example example = context;
    KILN_TRY_OK(AddExample(object, example));
    KILN_TRY_OK(AppendRow(example, features, rows));
  }
  return rows;
}

}  // namespace kiln::executor
