// A form: the keys of a JSON object, described once and then read, written or published as a
// schema.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/units.h"
#include "wire/rest/json_fwd.h"

namespace kiln::wire {

// A description calls these in order with the members of one value. A reader changes the value
// where the key is there, so what the value held before is the default; the others leave it alone.
//
// Threads: one. Errors: a reader keeps the first.
class Form {
 public:
  struct Key {
    const char* name;
    const char* help;
    bool required = false;
    const char* pattern = nullptr;  // of a text, as JSON Schema has it
  };
  using Members = std::function<void(Form&)>;
  // A value of the type `schema_type` stands for an object with this one member.
  struct Shorthand {
    const char* schema_type;  // "string", "integer", "array"
    const char* member;
  };
  // An object that the value may have.
  struct ObjectParts {
    bool present;                // in the value
    std::function<void()> make;  // gives it to the value, as it is by default
    Members members;
    Members blank;  // describes a default object
    std::vector<Shorthand> shorthands;
  };
  struct Alternative {
    const char* name;
    const char* help;
    ObjectParts parts;
    bool hidden = false;  // written, but neither read nor published
  };
  struct ListParts {
    size_t size;
    std::function<void(size_t)> resize;
    std::function<void(Form&, size_t)> element;
    Members blank;  // describes a default element
    std::vector<Shorthand> shorthands;
    size_t size_min = 0;
  };
  // A shape of its own.
  struct SpecialParts {
    std::function<Status(const Json&, const std::string& path)> read;
    std::function<Json()> write;
    std::function<Json()> schema;
  };

  virtual ~Form() = default;

  virtual void Text(Key key, std::string& value) = 0;
  virtual void Flag(Key key, bool& value) = 0;
  virtual void Integer(Key key, int64_t& value, int64_t min, int64_t max) = 0;
  virtual void Number(Key key, double& value, double min, double max) = 0;
  virtual void Size(Key key, Bytes& value) = 0;
  virtual void Time(Key key, Duration& value) = 0;
  virtual void Texts(Key key, std::vector<std::string>& value) = 0;
  virtual void Numbers(Key key, std::vector<float>& value) = 0;
  virtual void TextMap(Key key, std::map<std::string, std::string>& value) = 0;
  virtual void Choice(Key key, int& value, const std::vector<const char*>& names) = 0;
  virtual void Object(Key key, ObjectParts parts) = 0;
  virtual void List(Key key, ListParts parts) = 0;
  // An object with exactly one of the alternatives as its key.
  virtual void OneOf(Key key, std::vector<Alternative> alternatives) = 0;
  virtual void Special(Key key, SpecialParts parts) = 0;
  // For readers: what no single key can tell. `message` is the fault of `key`.
  virtual void Require(const char* key, bool holds, std::string message) = 0;
};

// The same for an int and for an enum class whose values are 0, 1, ... in the order of the names.
inline void Int(Form& form, Form::Key key, int& value, int min, int max) {
  int64_t wide = value;
  form.Integer(key, wide, min, max);
  value = static_cast<int>(wide);
}
template <typename Enum>
void Choice(Form& form, Form::Key key, Enum& value, const std::vector<const char*>& names) {
  int index = static_cast<int>(value);
  form.Choice(key, index, names);
  value = static_cast<Enum>(index);
}
// An object that is always there, and one that may be; `describe(Form&, T&)` has its members.
template <typename T, typename Describe>
void Object(Form& form, Form::Key key, T& value, Describe describe,
            std::vector<Form::Shorthand> shorthands = {}) {
  form.Object(key, {true, [] {}, [&value, describe](Form& f) { describe(f, value); },
                    [describe](Form& f) {
                      T blank;
                      describe(f, blank);
                    },
                    std::move(shorthands)});
}
template <typename T, typename Describe>
void Optional(Form& form, Form::Key key, std::optional<T>& value, Describe describe) {
  form.Object(key, {value.has_value(),
                    [&value] { value.emplace(); },
                    [&value, describe](Form& f) { describe(f, *value); },
                    [describe](Form& f) {
                      T blank;
                      describe(f, blank);
                    },
                    {}});
}
// A list of T, each described by `describe(Form&, T&)`.
template <typename T, typename Describe>
void List(Form& form, Form::Key key, std::vector<T>& list, Describe describe,
          std::vector<Form::Shorthand> shorthands = {}, size_t size_min = 0) {
  form.List(key, {list.size(), [&list](size_t size) { list.resize(size); },
                  [&list, describe](Form& f, size_t i) { describe(f, list[i]); },
                  [describe](Form& f) {
                    T blank;
                    describe(f, blank);
                  },
                  std::move(shorthands), size_min});
}

// Reads `json` by the description into the value that it holds. `path` goes before the field of an
// error.
Status ReadForm(const Json& json, const std::string& path, const Form::Members& members);
// What differs from `blank`, a description of a default value, and what is required.
Json WriteForm(const Form::Members& members, const Form::Members& blank);
// JSON Schema (2020-12) of a default value's description.
Json SchemaOfForm(const Form::Members& blank);

}  // namespace kiln::wire
