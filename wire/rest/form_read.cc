#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/nearest.h"
#include "wire/rest/form.h"
#include "wire/rest/json.h"

namespace kiln::wire {
namespace {

constexpr size_t kListMax = 1'000'000;
constexpr size_t kShownMax = 60;  // of a wrong value

std::string Shown(const Json& json) {
  std::string text = DumpJson(json);
  if (text.size() > kShownMax) text = text.substr(0, kShownMax) + "...";
  return text;
}

bool HasType(const Json& json, std::string_view schema_type) {
  if (schema_type == "string") return json.is_string();
  if (schema_type == "integer") return json.is_number_integer();
  return json.is_array();
}

// `json` in its long form.
Json WithoutShorthand(const Json& json, const std::vector<Form::Shorthand>& shorthands) {
  for (const Form::Shorthand& shorthand : shorthands) {
    if (HasType(json, shorthand.schema_type)) return Json{{shorthand.member, json}};
  }
  return json;
}

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

class Reader final : public Form {
 public:
  Reader(const Json& json, std::string path, std::optional<Error>& error)
      : json_(json), path_(std::move(path)), error_(error) {
    if (!json_.is_object()) {
      Wrong(path_, path_.empty() ? "document" : path_.substr(path_.rfind('.') + 1), json_, "a map");
    }
  }

  void Text(Key key, std::string& value) override {
    const Json* json = Find(key);
    if (json == nullptr) return;
    if (!json->is_string()) return Wrong(At(key), key.name, *json, "a text");
    value = json->get<std::string>();
  }
  void Flag(Key key, bool& value) override {
    const Json* json = Find(key);
    if (json == nullptr) return;
    if (!json->is_boolean()) return Wrong(At(key), key.name, *json, "true or false");
    value = json->get<bool>();
  }
  void Integer(Key key, int64_t& value, int64_t min, int64_t max) override {
    const Json* json = Find(key);
    if (json == nullptr) return;
    const bool fits =
        json->is_number_integer() &&
        !(json->is_number_unsigned() &&
          json->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) &&
        json->get<int64_t>() >= min && json->get<int64_t>() <= max;
    if (!fits) {
      return Wrong(At(key), key.name, *json, fmt::format("a whole number from {} to {}", min, max));
    }
    value = json->get<int64_t>();
  }
  void Number(Key key, double& value, double min, double max) override {
    const Json* json = Find(key);
    if (json == nullptr) return;
    if (!json->is_number() || !(json->get<double>() >= min && json->get<double>() <= max)) {
      return Wrong(At(key), key.name, *json, fmt::format("a number from {} to {}", min, max));
    }
    value = json->get<double>();
  }
  void Size(Key key, Bytes& value) override { Amount(key, value, ParseBytes, "512MiB"); }
  void Time(Key key, Duration& value) override { Amount(key, value, ParseDuration, "90s"); }
  void Texts(Key key, std::vector<std::string>& value) override {
    const Json* json = FindList(key);
    if (json == nullptr) return;
    value.clear();
    for (const Json& item : *json) {
      const std::string path = fmt::format("{}[{}]", At(key), value.size());
      if (!item.is_string()) return Wrong(path, key.name, item, "a text");
      value.push_back(item.get<std::string>());
    }
  }
  void Numbers(Key key, std::vector<float>& value) override {
    const Json* json = FindList(key);
    if (json == nullptr) return;
    value.clear();
    for (const Json& item : *json) {
      const std::string path = fmt::format("{}[{}]", At(key), value.size());
      const float number = item.is_number() ? item.get<float>() : NAN;
      if (!std::isfinite(number)) return Wrong(path, key.name, item, "a number");
      value.push_back(number);
    }
  }
  void TextMap(Key key, std::map<std::string, std::string>& value) override {
    const Json* json = Find(key);
    if (json == nullptr) return;
    if (!json->is_object()) return Wrong(At(key), key.name, *json, "a map");
    value.clear();
    for (const auto& [name, item] : json->items()) {
      if (!item.is_string()) return Wrong(At(key) + "." + name, name, item, "a text");
      value[name] = item.get<std::string>();
    }
  }
  void Choice(Key key, int& value, const std::vector<const char*>& names) override {
    const Json* json = Find(key);
    if (json == nullptr) return;
    for (size_t i = 0; i < names.size(); ++i) {
      if (json->is_string() && json->get_ref<const std::string&>() == names[i]) {
        value = static_cast<int>(i);
        return;
      }
    }
    Wrong(At(key), key.name, *json,
          "one of " + Joined(std::vector<std::string>(names.begin(), names.end())));
  }
  void Object(Key key, ObjectParts parts) override {
    const Json* json = Find(key);
    if (json == nullptr) return;
    parts.make();
    ReadObject(*json, At(key), parts.members, parts.shorthands);
  }
  void List(Key key, ListParts parts) override {
    const Json* json = FindList(key);
    if (json == nullptr) return;
    if (json->size() < parts.size_min) {
      return Wrong(At(key), key.name, *json, fmt::format("at least {}", parts.size_min));
    }
    parts.resize(0);
    parts.resize(json->size());
    for (size_t i = 0; i < json->size() && !error_; ++i) {
      ReadObject((*json)[i], fmt::format("{}[{}]", At(key), i),
                 [&](Form& form) { parts.element(form, i); }, parts.shorthands);
    }
  }
  void OneOf(Key key, std::vector<Alternative> alternatives) override {
    const Json* json = Find(key);
    if (json == nullptr) return;
    std::vector<std::string> names;
    for (const Alternative& alternative : alternatives) {
      if (!alternative.hidden) names.push_back(alternative.name);
    }
    if (!json->is_object() || json->size() != 1) {
      return Wrong(At(key), key.name, *json, "a map with one of " + Joined(names));
    }
    const std::string& name = json->begin().key();
    for (const Alternative& alternative : alternatives) {
      if (name != alternative.name || alternative.hidden) continue;
      alternative.parts.make();
      return ReadObject(json->begin().value(), At(key) + "." + name, alternative.parts.members,
                        alternative.parts.shorthands);
    }
    Unknown(At(key) + "." + name, name, names);
  }
  void Special(Key key, SpecialParts parts) override {
    const Json* json = Find(key);
    if (json == nullptr) return;
    if (Status status = parts.read(*json, At(key)); !status) Put(status.error());
  }
  void Require(const char* key, bool holds, std::string message) override {
    if (!holds) Put({ErrorCode::kInvalidArgument, std::move(message), At({key, ""})});
  }

  // Behind the description: keys that nobody asked for, then keys that are not there.
  void Finish() {
    if (!json_.is_object()) return;
    for (const auto& [name, value] : json_.items()) {
      if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
        return Unknown(At({name.c_str(), ""}), name, known_);
      }
    }
    if (missing_.empty()) return;
    Put({ErrorCode::kInvalidArgument, missing_ + " is missing", At({missing_.c_str(), ""})});
  }

 private:
  std::string At(const Key& key) const {
    return path_.empty() ? std::string(key.name) : path_ + "." + key.name;
  }

  const Json* Find(const Key& key) {
    known_.push_back(key.name);
    if (!json_.is_object()) return nullptr;
    auto found = json_.find(key.name);
    if (found != json_.end() && !found->is_null()) return &*found;
    if (key.required && missing_.empty()) missing_ = key.name;
    return nullptr;
  }
  const Json* FindList(const Key& key) {
    const Json* json = Find(key);
    if (json == nullptr || (json->is_array() && json->size() <= kListMax)) return json;
    Wrong(At(key), key.name, *json, fmt::format("a list of at most {}", kListMax));
    return nullptr;
  }

  template <typename T, typename Parse>
  void Amount(const Key& key, T& value, Parse parse, const char* example) {
    const Json* json = Find(key);
    if (json == nullptr) return;
    if (!json->is_string()) {
      return Wrong(At(key), key.name, *json,
                   fmt::format("a number and a unit, as in \"{}\"", example));
    }
    auto parsed = parse(json->get_ref<const std::string&>());
    if (parsed) {
      value = *parsed;
    } else {
      Put({parsed.error().code, fmt::format("{}: {}", key.name, parsed.error().message), At(key)});
    }
  }

  void ReadObject(const Json& json, const std::string& path, const Members& members,
                  const std::vector<Shorthand>& shorthands) {
    const Json object = WithoutShorthand(json, shorthands);
    Reader reader(object, path, error_);
    members(reader);
    reader.Finish();
  }

  void Put(Error error) {
    if (!error_) error_ = std::move(error);
  }
  void Wrong(const std::string& path, std::string_view name, const Json& found,
             std::string_view expected) {
    Put({ErrorCode::kInvalidArgument,
         fmt::format("{} is {}: expected {}", name, Shown(found), expected), path});
  }
  void Unknown(const std::string& path, const std::string& name,
               const std::vector<std::string>& names) {
    const std::string nearest = NearestName(name, names);
    Put({ErrorCode::kInvalidArgument,
         nearest.empty()
             ? fmt::format("key \"{}\" is not known: expected one of {}", name, Joined(names))
             : fmt::format("key \"{}\" is not known: the nearest known key is \"{}\"", name,
                           nearest),
         path});
  }

  const Json& json_;
  const std::string path_;
  std::optional<Error>& error_;
  std::vector<std::string> known_;
  std::string missing_;
};

}  // namespace

Status ReadForm(const Json& json, const std::string& path, const Form::Members& members) {
  std::optional<Error> error;
  Reader reader(json, path, error);
  members(reader);
  reader.Finish();
  if (error) return Failure(*std::move(error));
  return {};
}

}  // namespace kiln::wire
