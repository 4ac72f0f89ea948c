#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "wire/mesos/base64.h"
#include "wire/mesos/json.h"

namespace kiln::wire {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void WriteString(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

// The shortest digits that read back the same, with a point in them up to 10^21, as Mesos prints:
// 15.0, 0.1, 1e30. Infinity and NaN are bare words there too.
void WriteDouble(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out += std::isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
    return;
  }
  std::array<char, 400> text;
  const double size = std::abs(value);
  const bool plain = size == 0 || (size >= 1e-6 && size < 1e21);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, format).ptr;
  std::string_view digits(text.data(), static_cast<size_t>(end - text.data()));
  if (plain) {
    out += digits;
    if (digits.find('.') == std::string_view::npos) out += ".0";
    return;
  }
  const size_t exponent = digits.find('e');
  out += digits.substr(0, exponent + 1);
  int power = 0;
  std::from_chars(digits.data() + exponent + (digits[exponent + 1] == '+' ? 2 : 1),
                  digits.data() + digits.size(), power);
  out += std::to_string(power);
}

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void Object(const Message& message);

 private:
  void List(const Message& message, const FieldDescriptor* field);
  void Map(const Message& message, const FieldDescriptor* field);
  // Element `index` of a list, or a single field when index is -1.
  void Value(const Message& message, const FieldDescriptor* field, int index);

  std::string& out_;
};

bool PrintedWhenEmpty(const FieldDescriptor* field) {
  static constexpr std::array<std::string_view, 4> kAnswers = {"GetTasks", "GetExecutors",
                                                               "GetFrameworks", "GetAgents"};
  const auto* owner = field->containing_type();
  return !field->options().deprecated() && owner->containing_type() != nullptr &&
         owner->containing_type()->name() == "Response" &&
         std::find(kAnswers.begin(), kAnswers.end(), owner->name()) != kAnswers.end();
}

bool Printed(const Message& message, const FieldDescriptor* field) {
  const Reflection* reflection = message.GetReflection();
  if (field->is_repeated()) {
    return reflection->FieldSize(message, field) > 0 || PrintedWhenEmpty(field);
  }
  return reflection->HasField(message, field) ||
         (field->has_default_value() && !field->options().deprecated());
}

void Writer::Object(const Message& message) {
  out_ += '{';
  bool first = true;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (!Printed(message, field)) continue;
    if (!first) out_ += ',';
    first = false;
    WriteString(field->name(), out_);
    out_ += ':';
    if (field->is_map()) {
      Map(message, field);
    } else if (field->is_repeated()) {
      List(message, field);
    } else {
      Value(message, field, -1);
    }
  }
  out_ += '}';
}

void Writer::List(const Message& message, const FieldDescriptor* field) {
  out_ += '[';
  const int size = message.GetReflection()->FieldSize(message, field);
  for (int i = 0; i < size; ++i) {
    if (i > 0) out_ += ',';
    Value(message, field, i);
  }
  out_ += ']';
}

void Writer::Map(const Message& message, const FieldDescriptor* field) {
  const Reflection* reflection = message.GetReflection();
  std::vector<const Message*> entries;
  for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
    entries.push_back(&reflection->GetRepeatedMessage(message, field, i));
  }
  // Every map of Mesos has text keys; their order in a hash map is no order.
  const auto key = [](const Message* entry) {
    return entry->GetReflection()->GetString(*entry, entry->GetDescriptor()->map_key());
  };
  std::sort(entries.begin(), entries.end(),
            [&](const Message* a, const Message* b) { return key(a) < key(b); });
  out_ += '{';
  for (const Message* entry : entries) {
    if (entry != entries.front()) out_ += ',';
    WriteString(key(entry), out_);
    out_ += ':';
    Value(*entry, entry->GetDescriptor()->map_value(), -1);
  }
  out_ += '}';
}

void Writer::Value(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection* r = message.GetReflection();
  const bool one = index < 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      out_ += (one ? r->GetBool(message, field) : r->GetRepeatedBool(message, field, index))
                  ? "true"
                  : "false";
      return;
    case FieldDescriptor::CPPTYPE_INT32:
      out_ += std::to_string(one ? r->GetInt32(message, field)
                                 : r->GetRepeatedInt32(message, field, index));
      return;
    case FieldDescriptor::CPPTYPE_INT64:
      out_ += std::to_string(one ? r->GetInt64(message, field)
                                 : r->GetRepeatedInt64(message, field, index));
      return;
    case FieldDescriptor::CPPTYPE_UINT32:
      out_ += std::to_string(one ? r->GetUInt32(message, field)
                                 : r->GetRepeatedUInt32(message, field, index));
      return;
    case FieldDescriptor::CPPTYPE_UINT64:
      out_ += std::to_string(one ? r->GetUInt64(message, field)
                                 : r->GetRepeatedUInt64(message, field, index));
      return;
    case FieldDescriptor::CPPTYPE_FLOAT:
      WriteDouble(one ? r->GetFloat(message, field) : r->GetRepeatedFloat(message, field, index),
                  out_);
      return;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      WriteDouble(one ? r->GetDouble(message, field) : r->GetRepeatedDouble(message, field, index),
                  out_);
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      WriteString(
          (one ? r->GetEnum(message, field) : r->GetRepeatedEnum(message, field, index))->name(),
          out_);
      return;
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      const std::string& text =
          one ? r->GetStringReference(message, field, &scratch)
              : r->GetRepeatedStringReference(message, field, index, &scratch);
      const bool bytes = field->type() == FieldDescriptor::TYPE_BYTES;
      WriteString(bytes ? EncodeBase64(text) : text, out_);
      return;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      Object(one ? r->GetMessage(message, field) : r->GetRepeatedMessage(message, field, index));
      return;
  }
}

}  // namespace

std::string ToJson(const Message& message) {
  std::string out;
  Writer(out).Object(message);
  return out;
}

}  // namespace kiln::wire
