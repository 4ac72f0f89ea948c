#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "wire/mesos/base64.h"
#include "wire/mesos/json.h"

namespace kiln::wire {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using nlohmann::json;

constexpr int kDepthLimit = 200;

struct TooDeep {};

Failure Bad(std::string message) {
  return Failure(Error{ErrorCode::kInvalidArgument, std::move(message), {}});
}

// Mesos's parser (picojson) shows the rest of the line where it stopped.
std::string SyntaxError(std::string_view text, size_t at) {
  at = std::min(at, text.size());
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n');
  const std::string_view rest = text.substr(at);
  return fmt::format("syntax error at line {} near: {}", line, rest.substr(0, rest.find('\n')));
}

constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";

// Where the first value of a text ends; it is known to be well formed.
size_t EndOfValue(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (size_t at = std::min(text.find_first_not_of(kWhiteSpace), text.size()); at < text.size();
       ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      quoted = c != '"';
    } else if (depth == 0 && kWhiteSpace.find(c) != std::string_view::npos) {
      return at;
    } else {
      quoted = c == '"';
      depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    }
    if (depth == 0 && !quoted && (c == '"' || c == '}' || c == ']')) return at + 1;
  }
  return text.size();
}

Result<json> ParseText(std::string_view text) {
  using Event = json::parse_event_t;
  bool whole = false;
  const auto watch = [&whole](int depth, Event event, const json&) {
    if (depth > kDepthLimit) throw TooDeep{};
    const bool starts = event == Event::object_start || event == Event::array_start;
    if (depth == 0 && !starts) whole = true;
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::parse_error& error) {
    if (!whole) return Bad(SyntaxError(text, error.byte > 0 ? error.byte - 1 : 0));
    text = text.substr(0, text.find_last_not_of(kWhiteSpace) + 1);
    return Bad(fmt::format("Parsed JSON included non-whitespace trailing characters: {}",
                           text.substr(EndOfValue(text))));
  } catch (const json::exception&) {
    return Bad("Value out of range");
  } catch (const TooDeep&) {
    return Bad(SyntaxError(text, 0));
  }
}

// A C++ cast of a number that the target does not hold is undefined: take the nearest instead.
template <typename T>
T To(const json& number) {
  if (number.is_number_unsigned()) return static_cast<T>(number.get<uint64_t>());
  if (number.is_number_integer()) return static_cast<T>(number.get<int64_t>());
  const double value = number.get<double>();
  if constexpr (std::is_integral_v<T>) {
    if (!(value > static_cast<double>(std::numeric_limits<T>::min()))) {
      return std::numeric_limits<T>::min();
    }
    if (!(value < static_cast<double>(std::numeric_limits<T>::max()))) {
      return std::numeric_limits<T>::max();
    }
  }
  return static_cast<T>(value);
}

class Reader {
 public:
  explicit Reader(Message& message) : message_(message), reflection_(*message.GetReflection()) {}

  Status Object(const json& object);

 private:
  Status Field(const FieldDescriptor* field, const json& value);
  Status Submessage(const FieldDescriptor* field, const json& object);
  Status Text(const FieldDescriptor* field, const std::string& text);
  Status TextAsLiteral(const FieldDescriptor* field, const std::string& text);
  Status Number(const FieldDescriptor* field, const json& number);
  Status Boolean(const FieldDescriptor* field, bool value);

  // Sets a field, or adds to a list.
  template <typename Set, typename Add, typename T>
  void Put(Set set, Add add, const FieldDescriptor* field, T value) {
    if (field->is_repeated()) {
      (reflection_.*add)(&message_, field, std::move(value));
    } else {
      (reflection_.*set)(&message_, field, std::move(value));
    }
  }

  Message& message_;
  const Reflection& reflection_;
};

Failure NotExpecting(const char* what, const FieldDescriptor* field) {
  return Bad(fmt::format("Not expecting a JSON {} for field '{}'", what, field->name()));
}

Status Reader::Object(const json& object) {
  for (const auto& [name, value] : object.items()) {
    const FieldDescriptor* field = message_.GetDescriptor()->FindFieldByName(name);
    if (field != nullptr) KILN_TRY_OK(Field(field, value));
  }
  return {};
}

Status Reader::Field(const FieldDescriptor* field, const json& value) {
  switch (value.type()) {
    case json::value_t::null:
    case json::value_t::discarded:
      return {};
    case json::value_t::object:
      return Submessage(field, value);
    case json::value_t::array:
      if (!field->is_repeated()) return NotExpecting("array", field);
      for (const json& item : value) KILN_TRY_OK(Field(field, item));
      return {};
    case json::value_t::string:
      return Text(field, value.get_ref<const std::string&>());
    case json::value_t::boolean:
      return Boolean(field, value.get<bool>());
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float:
      return Number(field, value);
    case json::value_t::binary:
      break;  // no JSON text gives it
  }
  return NotExpecting("binary", field);
}

Status Reader::Submessage(const FieldDescriptor* field, const json& object) {
  if (field->type() != FieldDescriptor::TYPE_MESSAGE) return NotExpecting("object", field);
  if (!field->is_map()) {
    return Reader(*(field->is_repeated() ? reflection_.AddMessage(&message_, field)
                                         : reflection_.MutableMessage(&message_, field)))
        .Object(object);
  }
  for (const auto& [key, value] : object.items()) {
    Reader entry(*reflection_.AddMessage(&message_, field));
    KILN_TRY_OK(entry.Text(field->message_type()->map_key(), key));
    KILN_TRY_OK(entry.Field(field->message_type()->map_value(), value));
  }
  return {};
}

Status Reader::Text(const FieldDescriptor* field, const std::string& text) {
  switch (field->type()) {
    case FieldDescriptor::TYPE_STRING:
      Put(&Reflection::SetString, &Reflection::AddString, field, text);
      return {};
    case FieldDescriptor::TYPE_BYTES: {
      auto bytes = DecodeBase64(text);
      if (!bytes) {
        return Bad(fmt::format("Failed to base64 decode bytes field '{}': {}", field->name(),
                               bytes.error().message));
      }
      Put(&Reflection::SetString, &Reflection::AddString, field, *std::move(bytes));
      return {};
    }
    case FieldDescriptor::TYPE_ENUM: {
      const auto* value = field->enum_type()->FindValueByName(text);
      if (value != nullptr) {
        Put(&Reflection::SetEnum, &Reflection::AddEnum, field, value);
      } else if (field->is_required()) {
        return Bad(fmt::format("Failed to find enum for '{}'", text));
      }
      return {};
    }
    case FieldDescriptor::TYPE_MESSAGE:
    case FieldDescriptor::TYPE_GROUP:
      return NotExpecting("string", field);
    default:
      return TextAsLiteral(field, text);
  }
}

Status Reader::TextAsLiteral(const FieldDescriptor* field, const std::string& text) {
  const bool real = field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE ||
                    field->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT;
  if (real && (text == "Infinity" || text == "-Infinity")) {
    const double infinity = std::numeric_limits<double>::infinity();
    return Number(field, json(text.front() == '-' ? -infinity : infinity));
  }
  const bool boolean = field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL;
  const auto failed = [&](const std::string& why) {
    return Bad(fmt::format("Failed to parse '{}' as a JSON {} for field '{}': {}", text,
                           boolean ? "boolean" : "number", field->name(), why));
  };
  const auto literal = ParseText(text);
  if (!literal) return failed(literal.error().message);
  if (boolean ? !literal->is_boolean() : !literal->is_number()) {
    return failed("Unexpected JSON type parsed");
  }
  return boolean ? Boolean(field, literal->get<bool>()) : Number(field, *literal);
}

Status Reader::Number(const FieldDescriptor* field, const json& number) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      Put(&Reflection::SetDouble, &Reflection::AddDouble, field, To<double>(number));
      return {};
    case FieldDescriptor::CPPTYPE_FLOAT:
      Put(&Reflection::SetFloat, &Reflection::AddFloat, field, To<float>(number));
      return {};
    case FieldDescriptor::CPPTYPE_INT32:
      Put(&Reflection::SetInt32, &Reflection::AddInt32, field, To<int32_t>(number));
      return {};
    case FieldDescriptor::CPPTYPE_INT64:
      Put(&Reflection::SetInt64, &Reflection::AddInt64, field, To<int64_t>(number));
      return {};
    case FieldDescriptor::CPPTYPE_UINT32:
      Put(&Reflection::SetUInt32, &Reflection::AddUInt32, field, To<uint32_t>(number));
      return {};
    case FieldDescriptor::CPPTYPE_UINT64:
      Put(&Reflection::SetUInt64, &Reflection::AddUInt64, field, To<uint64_t>(number));
      return {};
    case FieldDescriptor::CPPTYPE_BOOL:
    case FieldDescriptor::CPPTYPE_ENUM:
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return NotExpecting("number", field);
}

Status Reader::Boolean(const FieldDescriptor* field, bool value) {
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_BOOL) return NotExpecting("boolean", field);
  Put(&Reflection::SetBool, &Reflection::AddBool, field, value);
  return {};
}

Status Convert(const json& value, Message& message) {
  if (!value.is_object()) return Bad("Expecting a JSON object");
  KILN_TRY_OK(Reader(message).Object(value));
  if (!message.IsInitialized()) {
    return Bad("Missing required fields: " + message.InitializationErrorString());
  }
  return {};
}

}  // namespace

const char* MediaType(Encoding encoding) {
  return encoding == Encoding::kJson ? "application/json" : "application/x-protobuf";
}

std::optional<Encoding> EncodingOf(std::string_view media_type) {
  for (const Encoding encoding : {Encoding::kJson, Encoding::kProtobuf}) {
    if (media_type == MediaType(encoding)) return encoding;
  }
  return std::nullopt;
}

Status FromJson(std::string_view text, Message& message) {
  message.Clear();
  const auto value = ParseText(text);
  if (!value) return Bad("Failed to parse body into JSON: " + value.error().message);
  if (auto status = Convert(*value, message); !status) {
    return Bad(fmt::format("Failed to convert JSON into {} protobuf: {}",
                           message.GetDescriptor()->name(), status.error().message));
  }
  return {};
}

std::string Serialize(Encoding encoding, const Message& message) {
  // Partial: a missing required field is for the receiver to refuse, and no reason to throw.
  return encoding == Encoding::kJson ? ToJson(message) : message.SerializePartialAsString();
}

Status Parse(Encoding encoding, std::string_view bytes, Message& message) {
  if (encoding == Encoding::kJson) return FromJson(bytes, message);
  if (message.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
      message.IsInitialized()) {
    return {};
  }
  return Bad(fmt::format("Failed to parse body into {} protobuf", message.GetDescriptor()->name()));
}

}  // namespace kiln::wire
