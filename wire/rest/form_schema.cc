#include "wire/rest/form.h"
#include "wire/rest/json.h"

namespace kiln::wire {
namespace {

constexpr const char* kSizePattern = "^[0-9]+(\\.[0-9]+)? ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$";
constexpr const char* kTimePattern = "^[0-9]+(\\.[0-9]+)? ?(ns|us|ms|s|m|min|h|d)$";

// The long form of an object, or one of its short ones.
Json WithShorthands(const Form::Members& blank, const std::vector<Form::Shorthand>& shorthands) {
  Json schema = SchemaOfForm(blank);
  if (shorthands.empty()) return schema;
  Json choices = Json::array();
  for (const Form::Shorthand& shorthand : shorthands) {
    Json shorter = schema["properties"][shorthand.member];
    shorter.erase("default");
    choices.push_back(std::move(shorter));
  }
  choices.push_back(std::move(schema));
  return Json{{"anyOf", std::move(choices)}};
}

class SchemaWriter final : public Form {
 public:
  void Text(Key key, std::string& value) override {
    Json schema = {{"type", "string"}};
    if (key.pattern != nullptr) schema["pattern"] = key.pattern;
    Put(key, std::move(schema), value);
  }
  void Flag(Key key, bool& value) override { Put(key, {{"type", "boolean"}}, value); }
  void Integer(Key key, int64_t& value, int64_t min, int64_t max) override {
    Put(key, {{"type", "integer"}, {"minimum", min}, {"maximum", max}}, value);
  }
  void Number(Key key, double& value, double min, double max) override {
    Put(key, {{"type", "number"}, {"minimum", min}, {"maximum", max}}, value);
  }
  void Size(Key key, Bytes& value) override {
    Put(key, {{"type", "string"}, {"pattern", kSizePattern}},
        Written(key, [&](Form& form) { form.Size(key, value); }));
  }
  void Time(Key key, Duration& value) override {
    Put(key, {{"type", "string"}, {"pattern", kTimePattern}},
        Written(key, [&](Form& form) { form.Time(key, value); }));
  }
  void Texts(Key key, std::vector<std::string>& value) override {
    Put(key, {{"type", "array"}, {"items", {{"type", "string"}}}}, Json(value));
  }
  void Numbers(Key key, std::vector<float>& value) override {
    Put(key, {{"type", "array"}, {"items", {{"type", "number"}}}}, Json(value));
  }
  void TextMap(Key key, std::map<std::string, std::string>&) override {
    Put(key, {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}}, Json::object());
  }
  void Choice(Key key, int& value, const std::vector<const char*>& names) override {
    Put(key, {{"type", "string"}, {"enum", Json(names)}}, names[static_cast<size_t>(value)]);
  }
  void Object(Key key, ObjectParts parts) override {
    Put(key, WithShorthands(parts.blank, parts.shorthands),
        parts.present ? Json::object() : Json());
  }
  void List(Key key, ListParts parts) override {
    Json schema = {{"type", "array"}, {"items", WithShorthands(parts.blank, parts.shorthands)}};
    if (parts.size_min > 0) schema["minItems"] = parts.size_min;
    Put(key, std::move(schema), Json::array());
  }
  void OneOf(Key key, std::vector<Alternative> alternatives) override {
    Json schema = {{"type", "object"},
                   {"additionalProperties", false},
                   {"minProperties", 1},
                   {"maxProperties", 1}};
    for (const Alternative& alternative : alternatives) {
      if (alternative.hidden) continue;
      Json choice = {{"description", alternative.help}};
      choice.update(WithShorthands(alternative.parts.blank, alternative.parts.shorthands));
      schema["properties"][alternative.name] = std::move(choice);
    }
    Put(key, std::move(schema), Json());
  }
  void Special(Key key, SpecialParts parts) override { Put(key, parts.schema(), parts.write()); }
  void Require(const char*, bool, std::string) override {}

  Json Take() {
    Json schema = {{"type", "object"}, {"additionalProperties", false}};
    if (!required_.empty()) schema["required"] = std::move(required_);
    schema["properties"] = std::move(properties_);
    return schema;
  }

 private:
  // As the codec writes it.
  static Json Written(const Key& key, const Members& members) {
    return WriteForm(members, [](Form&) {})[key.name];
  }

  void Put(const Key& key, Json schema, Json standard) {
    Json property = {{"description", key.help}};
    property.update(schema);
    if (key.required) {
      required_.push_back(key.name);
    } else if (!standard.is_null()) {
      property["default"] = std::move(standard);
    }
    properties_[key.name] = std::move(property);
  }

  Json properties_ = Json::object();
  Json required_ = Json::array();
};

}  // namespace

Json SchemaOfForm(const Form::Members& blank) {
  SchemaWriter writer;
  blank(writer);
  return writer.Take();
}

}  // namespace kiln::wire
