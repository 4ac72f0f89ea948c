#include "executor/serving/json.h"

#include <rapidjson/encodedstream.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>

#include <charconv>
#include <cmath>
#include <cstdio>

namespace kiln::executor {
namespace {

constexpr size_t kDebugBytes = 256;

// Passes events on until the text is long enough. What comes out may be no whole JSON.
class LimitedWriter {
 public:
  LimitedWriter(const JsonBuffer& buffer, JsonWriter& writer) : buffer_(buffer), writer_(writer) {}

  bool Null() { return More() && writer_.Null(); }
  bool Bool(bool value) { return More() && writer_.Bool(value); }
  bool Int(int value) { return More() && writer_.Int(value); }
  bool Uint(unsigned value) { return More() && writer_.Uint(value); }
  bool Int64(int64_t value) { return More() && writer_.Int64(value); }
  bool Uint64(uint64_t value) { return More() && writer_.Uint64(value); }
  bool Double(double value) { return More() && writer_.Double(value); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool copy = false) {
    return More() && writer_.RawNumber(text, size, copy);
  }
  bool String(const char* text, rapidjson::SizeType size, bool copy = false) {
    return More() && writer_.String(text, size, copy);
  }
  bool Key(const char* text, rapidjson::SizeType size, bool copy = false) {
    return More() && writer_.Key(text, size, copy);
  }
  bool StartObject() { return More() && writer_.StartObject(); }
  bool EndObject(rapidjson::SizeType count = 0) { return More() && writer_.EndObject(count); }
  bool StartArray() { return More() && writer_.StartArray(); }
  bool EndArray(rapidjson::SizeType count = 0) { return More() && writer_.EndArray(count); }

 private:
  bool More() const { return buffer_.GetSize() < kDebugBytes; }

  const JsonBuffer& buffer_;
  JsonWriter& writer_;
};

}  // namespace

Result<rapidjson::Document> ParseBody(std::string_view body) {
  if (body.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "JSON Parse error: The document is empty");
  }
  rapidjson::MemoryStream bytes(body.data(), body.size());
  rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream> stream(bytes);
  constexpr auto kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseNanAndInfFlag |
                          rapidjson::kParseStopWhenDoneFlag;
  rapidjson::Document document;
  if (document.ParseStream<kFlags>(stream).HasParseError()) {
    return Fail(ErrorCode::kInvalidArgument, "JSON Parse error: {} at offset: {}",
                rapidjson::GetParseError_En(document.GetParseError()), document.GetErrorOffset());
  }
  if (!document.IsObject()) {
    return Fail(ErrorCode::kInvalidArgument, "JSON Value: {} Is not object", DebugText(document));
  }
  return document;
}

std::string DebugText(const rapidjson::Value& value) {
  JsonBuffer buffer;
  JsonWriter writer(buffer);
  writer.SetFormatOptions(rapidjson::kFormatSingleLineArray);
  LimitedWriter limited(buffer, writer);
  value.Accept(limited);
  return {buffer.GetString(), buffer.GetSize()};
}

const char* TypeText(const rapidjson::Value& value) {
  static constexpr const char* kTexts[] = {"Null",  "False",  "True",  "Object",
                                           "Array", "String", "Number"};
  return kTexts[value.GetType()];
}

Failure TypeFailure(const rapidjson::Value& value, const char* expected) {
  return Fail(ErrorCode::kInvalidArgument, "JSON Value: {} Type: {} is not of expected type: {}",
              DebugText(value), TypeText(value), expected);
}

bool IsBase64(const rapidjson::Value& value) {
  if (!value.IsObject() || value.MemberCount() != 1) return false;
  const auto& member = *value.MemberBegin();
  return member.value.IsString() &&
         std::string_view(member.name.GetString(), member.name.GetStringLength()) == "b64";
}

Result<std::string> SignatureName(const rapidjson::Document& body) {
  const auto found = body.FindMember("signature_name");
  if (found == body.MemberEnd()) return std::string();
  if (!found->value.IsString()) {
    return Fail(ErrorCode::kInvalidArgument,
                "JSON Value: {} not formatted correctly. 'signature_name' key must be a string "
                "value.",
                DebugText(body));
  }
  return std::string(found->value.GetString(), found->value.GetStringLength());
}

std::string FloatJson(float number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return std::signbit(number) ? "-Infinity" : "Infinity";
  char text[32];
  int size = std::snprintf(text, sizeof text, "%g", static_cast<double>(number));
  float back = 0;
  std::from_chars(text, text + size, back);
  if (back != number) {
    size = std::snprintf(text, sizeof text, "%.9g", static_cast<double>(number));
  }
  std::string json(text, static_cast<size_t>(size));
  if (json.find_first_of(".e") == std::string::npos) json += ".0";
  return json;
}

void WriteFloat(JsonWriter& writer, float number) {
  const std::string json = FloatJson(number);
  writer.RawValue(json.data(), json.size(), rapidjson::kNumberType);
}

void WriteText(JsonWriter& writer, const std::string& text) {
  writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

}  // namespace kiln::executor
