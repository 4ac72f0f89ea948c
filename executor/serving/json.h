// JSON as TensorFlow Serving reads and writes it. The inside of this folder: includes RapidJSON.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace kiln::executor {

using JsonBuffer = rapidjson::StringBuffer;
using JsonWriter = rapidjson::PrettyWriter<JsonBuffer>;

// An object; NaN and Infinity are numbers, any depth is fine, what follows the object is ignored.
Result<rapidjson::Document> ParseBody(std::string_view body);

// For messages: at most about 256 bytes of the value.
std::string DebugText(const rapidjson::Value& value);
// "Null", "False", "True", "Object", "Array", "String" or "Number".
const char* TypeText(const rapidjson::Value& value);
// "JSON Value: [...] Type: String is not of expected type: float".
Failure TypeFailure(const rapidjson::Value& value, const char* expected);

// An object {"b64": "..."} with exactly that key.
bool IsBase64(const rapidjson::Value& value);
// The value of "signature_name", or nothing.
Result<std::string> SignatureName(const rapidjson::Document& body);

// Six digits if they give the float back, else nine; ".0" behind whole numbers; NaN, Infinity and
// -Infinity bare.
std::string FloatJson(float number);
void WriteFloat(JsonWriter& writer, float number);
void WriteText(JsonWriter& writer, const std::string& text);

}  // namespace kiln::executor
